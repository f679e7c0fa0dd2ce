"""The command line on wrong and unusual input: one line and exit code 2, or a finished run."""

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from quick import QUICK, QUICK_FLAGS
from run_tables import read_tables

from advin.discovery.config import Config
from advin.discovery.model import Model
from advin.pipelines import report
from advin.pipelines.models import load_model
from advin.pipelines.stages import Stage
from advin.runners.cli import main
from advin.runners.printing import print_run

ROOT = Path(__file__).parent.parent
INTENTS = {
    "balance": ("bank", "what is my balance;show my account balance;how much money do I have;"
                "account balance please;money left in my account;tell me my balance"),
    "parcel": ("shop", "where is my parcel;track my order;has my package been shipped;"
               "when will my parcel arrive;my order is late;parcel status"),
    "flight": ("travel", "book a flight to rome;I need a plane ticket;cheap flights in may;"
               "fly me to oslo;find a flight for two;one way ticket to lisbon"),
}  # fmt: skip
NOVEL = """the radiator is cold;heating does not work;boiler is broken;no hot water from the boiler;
my heating stopped;radiators stay cold;fix my boiler;heating is off again;boiler shows an error;
cold radiators all over the house;the boiler makes noise;heater not working"""


def known(domains: bool = True) -> list[dict]:
    return [
        {"text": text, "intent": intent} | ({"domain": domain} if domains else {})
        for intent, (domain, texts) in INTENTS.items()
        for text in texts.split(";")
    ]


def log(novel: bool = True, rest: bool = True) -> list[dict]:
    texts = [t.strip() for t in NOVEL.split(";")] if novel else []
    if rest:
        texts += [f"{t} {end}" for r in known() for t in [r["text"]] for end in ("now", "thanks")]
    return [{"text": t} for t in texts * 2]


@pytest.fixture
def run(tmp_path, capsys, write_rows):
    """Run `advin discover` on rows; return exit code, error lines, and the manifest, if any."""

    def discover(*flags, log_rows=None, labeled=None, output=tmp_path / "out"):
        arguments = ["discover", "--output", str(output), *map(str, flags)]
        if log_rows is not None:
            arguments += ["--input", str(write_rows("log.parquet", log_rows))]
        if labeled is not None:
            arguments += ["--labeled", str(write_rows("known.parquet", labeled))]
        code = main(arguments)
        lines = [x for x in capsys.readouterr().err.splitlines() if x.startswith("advin: ")]
        return code, lines, report.read_run(str(output))

    return discover


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Folder with a log, labeled utterances and a run of both."""
    folder = tmp_path_factory.mktemp("plain")
    for name, rows in (("log", log()), ("known", known())):
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")
    assert discover_plainly(folder) == 0
    return folder


def discover_plainly(folder, *flags) -> int:
    arguments = ["--input", folder / "log.parquet", "--labeled", folder / "known.parquet"]
    arguments += ["--output", folder / "out", *QUICK_FLAGS, *flags]
    return main(["discover", *map(str, arguments)])


@pytest.fixture(scope="module")
def model(plain):
    """A model fitted on the known intents, which saves runs a fit."""
    return plain / "out" / "model"


def table(folder, name):
    return pq.read_table(folder / name).to_pylist()


def refused(outcome, *words):
    code, lines, manifest = outcome
    assert code == 2 and len(lines) == 1 and manifest is None
    for word in words:
        assert word in lines[0]


# Wrong settings and files.


def test_a_missing_file_is_refused(run, tmp_path):
    refused(run("--input", tmp_path / "none.csv"), "--input", "no such file", "none.csv")


def test_a_glob_without_a_match_is_refused(run, tmp_path):
    refused(run("--input", tmp_path / "*.csv"), "matches no file")


def test_a_missing_column_is_refused(run):
    outcome = run(log_rows=[{"utterance": "x"}])
    refused(outcome, "no column 'text'", "--input-text-column, likely 'utterance'")


def test_each_input_has_its_own_columns(run, tmp_path):
    (tmp_path / "known.csv").write_text("message;label\nwhere is it;parcel\n")
    outcome = run(
        *("--labeled", tmp_path / "known.csv", "--input-text-column", "query"),
        *("--labeled-text-column", "message", "--labeled-intent-column", "labels"),
        log_rows=[{"query": "x"}],
    )
    refused(outcome, "known.csv has no column 'labels'", "--labeled-intent-column, likely 'label'")


def test_a_text_column_of_numbers_is_refused(run):
    refused(run(log_rows=[{"text": 1.5}]), "holds ", "not text")


def test_an_empty_file_is_refused(run, tmp_path):
    (tmp_path / "log.txt").touch()
    refused(run("--input", tmp_path / "log.txt"), "is empty")


def test_a_log_without_a_usable_row_is_refused(run):
    refused(run(log_rows=[{"text": " "}, {"text": ""}]), "none of its 2 rows can be used")


def test_a_missing_encoder_is_refused(run, tmp_path):
    refused(run("--encoder", tmp_path / "none", log_rows=log()), "no such encoder folder")


@pytest.mark.parametrize("flag", ["--inptu", "--runnner=direct", "--no_such_beam_flag=1"])
def test_an_unknown_flag_is_refused(run, flag):
    refused(run(flag, log_rows=log()), "unknown flag", flag)


@pytest.mark.parametrize(
    "flag",
    [
        ("--loss", "margin"),
        ("--set", "domains.plateau=0.1"),
        ("--seed", "1"),
        ("--effort", "fast"),
        ("--ood", "x.txt"),
    ],
)
def test_settings_of_a_fit_are_refused_with_a_fitted_model(run, model, flag):
    refused(run("--model", model, *flag, log_rows=log()), " ".join(flag), "leave out", "--labeled")


def test_a_missing_model_is_refused(run, tmp_path):
    refused(run("--model", tmp_path, log_rows=log()), "no model in", "advin fit")


def test_an_output_folder_with_other_files_is_refused(run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.doc").write_text("precious")
    refused(run(log_rows=log()), "is not empty")
    assert (tmp_path / "out" / "thesis.doc").read_text() == "precious"


def test_a_log_too_large_for_hdbscan_is_refused(run):
    flags = ("--clustering", "density", "--set", "intents.max_density_points=10")
    code, lines, _ = run(*flags, log_rows=log(), labeled=known())
    assert code == 2 and len(lines) == 1
    assert "48 distinct utterances" in lines[0] and "at most 10" in lines[0]


def test_more_clusters_than_a_worker_holds_are_refused(run):
    code, lines, _ = run("--max-linked", 200_000, log_rows=log())
    assert code == 2 and "200000" in lines[0] and "100000" in lines[0]


def test_a_flag_without_its_value_is_refused(capsys):
    with pytest.raises(SystemExit) as end:
        main(["discover", "--input"])
    assert end.value.code == 2


# Unusual input.


def test_known_intents_keep_their_labels(plain):
    assignments, intents = (table(plain / "out", name) for name in ("assignments", "intents"))
    assert sum(a["count"] for a in assignments) == len(log())
    names = {i["intent_id"]: i["name"] for i in intents if i["kind"] == "known"}
    assert set(names.values()) == set(INTENTS)
    manifest = report.read_run(str(plain / "out"))
    assert dict(map(tuple, manifest.funnel))["rows read"] == len(log())


def test_a_folder_never_holds_two_runs(plain, capsys):
    before = (plain / "out" / "manifest.json").read_bytes()
    assert discover_plainly(plain, "--seed", "1") == 2
    assert "holds another run" in capsys.readouterr().err
    assert (plain / "out" / "manifest.json").read_bytes() == before


def test_a_finished_run_is_not_run_again(plain):
    written = {path: path.stat().st_mtime_ns for path in (plain / "out").glob("*/*.parquet")}
    assert discover_plainly(plain) == 0
    assert written == {path: path.stat().st_mtime_ns for path in written}


def test_without_labels_all_intents_are_novel(run, tmp_path):
    code, _, manifest = run(*QUICK_FLAGS, log_rows=log())
    assert code == 0
    assert manifest.model["origins"] == {"intent_distance": "default", "domain_distance": "default"}
    assert manifest.model["known_intents"] == 0
    assert manifest.model["shortages"] == {
        "intent_distance": {"given": 0, "needed": 4},
        "domain_distance": {"given": 0, "needed": 5},
    }
    rows = table(tmp_path / "out", "assignments")
    assert {r["known_intent"] for r in rows} == {None} == {r["novelty_score"] for r in rows}


def test_a_log_of_equal_rows_gives_one_utterance(run, model, tmp_path):
    code, _, _ = run("--model", model, log_rows=[{"text": "hello"}] * 50)
    (row,) = table(tmp_path / "out", "assignments")
    assert code == 0 and row["count"] == 50


def test_one_labeled_intent_is_enough(run):
    assert run(*QUICK_FLAGS, log_rows=log(), labeled=known()[:6])[0] == 0


def test_a_log_of_one_utterance_is_enough(run, tmp_path):
    assert run(*QUICK_FLAGS, log_rows=[{"text": "hello"}] * 3, labeled=known()[:6])[0] == 0
    (row,) = table(tmp_path / "out", "assignments")
    assert row["count"] == 3


def test_flags_end_up_in_the_manifest(run):
    chosen = {"clustering": "density", "loss": "margin", "effort": "fast"}
    flags = [part for name, value in chosen.items() for part in (f"--{name}", value)]
    code, _, manifest = run(*QUICK_FLAGS, *flags, log_rows=log(), labeled=known())
    values = QUICK | {"intents.clustering": "density", "metric.loss": "margin"}
    expected = Config.preset("fast").with_values(values)
    assert code == 0 and manifest.settings["config"] == json.loads(json.dumps(expected.to_dict()))
    assert manifest.given["command"] == "discover"
    assert chosen.items() <= manifest.given.items() and "seed" not in manifest.given


def test_the_manifest_says_when_the_run_started_and_finished(plain):
    manifest = report.read_run(str(plain / "out"))
    started, finished = map(datetime.fromisoformat, (manifest.started, manifest.finished))
    assert started <= finished <= datetime.now(UTC)
    starts = [stage["started"] for stage in manifest.stages.values()]
    assert starts == sorted(starts) and starts[0] == manifest.started


def test_the_stage_fit_counts_the_files_of_the_model(plain, model):
    stage = Stage(str(plain / "out" / "stages" / "fit")).manifest()
    assert stage.files == {"model": sorted(path.name for path in model.iterdir())}
    assert stage.bytes == sum(path.stat().st_size for path in model.iterdir()) > 0


def test_one_labeled_utterance_is_enough(run):
    assert run(*QUICK_FLAGS, log_rows=log(), labeled=known()[:1])[0] == 0


def test_known_intents_without_domains_get_none(run, tmp_path):
    assert run(*QUICK_FLAGS, log_rows=log(), labeled=known(domains=False))[0] == 0
    for intent in table(tmp_path / "out", "intents"):
        assert intent["kind"] == "novel" or intent["domain_id"] is None


def test_a_log_without_novel_intents_works(run, model, tmp_path):
    assert run("--model", model, log_rows=log(novel=False))[0] == 0
    assert len(table(tmp_path / "out", "intents")) >= len(INTENTS)


def test_a_log_without_known_intents_works(run, model, tmp_path):
    assert run("--model", model, log_rows=log(rest=False))[0] == 0
    sizes = {i["name"]: i["size"] for i in table(tmp_path / "out", "intents")}
    assert set(INTENTS) <= set(sizes)


def test_bad_rows_become_rejects_and_the_run_continues(run, model, tmp_path, capsys):
    rows = [*log(), {"text": None}, {"text": ""}, {"text": "x" * 1_000_000}]
    code, _, manifest = run("--model", model, log_rows=rows)
    rejects = table(tmp_path / "out", "rejects")
    assert code == 0
    assert sorted(r["reason"] for r in rejects) == ["empty", "null", "oversized"]
    kept = sum(a["count"] for a in table(tmp_path / "out", "assignments"))
    assert kept + len(rejects) == len(rows) == manifest.funnel[0][1]
    assert manifest.rejected == {"empty": 1, "null": 1, "oversized": 1}
    print_run(str(tmp_path / "out"), manifest)
    printed = capsys.readouterr().out
    assert "Rows rejected, by reason: empty 1, null 1, oversized 1." in printed
    assert "encoder seconds" in printed and "msecs" not in printed


# A fit, then runs with its model.


def test_fit_then_discover_is_discover_with_labels(run, plain, tmp_path):
    log_path, model = plain / "log.parquet", tmp_path / "model"
    arguments = ["--input", log_path, "--labeled", plain / "known.parquet", "--model", model]
    assert main(["fit", *QUICK_FLAGS, *map(str, arguments)]) == 0
    assert not (model / "stages").exists()
    assert run("--input", log_path, "--model", model)[0] == 0
    assert read_tables(tmp_path / "out") == read_tables(plain / "out")


def test_a_model_of_another_encoder_is_refused(run, model, tmp_path):
    other = tmp_path / "model"
    shutil.copytree(model, other)
    config = json.loads((other / "config.json").read_text())
    config["encoder"]["digest"] = "0" * 64
    (other / "config.json").write_text(json.dumps(config))
    refused(run("--model", other, log_rows=log()), "fitted with encoder", "000000000000")


def test_a_folder_that_is_no_model_is_refused(run, tmp_path, write_rows):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "model" / "model.safetensors").write_bytes(b"pickle?")
    refused(run("--model", tmp_path / "model", log_rows=log()), "cannot read the model")


def test_contradictory_labels_are_settled_by_count(write_rows, tmp_path, caplog):
    labeled = [*known(), *[{"text": "parcel status", "intent": "balance", "domain": "bank"}] * 3]
    labeled.append({"text": "track my order", "intent": "tracking", "domain": "shop"})
    arguments = ["--input", write_rows("l.csv", log()), "--labeled", write_rows("k.csv", labeled)]
    assert main(["fit", *QUICK_FLAGS, *map(str, [*arguments, "--model", tmp_path / "model"])]) == 0
    model = load_model(str(tmp_path / "model"))
    assert isinstance(model, Model)
    labels = [model.intents[i] for i in model.anchor_labels]
    assert labels.count("balance") == 7 and labels.count("parcel") == 5
    assert "tracking" not in model.intents
    (told,) = [m for m in caplog.messages if "labels are dropped" in m]
    assert told.startswith("--labeled: 2 labels are dropped") and told.endswith(
        "left of 'tracking'"
    )
    (fitted,) = [m for m in caplog.messages if m.startswith("fit: ")]
    assert "2 labels overruled" in fitted and "18 fitted on labeled" in fitted


def test_rows_in_another_order_give_the_same_tables(run, plain, tmp_path):
    rows, labels = log(), known()
    random.Random(0).shuffle(rows)
    random.Random(1).shuffle(labels)
    assert run(*QUICK_FLAGS, log_rows=rows, labeled=labels)[0] == 0
    assert read_tables(tmp_path / "out") == read_tables(plain / "out")


def test_ctrl_c_in_a_fit_ends_with_one_line(write_rows, tmp_path):
    files = {"--input": write_rows("log.csv", log()), "--labeled": write_rows("known.csv", known())}
    flags = [str(x) for pair in files.items() for x in pair]
    command = [sys.executable, "-m", "advin", "discover", "--output", str(tmp_path / "out")]
    with subprocess.Popen(
        [*command, *flags], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stderr:
            if line.startswith("fit …"):
                time.sleep(1)
                process.send_signal(signal.SIGINT)
                break
        said = process.stderr.read().splitlines()
    assert said == ["advin: stopped by SIGINT; the same command resumes at the unfinished stage"]
    assert process.returncode == 128 + signal.SIGINT
    assert not (tmp_path / "out" / "stages" / "fit" / "manifest.json").exists()
