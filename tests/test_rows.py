"""The table rows: each row of the log with its verdict, its id, its time and its kept columns."""

import json
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rows import intent_of, make_rows

from advin.discovery.config import MaskingConfig
from advin.discovery.text.cleaning import normalize
from advin.discovery.text.preparation import prepare
from advin.pipelines import storage
from advin.pipelines.errors import SettingsError
from advin.pipelines.reading import lines
from advin.pipelines.reading.columns import Columns
from advin.pipelines.reading.inputs import find_input
from advin.pipelines.reading.row_columns import RowColumns, extra_columns
from advin.pipelines.reading.times import parse_time, times_of
from advin.pipelines.row_files import BATCH_ROWS
from advin.pipelines.rows import Verdicts
from advin.schemas.ids import utterance_id

WORDS = "lost my card please block it where is parcel thanks now the".split()
MORNING = datetime(2026, 2, 10, 10, tzinfo=UTC)


def a_log(rows: int, seed: int = 0) -> list[dict]:
    """A log with repeated texts, empty texts, ids, times and other columns."""
    choose = random.Random(seed)
    return [
        {
            "text": "" if i % 17 == 5 else " ".join(choose.choices(WORDS, k=choose.randint(1, 3))),
            "id": i,
            "ts": (MORNING + timedelta(minutes=i)).isoformat(),
            "user": {"plan": choose.choice(["free", "team"]), "paid": i % 3 == 0},
        }
        for i in range(rows)
    ]


def identity_of(text: str) -> str:
    return utterance_id(normalize(prepare(text, MaskingConfig()).text))


NAMES = RowColumns(id="id", time="ts", keep=("user.plan", "user.paid"))


@pytest.mark.parametrize("ending", ["parquet", "jsonl", "json"])
def test_each_row_has_the_verdict_on_its_utterance(write_rows, run_pipeline, tmp_path, ending):
    log = a_log(500)
    path = tmp_path / f"log.{ending}"
    if ending == "json":
        path.write_text(json.dumps(log))
    else:
        write_rows(path.name, log)
    table, read, written = make_rows(run_pipeline, path, tmp_path / "out", NAMES)
    used = [row for row in log if row["text"]]
    found = table.to_pylist()
    assert [row["row_id"] for row in found] == [row["id"] for row in used]
    for row, given_row in zip(found, used, strict=True):
        assert row["utterance_id"] == identity_of(given_row["text"])
        assert row["intent_id"] == intent_of(row["utterance_id"])
        assert row["domain_id"] == (row["intent_id"] and "n-domain")
        assert row["kind"] == ("novel" if row["intent_id"] else "unassigned")
        assert row["time"] == datetime.fromisoformat(given_row["ts"])
        assert row["user.plan"] == given_row["user"]["plan"]
        assert row["user.paid"] is given_row["user"]["paid"]
        assert row["source"] == str(path)
    assert written.rows_written + read.rows_rejected == read.rows_read == 500
    assert written.rows_in_an_intent == sum(row["intent_id"] is not None for row in found)
    assert table.schema.field("row_id").type == pa.int64()
    assert table.schema.field("user.paid").type == pa.bool_()


def test_a_log_in_pieces_gives_the_same_rows(write_rows, run_pipeline, tmp_path, monkeypatch):
    path = write_rows("log.jsonl", a_log(300))
    whole, *_ = make_rows(run_pipeline, path, tmp_path / "whole", NAMES)
    monkeypatch.setattr(lines, "_RANGE_BYTES", 1000)
    cut, *_ = make_rows(run_pipeline, path, tmp_path / "cut", NAMES)
    assert len(list((tmp_path / "cut" / "table").iterdir())) > 20
    assert cut.equals(whole)


def test_the_bytes_do_not_depend_on_the_number_of_workers(write_rows, tmp_path, monkeypatch):
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    monkeypatch.setattr(lines, "_RANGE_BYTES", 5000)
    path = write_rows("log.jsonl", a_log(300))
    found = []
    for workers in (1, 4):
        options = PipelineOptions(
            [f"--direct_num_workers={workers}", "--direct_running_mode=multi_threading"]
        )

        def run(build, options=options):
            pipeline = beam.Pipeline("FnApiRunner", options=options)
            build(pipeline)
            result = pipeline.run()
            result.wait_until_finish()
            return result

        make_rows(run, path, tmp_path / f"{workers}", NAMES)
        files = sorted((tmp_path / f"{workers}" / "table").iterdir())
        found.append([(file.name, file.read_bytes()) for file in files])
    assert found[0] == found[1]


def test_columns_of_parquet_keep_their_types(run_pipeline, tmp_path):
    n = BATCH_ROWS + 10
    log = pa.table({
        "text": ["where is my parcel"] * n,
        "id": pa.array(range(n), pa.uint16()),
        "ts": pa.array([1_770_717_600_123_456_789] * n, pa.timestamp("ns", "Europe/Berlin")),
        "price": pa.array([Decimal("12.50")] * n, pa.decimal128(9, 2)),
        "channel": pa.array(["web"] * n).dictionary_encode(),
        "seen": pa.array([1] * n, pa.timestamp("ns")),
        "tags": pa.array([["a", "b"]] * n, pa.list_(pa.string())),
        "meta": pa.array([{"score": 0.5, "deep": {"n": 7}}] * n),
    })  # fmt: skip
    pq.write_table(log, tmp_path / "log.parquet", row_group_size=5000)
    keep = ("price", "channel", "seen", "tags", "meta.deep.n")
    table, *_ = make_rows(
        run_pipeline, tmp_path / "log.parquet", tmp_path / "out", RowColumns("id", "ts", keep=keep)
    )
    types = {name: table.schema.field(name).type for name in ("row_id", *keep)}
    assert types == {
        "row_id": pa.uint16(),
        "price": pa.decimal128(9, 2),
        "channel": pa.string(),
        "seen": pa.timestamp("ns"),
        "tags": pa.list_(pa.field("element", pa.string())),
        "meta.deep.n": pa.int64(),
    }
    assert table["row_id"].to_pylist() == list(range(n))
    last = table.slice(n - 1).select(["price", "channel", "tags", "meta.deep.n"]).to_pylist()[0]
    assert last == {"price": Decimal("12.50"), "channel": "web", "tags": ["a", "b"],
                    "meta.deep.n": 7}  # fmt: skip
    assert table["seen"][0].value == 1
    assert table["time"][0].value == 1_770_717_600_123_456


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["1", "-20", ""], pa.int64(), [1, -20, None]),
        (["1", "2.5", ""], pa.float64(), [1.0, 2.5, None]),
        (["True", "false", ""], pa.bool_(), [True, False, None]),
        (["007", "1", "2"], pa.string(), ["007", "1", "2"]),
        (["99999999999999999999", "1", "2"], pa.string(), ["99999999999999999999", "1", "2"]),
        (["", "", ""], pa.string(), [None, None, None]),
    ],
)
def test_types_of_csv_follow_from_all_values(run_pipeline, tmp_path, values, kind, expected):
    lines_of = [f"lost card {i},{value}" for i, value in enumerate(values)]
    (tmp_path / "log.csv").write_text("\n".join(["text,x", *lines_of]) + "\n")
    table, *_ = make_rows(run_pipeline, tmp_path / "log.csv", tmp_path / "out",
                          RowColumns(id="x", keep=("x",), raw=("x",)))  # fmt: skip
    assert table.schema.field("x").type == table.schema.field("row_id").type == kind
    assert table["x"].to_pylist() == table["row_id"].to_pylist() == expected


def test_files_that_disagree_give_the_widest_type(run_pipeline, tmp_path):
    text = ["where is it"]
    pq.write_table(pa.table({"text": text, "a": pa.array([1], pa.int32()), "b": [1]}),
                   tmp_path / "1.parquet")  # fmt: skip
    pq.write_table(pa.table({"text": text, "a": pa.array([2], pa.int64()), "b": ["x"]}),
                   tmp_path / "2.parquet")  # fmt: skip
    (tmp_path / "3.jsonl").write_text('{"text": "where is it", "b": {"c": [1]}}\n')
    table, *_ = make_rows(
        run_pipeline, tmp_path / "*", tmp_path / "out", RowColumns(keep=("a", "b"), raw=("b",))
    )
    assert table["a"].to_pylist() == [1, 2, None] and table.schema.field("a").type == pa.int64()
    assert table["b"].to_pylist() == ["1", "x", '{"c": [1]}']


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_folders_name_values_of_columns(run_pipeline, tmp_path, ending):
    for day, text in (("2026-02-10", "where is it"), ("__HIVE_DEFAULT_PARTITION__", "lost it")):
        folder = tmp_path / "log" / f"day={day}"
        folder.mkdir(parents=True)
        if ending == "csv":
            (folder / "part.csv").write_text(f"text,n\n{text},1\n")
        else:
            pq.write_table(pa.table({"text": [text], "n": [1]}), folder / "part.parquet")
    names = RowColumns(time="day", keep=("day", "n"), raw=("day",))
    table, read, _ = make_rows(run_pipeline, tmp_path / "log", tmp_path / "out", names)
    assert table["day"].to_pylist() == ["2026-02-10", None]
    assert table["time"].to_pylist() == [datetime(2026, 2, 10, tzinfo=UTC), None]
    assert table["n"].to_pylist() == [1, 1] and read.times_unreadable == 0


def test_kept_texts_are_masked_unless_they_are_named(run_pipeline, tmp_path):
    secret = "write to ann.smith@example.com"
    nested = {"note": secret, "n": 5}
    log = pa.table({"text": ["hello there"], "a": [secret], "b": [secret], "c": [nested]})
    pq.write_table(log, tmp_path / "log.parquet")
    (tmp_path / "log.jsonl").write_text(
        json.dumps({"text": "hello there", "a": secret, "b": secret, "c": nested})
    )
    names = RowColumns(keep=("a", "b", "c", "text"), raw=("b",))
    for name in ("log.parquet", "log.jsonl"):
        table, *_ = make_rows(run_pipeline, tmp_path / name, tmp_path / f"out-{name}", names)
        (row,) = table.to_pylist()
        assert row["a"] == "write to [email]" and row["b"] == secret
        assert row["text"] == "hello there"
        nested_found = row["c"] if name.endswith("parquet") else json.loads(row["c"])
        assert nested_found == {"note": "write to [email]", "n": 5}


def test_numbers_in_a_column_of_texts_are_masked(run_pipeline, tmp_path):
    (tmp_path / "log.csv").write_text("text,phone\nlost it,5551234567\nlost it,none\n")
    table, *_ = make_rows(
        run_pipeline, tmp_path / "log.csv", tmp_path / "out", RowColumns(keep=("phone",))
    )
    masked = table["phone"].to_pylist()
    assert "5551234567" not in masked[0] and masked[1] == "none"


def test_a_kept_column_that_the_table_has_gets_a_prefix(write_rows, run_pipeline, tmp_path):
    path = write_rows("log.jsonl", [{"text": "where is it", "Kind": "a", "position": "b"}])
    table, *_ = make_rows(
        run_pipeline, path, tmp_path / "out", RowColumns(keep=("Kind", "position"))
    )
    assert table["kept_Kind"].to_pylist() == ["a"]
    assert table["kept_position"].to_pylist() == ["b"] and table["position"].to_pylist() == [0]


def test_rows_of_other_speakers_have_no_intent(write_rows, run_pipeline, tmp_path):
    rows = [{"text": "hello", "role": role} for role in ("agent", "customer", None)]
    path = write_rows("log.jsonl", rows)
    table, read, written = make_rows(
        run_pipeline, path, tmp_path / "out", columns=Columns(domain="role"),
        speakers=("Customer",), others=str(tmp_path / "out" / "ingest" / "others"),
    )  # fmt: skip
    assert table["reason"].to_pylist() == ["other_speaker", "in_novel_intent", "other_speaker"]
    assert [i is None for i in table["intent_id"].to_pylist()] == [True, False, True]
    assert len(set(table["utterance_id"].to_pylist())) == 1
    assert written.rows_written == read.rows_read == 3


def test_times_of_all_forms_are_read_and_others_counted(run_pipeline, tmp_path):
    moment = 1_770_717_600
    forms = ["2026-02-10T10:00:00Z", "2026-02-10 10:00:00", "2026-02-10T11:00:00+01:00",
             moment, moment * 1000, str(moment), float(moment)]  # fmt: skip
    wrong = ["yesterday", True, 10**30, [1]]
    rows = [{"text": "where is it", "ts": ts} for ts in [*forms, None, "", *wrong]]
    (tmp_path / "log.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    table, read, _ = make_rows(
        run_pipeline, tmp_path / "log.jsonl", tmp_path / "out", RowColumns(time="ts")
    )
    times = table["time"].to_pylist()
    assert times[: len(forms)] == [MORNING] * len(forms)
    assert times[len(forms) :] == [None] * 6
    assert read.times_unreadable == len(wrong)


@given(st.datetimes(), st.sampled_from(["s", "ms", "us", "ns"]))
def test_times_of_parquet_are_those_of_python(moment, unit):
    steps = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    micros = parse_time(moment.replace(tzinfo=UTC))
    if micros is None or not -(2**63) <= micros * steps // 10**6 < 2**63:
        return
    array = pa.array([micros * steps // 10**6, None]).cast(pa.timestamp(unit))
    expected = micros if unit in ("us", "ns") else micros * steps // 10**6 * 10**6 // steps
    assert [v.value for v in times_of(array)] == [expected, None]


def test_ids_with_the_same_first_half_are_told_apart():
    ids = sorted(["0" * 31 + "1", "0" * 31 + "2", "0" * 31 + "3", "8" + "0" * 31, "f" * 32])
    batch = pa.RecordBatch.from_pydict({
        "utterance_id": ids, "reason": ["too_far"] * 5, "intent_id": ids, "domain_id": ids,
    })  # fmt: skip
    verdicts = Verdicts.of_batches(iter([batch.slice(0, 2), batch.slice(2)]))

    def rows_of(wanted):
        data = pa.array([bytes.fromhex(i) for i in wanted], pa.binary(16))
        others = pa.array([False] * len(wanted), pa.bool_())
        return pa.RecordBatch.from_arrays([data, others], ["utterance_id", "is_other"])

    shuffled = random.Random(0).choices(ids, k=50)
    assert verdicts.of(rows_of(shuffled))["intent_id"].to_pylist() == shuffled
    for absent in ("0" * 32, "0" * 31 + "4", "9" * 32):
        with pytest.raises(SettingsError, match=f"{absent} of the log is not in"):
            verdicts.of(rows_of([absent]))
    assert verdicts.of(rows_of([]))["kind"].to_pylist() == []


def test_a_damaged_time_or_id_column_is_refused_at_the_start(write_rows):
    path = write_rows("log.csv", [{"text": "where is it", "id": "1"}])
    files = find_input(str(path), Columns(), "--input")
    with pytest.raises(SettingsError, match="--time-column: no file of --input has the column 'x'"):
        extra_columns(RowColumns(id="id", time="x"), files, Columns())
    with pytest.raises(SettingsError, match="--keep-raw names 'b', which --keep-columns does not"):
        RowColumns(keep=("a",), raw=("b",))
    with pytest.raises(SettingsError, match="--keep-columns names 'a' twice"):
        RowColumns(keep=("a", "a"))


@pytest.mark.parametrize("ending", ["parquet", "jsonl", "csv"])
def test_a_wrong_path_into_a_column_is_refused(tmp_path, ending):
    row = {"text": "where is it", "user": {"plan": "free", "tags": [{"name": "a"}]}}
    path = tmp_path / f"log.{ending}"
    if ending == "parquet":
        pq.write_table(pa.Table.from_pylist([row]), path)
    elif ending == "csv":
        pd.DataFrame([row | {"user": json.dumps(row["user"])}]).to_csv(path, index=False)
    else:
        path.write_text(json.dumps(row))
    files = find_input(str(path), Columns(), "--input")
    extra_columns(RowColumns(keep=("user", "user.plan", "user.tags[].name")), files, Columns())
    for wrong in ("user.name", "user.plan.x", "user.tags[].id"):
        with pytest.raises(SettingsError, match="--keep-columns: no file of --input has"):
            extra_columns(RowColumns(keep=(wrong,)), files, Columns())


def test_invalid_bytes_in_a_kept_column_do_not_lose_the_row(run_pipeline, tmp_path):
    bad = pa.array([b"\xff\xfe", b"fine"]).view(pa.string())
    pq.write_table(pa.table({"text": ["where is it", "lost it"], "x": bad}), tmp_path / "a.parquet")
    (tmp_path / "b.jsonl").write_text('{"text": "lost it", "x": "\\ud83d"}\n')
    for raw in ((), ("x",)):
        for name in ("a.parquet", "b.jsonl"):
            table, *_ = make_rows(run_pipeline, tmp_path / name, tmp_path / f"{name}{len(raw)}",
                                  RowColumns(keep=("x",), raw=raw))  # fmt: skip
            assert table.num_rows == (2 if name == "a.parquet" else 1)
            assert all("\\" in v or v == "fine" for v in table["x"].to_pylist())


@pytest.mark.parametrize("is_local", [True, False])
def test_a_file_of_rows_appears_whole_or_never(tmp_path, monkeypatch, is_local):
    monkeypatch.setattr(storage, "is_local", lambda path: is_local)
    path, table = tmp_path / "rows" / "a.parquet", pa.table({"x": [1, 2]})

    def write(fails: bool) -> None:
        with storage.open_parquet(str(path), table.schema) as writer:
            writer.write_table(table)
            if fails:
                raise KeyError("stopped")

    with pytest.raises(KeyError):
        write(fails=True)
    assert list((tmp_path / "rows").glob("*")) == []
    write(fails=False)
    before = path.read_bytes()
    with pytest.raises(KeyError):
        write(fails=True)
    assert list((tmp_path / "rows").iterdir()) == [path] and path.read_bytes() == before
    assert [b.num_rows for b in storage.iter_parquet(str(path), 1)] == [1, 1]
