"""The table rows of whole runs: joins to the user's own table, flags, resuming, regrouping."""

import gzip
import json
import random
import shutil
from datetime import UTC, datetime, timedelta

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from quick import QUICK, QUICK_FLAGS

import advin
from advin.pipelines.errors import SettingsError
from advin.runners.cli import main

REQUESTS = {
    "cancel": ["cancel my order please", "cancel the order {n}", "stop my order", "undo my order"],
    "late": ["my parcel is late", "where is my parcel {n}", "the parcel is not here", "no parcel"],
    "card": ["delete the saved card", "remove my card please", "forget my card", "my card is {n}"],
}
BEFORE = ["", "hello, ", "Hello, not needed now ", "so ", "ok\n"]
AFTER = ["", "!", " thanks, john.doe@example.com", "  "]


def a_log(rows: int) -> list[dict]:
    """A log like a real one: greetings, line breaks, personal data and repeated texts."""
    choose = random.Random(0)
    start = datetime(2026, 2, 10, 10, tzinfo=UTC)
    log = []
    for i in range(rows):
        intent = choose.choice(list(REQUESTS))
        text = choose.choice(REQUESTS[intent]).format(n=choose.randint(10_000, 99_999))
        log.append({
            "conversation": f"{i // 4}-0",
            "ts": (start + timedelta(hours=i)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "row": i,
            "event": {"text": choose.choice(BEFORE) + text + choose.choice(AFTER)},
        })  # fmt: skip
    log[7]["event"]["text"] = "  "
    return log


@pytest.fixture(scope="module")
def log():
    return a_log(240)


@pytest.fixture(scope="module")
def path(log, tmp_path_factory):
    path = tmp_path_factory.mktemp("log") / "log.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in log).encode()))
    return path


FLAGS = ["--text-column", "event.text", "--id-column", "row", "--time-column", "ts"]
FLAGS += ["--keep-columns", "ts,conversation,event.text", "--keep-raw", "ts,conversation"]


@pytest.fixture(scope="module")
def run(path, tmp_path_factory):
    output = tmp_path_factory.mktemp("run") / "run"
    arguments = ["discover", "--input", path, "--output", output, *FLAGS, *QUICK_FLAGS]
    assert main([str(a) for a in arguments]) == 0
    return advin.read_run(output)


def test_each_row_of_a_log_is_found_with_its_intent_id_and_time(run, log):
    used = [row for row in log if row["event"]["text"].strip()]
    found = run.rows.to_pylist()
    kept = [(row["row_id"], row["ts"], row["conversation"]) for row in found]
    assert kept == [(row["row"], row["ts"], row["conversation"]) for row in used]
    assert [row["time"] for row in found] == [datetime.fromisoformat(row["ts"]) for row in used]
    verdicts = {row["utterance_id"]: row for row in run.assignments.to_pylist()}
    for row in found:
        for name in ("kind", "reason", "intent_id", "domain_id"):
            assert row[name] == verdicts[row["utterance_id"]][name]
        assert "john.doe" not in row["event.text"]
    assert len(found) + run.rejects.num_rows == len(log) == dict(run.manifest.funnel)["rows read"]


def test_sizes_of_intents_are_counts_of_rows(run):
    found = duckdb.sql(
        "select intent_id, count(*) from rows where intent_id is not null group by 1",
        connection=connected(run),
    ).fetchall()
    sizes = zip(*(run.intents[name].to_pylist() for name in ("intent_id", "size")), strict=True)
    assert dict(found) == {intent: size for intent, size in sizes if size}


def connected(run):
    connection = duckdb.connect()
    for name in ("rows", "intents"):
        connection.execute(f"create view {name} as from '{run.folder}/{name}/*.parquet'")
    return connection


def test_duckdb_joins_the_rows_to_the_users_own_table(run, path, log):
    connection = connected(run)
    connection.execute(f"create view log as from read_json('{path}')")
    found = connection.execute(
        "select log.row, rows.kind, intents.name from log "
        "left join rows on rows.row_id = log.row left join intents using (intent_id) order by 1"
    ).fetchall()
    assert len(found) == len(log)
    assert [row for row, kind, _ in found if kind is None] == [7]
    assert sum(name is not None for *_, name in found) > 100


def test_pandas_joins_the_rows_to_the_users_own_table(run, log):
    own = pd.DataFrame(log)
    joined = own.merge(run.pandas("rows"), left_on="row", right_on="row_id", how="left")
    joined = joined.merge(run.pandas("intents")[["intent_id", "name"]], on="intent_id", how="left")
    assert len(joined) == len(log) and joined["kind"].isna().sum() == 1


def test_without_an_id_the_position_joins_a_table_of_parquet(tmp_path, log):
    table = pa.Table.from_pylist([{"text": row["event"]["text"], "n": row["row"]} for row in log])
    pq.write_table(table, tmp_path / "log.parquet", row_group_size=50)
    run = advin.discover(tmp_path / "log.parquet", config=QUICK, quiet=True)
    found = duckdb.sql(
        "select n from log join rows on log.file_row_number = rows.position order by n",
        connection=_with_log(run, tmp_path / "log.parquet"),
    ).fetchall()
    assert [n for (n,) in found] == [row["row"] for row in log if row["row"] != 7]


def _with_log(run, path):
    connection = connected(run)
    connection.execute(f"create view log as from read_parquet('{path}', file_row_number = true)")
    return connection


def test_a_frame_keeps_the_types_of_its_columns(log):
    frame = pd.DataFrame({"text": [row["event"]["text"] for row in log]})
    frame["when"] = pd.to_datetime([row["ts"] for row in log])
    frame["channel"] = pd.Categorical(["web", "app"] * (len(log) // 2))
    frame["n"] = range(len(log))
    run = advin.discover(
        frame, id_column="n", time_column="when", keep_columns=["channel"], config=QUICK, quiet=True
    )
    rows = run.pandas("rows")
    kept = frame.drop(index=7).reset_index(drop=True)
    assert rows["row_id"].tolist() == kept["n"].tolist()
    assert rows["time"].tolist() == kept["when"].tolist()
    assert rows["channel"].tolist() == kept["channel"].tolist()


def test_regrouped_rows_have_the_intents_of_the_new_level(run, tmp_path):
    shutil.copytree(run.folder, tmp_path / "run")
    regrouped = advin.read_run(tmp_path / "run").regroup(max_intents=1, quiet=True)
    verdicts = dict(
        zip(*(regrouped.assignments[c].to_pylist() for c in ("utterance_id", "intent_id")),
            strict=True)
    )  # fmt: skip
    for row in regrouped.rows.to_pylist():
        assert row["intent_id"] == verdicts[row["utterance_id"]]
    assert regrouped.rows["row_id"].equals(run.rows["row_id"])
    assert set(regrouped.rows["intent_id"].to_pylist()) != set(run.rows["intent_id"].to_pylist())
    assert len(list((tmp_path / "run" / "rows").iterdir())) == 1


def test_a_stopped_run_writes_the_rows_when_it_resumes(run, path, tmp_path):
    shutil.copytree(run.folder, tmp_path / "run")
    before = [file.read_bytes() for file in (tmp_path / "run" / "rows").iterdir()]
    # The run as it was before the stage rows.
    (tmp_path / "run" / "manifest.json").unlink()
    shutil.rmtree(tmp_path / "run" / "rows")
    shutil.rmtree(tmp_path / "run" / "stages" / "rows")
    data = tmp_path / "run" / "stages" / "assemble" / "data"
    data.rmdir()
    shutil.move(tmp_path / "run" / "assignments", data)
    arguments = ["discover", "--input", path, "--output", tmp_path / "run", *FLAGS, *QUICK_FLAGS]
    assert main([str(a) for a in arguments]) == 0
    assert [file.read_bytes() for file in (tmp_path / "run" / "rows").iterdir()] == before


def test_other_columns_are_another_run(run, path, capsys):
    arguments = ["discover", "--input", path, "--output", run.folder, *FLAGS[:4], *QUICK_FLAGS]
    assert main([str(a) for a in arguments]) == 2
    assert "holds another run (it differs in columns, rows)" in capsys.readouterr().err


def test_a_run_without_rows_has_no_such_table_and_regroups(path, tmp_path):
    arguments = ["discover", "--input", path, "--output", tmp_path / "run", *FLAGS[:2]]
    assert main([str(a) for a in [*arguments, "--no-rows", *QUICK_FLAGS]]) == 0
    run = advin.read_run(tmp_path / "run")
    assert "rows" not in run.manifest.tables
    assert not (tmp_path / "run" / "stages" / "ingest" / "rows").exists()
    run.regroup(max_intents=1, quiet=True)
    with pytest.raises(SettingsError, match="no table 'rows'"):
        _ = run.rows


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--no-rows", "--keep-columns", "ts"], "the table that --keep-columns is for"),
        (["--keep-columns", "ts,,row"], "--keep-columns has an empty name"),
        (["--id-column", "nothing"], "--id-column: no file of --input has the column 'nothing'"),
    ],
)
def test_wrong_columns_are_refused_at_the_start(path, tmp_path, capsys, flags, message):
    arguments = ["discover", "--input", path, "--output", tmp_path / "run", *FLAGS[:2], *flags]
    assert main([str(a) for a in arguments]) == 2
    assert message in capsys.readouterr().err


def test_the_tables_reach_iceberg(run, tmp_path):
    warehouse = tmp_path / "warehouse"
    catalog = SqlCatalog("local", uri=f"sqlite:///{tmp_path}/c.db", warehouse=f"file://{warehouse}")
    catalog.create_namespace_if_not_exists("advin")
    for name in ("rows", "intents", "assignments", "levels"):
        own = run.table(name)
        table = catalog.create_table_if_not_exists(f"advin.{name}", schema=own.schema)
        table.append(own)
        found = table.scan().to_arrow()
        assert found.to_pylist() == own.to_pylist(), name
