"""The Python API: files, tables and lists in; results as tables; resumed and refused calls."""

import html
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from quick import QUICK

import advin
from advin.frames import stage_input, to_columns, to_texts
from advin.pipelines.reading.columns import Columns

ROOT = Path(__file__).parent.parent
COLUMNS = {name: name for name in ("text", "intent", "domain")}
KNOWN = {
    "balance": ["what is my balance", "show my account balance", "how much money do I have",
                "account balance please", "money left in my account", "tell me my balance"],
    "parcel": ["where is my parcel", "track my order", "has my package been shipped",
               "when will my parcel arrive", "my order is late", "parcel status"],
    "flight": ["book a flight to rome", "I need a plane ticket", "cheap flights in may",
               "fly me to oslo", "find a flight for two", "one way ticket to lisbon"],
}  # fmt: skip
NOVEL = ["the radiator is cold", "heating does not work", "boiler is broken", "fix my boiler",
         "no hot water from the boiler", "my heating stopped", "radiators stay cold",
         "heating is off again", "boiler shows an error", "cold radiators all over the house",
         "the boiler makes noise", "heater not working"]  # fmt: skip
LOG = [*NOVEL, *NOVEL, *(f"{text} now" for texts in KNOWN.values() for text in texts)]
DOMAINS = {"balance": "bank", "parcel": "shop", "flight": "travel"}
LABELS = [(text, intent, DOMAINS[intent]) for intent, texts in KNOWN.items() for text in texts]
# A call in a process of its own, which can be interrupted.
CALL = """
import sys
from quick import QUICK
from test_api import KNOWN, LOG
import advin
run = advin.discover(LOG, labeled=KNOWN, config=QUICK, output=sys.argv[1])
print(run.folder)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api") / "run"
    return advin.discover(LOG, labeled=LABELS, config=QUICK, output=folder, quiet=True)


# What can be given.


@pytest.mark.parametrize(
    "data",
    [
        ["a", None, "b"],
        ("a", None, "b"),
        pd.Series(["a", None, "b"]),
        pd.Series(["a", np.nan, "b"], dtype="object"),
        pl.Series(["a", None, "b"]),
        pa.array(["a", None, "b"]),
        pa.chunked_array([["a", None], ["b"]]),
        pd.DataFrame({"text": ["a", pd.NA, "b"], "other": [1, 2, 3]}),
        pl.DataFrame({"text": ["a", None, "b"], "other": [1, 2, 3]}),
        pa.table({"text": ["a", None, "b"]}),
        pa.record_batch({"text": ["a", None, "b"]}),
        pd.DataFrame({"text": pd.Categorical(["a", None, "b"])}),
    ],
    ids=lambda data: type(data).__name__,
)
def test_texts_come_from_any_list_series_or_table(data):
    assert to_columns(data, "log", COLUMNS) == {"text": ["a", None, "b"]}


def test_a_numpy_array_and_a_generator_are_texts():
    assert to_texts(np.array(["a", "b"])) == ["a", "b"]
    assert to_texts(text for text in "ab") == ["a", "b"]


def test_a_lazy_frame_is_read():
    lazy = pl.LazyFrame({"text": ["a"], "other": [1]})
    assert to_columns(lazy, "log", COLUMNS) == {"text": ["a"]}


def test_a_table_is_not_taken_for_a_list_of_texts():
    for table in (pd.DataFrame({"text": ["a"]}), pl.DataFrame({"text": ["a"]})):
        with pytest.raises(advin.SettingsError, match="one of its columns"):
            to_texts(table)


def test_labels_come_from_tuples_mappings_and_tables():
    expected = {"text": ["a", "b"], "intent": ["x", "y"]}
    rows = {"text": ["a", "b"], "intent": ["x", "y"]}
    for data in ([("a", "x"), ("b", "y")], {"x": ["a"], "y": ["b"]}, pd.DataFrame(rows)):
        assert to_columns(data, "labeled", COLUMNS) == expected
    with_domain = expected | {"domain": ["d", None]}
    assert to_columns([("a", "x", "d"), ("b", "y")], "labeled", COLUMNS) == with_domain


def test_columns_may_have_other_names():
    frame = pl.DataFrame({"query": ["a"], "label": ["x"], "domain": ["d"]})
    names = COLUMNS | {"text": "query", "intent": "label"}
    found = to_columns(frame, "labeled", names)
    assert found == {"text": ["a"], "intent": ["x"], "domain": ["d"]}


@pytest.mark.parametrize(
    ("data", "role", "words"),
    [
        ([], "log", ["log is empty"]),
        (["a", 5], "log", ["text 1 is 5 of type int"]),
        (b"text", "log", ["type bytes", "a list of texts"]),
        (7, "log", ["type int"]),
        (pd.DataFrame({"query": ["a"]}), "log", ["no column 'text'", "query", "columns="]),
        ({"x": "a"}, "labeled", ["'x'", "one text"]),
        (["a", "b"], "labeled", ["item 0 is 'a'", "(text, intent)"]),
        ([("a", "x", "d", "e")], "labeled", ["item 0"]),
        (pa.table({"text": ["a"]}), "labeled", ["no column 'intent'"]),
        ({"x": None}, "labeled", ["'x'", "NoneType"]),
        (["a", {"b": "c" * 1000}], "log", ["text 1 is", "of type dict"]),
    ],
)
def test_unusable_data_are_refused_with_one_line(data, role, words):
    with pytest.raises(advin.SettingsError) as caught:
        to_columns(data, role, COLUMNS)
    assert "\n" not in str(caught.value)
    assert all(word in str(caught.value) for word in words)


def test_a_path_stays_a_path(tmp_path):
    path = tmp_path / "log.csv"
    assert stage_input(path, "log", "unused", Columns()) == str(path)


def test_the_same_data_become_the_same_file(tmp_path):
    first = Path(stage_input(["a", "b"], "log", str(tmp_path), Columns()))
    before = first.name, first.stat().st_mtime, first.read_bytes()
    first.unlink()
    second = Path(stage_input(["a", "b"], "log", str(tmp_path), Columns()))
    assert (second.name, second.stat().st_mtime, second.read_bytes()) == before
    assert stage_input(["a", "c"], "log", str(tmp_path), Columns()) != str(second)


# Results.


def test_a_list_gives_tables(run):
    assert {*KNOWN} == {i["name"] for i in run.intents.to_pylist() if i["kind"] == "known"}
    assert sum(run.assignments["count"].to_pylist()) == len(LOG)
    assert run.rejects.num_rows == 0
    assert "bank" in run.domains["name"].to_pylist()
    assert not (Path(run.folder) / "inputs").exists()


def test_tables_come_as_pandas_and_polars(run):
    frame, other = run.pandas("intents"), run.polars("intents")
    assert isinstance(frame, pd.DataFrame)
    assert isinstance(other, pl.DataFrame)
    assert frame["name"].tolist() == other["name"].to_list() == run.intents["name"].to_pylist()


def test_an_unknown_table_is_refused(run):
    with pytest.raises(advin.SettingsError, match="no table 'intent'; choose from assignments"):
        run.table("intent")


def test_a_finished_run_can_be_read_again(run):
    again = advin.read_run(run.folder)
    assert again.intents.equals(run.intents)
    assert repr(again) == repr(run)


def test_a_run_assigns_its_own_log_as_its_table_does(run):
    table = run.assignments
    found = run.assign(table["text"])
    for ours, theirs in (("intent_id", "intent_id"), ("kind", "kind"), ("reason", "reason")):
        assert found[ours].to_pylist() == table[theirs].to_pylist()
    distances = np.array(found["distance"]), np.array(table["intent_distance"])
    np.testing.assert_allclose(*distances, atol=2e-3)


def test_assigned_rows_keep_order_and_unusable_texts_get_nulls(run):
    texts = ["where is my parcel", None, "", "x" * 30_000, "where is my parcel", "\ud800 boiler"]
    rows = run.assign(texts).to_pylist()
    assert len(rows) == len(texts)
    assert rows[0] == rows[4]
    assert rows[0]["name"] == "parcel"
    assert rows[0]["domain"] == "shop"
    assert rows[0]["kind"] == "known"
    for row in rows[1:4]:
        assert row | {"text": None} == dict.fromkeys(row)


def test_a_model_scores_known_intents(run):
    model = advin.Model.load(Path(run.folder) / "model")
    assert model.intents == tuple(sorted(KNOWN))
    table = model.assign(["show my balance", "boiler is broken", None])
    assert table.column_names == ["text", "known_intent", "probability", "novelty_score"]
    first, second, third = table.to_pylist()
    assert first["known_intent"] == "balance"
    assert 0 <= first["probability"] <= 1
    assert second["novelty_score"] > first["novelty_score"]
    assert third["known_intent"] is None
    assert "3 known intents" in repr(model)


def test_assign_refuses_anything_but_texts(run):
    with pytest.raises(advin.SettingsError, match="item 1 is 5"):
        run.assign(["a", 5])
    with pytest.raises(advin.SettingsError, match="give a list"):
        run.model.assign("where is my parcel")


def test_the_html_of_a_run_escapes_texts(run, monkeypatch):
    evil = "<script>alert(1)</script>"
    monkeypatch.setattr(advin.Run, "_largest", lambda run: [(evil, 3, evil)])
    shown = run._repr_html_()
    assert evil not in shown
    assert html.escape(evil) in shown
    assert evil in repr(run)


def test_the_manifest_holds_the_arguments_of_the_call(run):
    assert run.manifest.given == {"command": "advin.discover", "config": QUICK}


# Fit, save, use.


def test_a_model_that_is_fitted_once_discovers_in_other_logs(run, tmp_path):
    model = advin.Model.load(Path(run.folder) / "model")
    model.save(tmp_path / "model")
    other = advin.discover(pd.DataFrame({"text": LOG}), model=tmp_path / "model", quiet=True)
    # The rows come in the same order, and so do all ids.
    assert other.intents.drop(["centroid"]).equals(run.intents.drop(["centroid"]))
    folder = Path(other.folder)
    del other
    assert not folder.exists()


def test_fit_returns_a_model(tmp_path):
    model = advin.fit(LOG, labeled=KNOWN, config=QUICK, output=tmp_path / "model", quiet=True)
    assert model.intents == tuple(sorted(KNOWN))
    assert {path.name for path in (tmp_path / "model").iterdir()} >= {"config.json"}
    assert not (tmp_path / "model" / "inputs").exists()


# Errors and interrupts.


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"log": "no-such-file.csv"}, ["log: ", "no such file"]),
        ({"config": {"metric.stps": 3}}, ["config", "'metric.stps'", "'metric.steps'"]),
        ({"config": {"metric": {"steps": "many"}}}, ["metric.steps", "whole number"]),
        ({"config": "no-such.toml"}, ["no-such.toml"]),
        ({"effort": "slow"}, ["effort", "'slow'", "fast"]),
        ({"config": advin.Config(), "effort": "fast"}, ["drop effort"]),
        ({"columns": {"txt": "text"}}, ["'txt'", "intent"]),
        ({"columns": {"log": {"intent": "label"}}}, ["'intent'", "text"]),
        ({"columns": {"log": "message"}}, ["log is 'message'", "a mapping"]),
        ({"model": "folder", "labeled": KNOWN}, ["not both"]),
        ({"model": "no-such-folder"}, ["no model in"]),
        ({"model": "folder", "ood": ["x"]}, ["ood"]),
        ({"encoder": "./no-such-encoder"}, ["no such encoder folder"]),
        ({"encoder": 5}, ["encoder", "int"]),
        ({"log": None}, ["log is None"]),
        ({"log": ""}, ["log is ''", "a path"]),
        ({"log": "a\0b.csv"}, ["log is", "a path"]),
        ({"log": "\x1b[31m.csv"}, ["log: ", "\\x1b[31m"]),
        ({"config": 5}, ["config", "int", "a mapping"]),
        ({"config": {"metric.steps": 10**400}}, ["config", "metric.steps", "whole number"]),
        ({"columns": 5}, ["columns", "int"]),
        ({"columns": {"text": 5}}, ["text is 5"]),
        ({"columns": {"text": "intent"}}, ["equal"]),
        ({"model": 5}, ["model is 5", "a path"]),
        ({"output": 5}, ["output is 5", "a path"]),
        ({"output": __file__}, ["cannot write into the folder"]),
    ],
)
def test_wrong_arguments_are_refused_with_one_line(arguments, words, tmp_path):
    with pytest.raises(advin.SettingsError) as caught:
        advin.discover(**{"log": LOG, "output": tmp_path / "run", "quiet": True} | arguments)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) <= 300
    assert "--" not in message
    assert all(word in message for word in words)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, advin.Error)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(advin.SettingsError, match="no finished run"):
        advin.read_run(tmp_path)
    with pytest.raises(advin.SettingsError, match="no model"):
        advin.Model.load(tmp_path)


@pytest.mark.parametrize("folder", [5, "", "a\0b"])
def test_anything_but_a_path_of_a_folder_is_refused(folder):
    for read in (advin.read_run, advin.Model.load):
        with pytest.raises(advin.SettingsError, match="must be a path"):
            read(folder)


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.doc").write_text("precious")
    with pytest.raises(advin.SettingsError, match="not empty"):
        advin.discover(LOG, labeled=KNOWN, output=tmp_path, quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.doc"]


def test_other_data_do_not_get_into_a_finished_run(run):
    with pytest.raises(advin.SettingsError, match="holds another run"):
        advin.discover([*LOG, "new"], labeled=LABELS, config=QUICK, output=run.folder, quiet=True)
    again = advin.discover(LOG, labeled=LABELS, config=QUICK, output=run.folder, quiet=True)
    assert again.intents.equals(run.intents)


def test_an_interrupted_call_resumes(tmp_path):
    def call() -> subprocess.Popen:
        path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
        return subprocess.Popen(
            [sys.executable, "-c", CALL, str(tmp_path / "run")],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": path},
            stderr=subprocess.PIPE,
            text=True,
        )

    with call() as first:
        lines = []
        for line in first.stderr:
            lines.append(line)
            if line.startswith("fit …"):
                first.send_signal(signal.SIGINT)
                break
        rest = first.stderr.read()
    assert first.returncode != 0
    assert rest.strip().endswith("KeyboardInterrupt")
    with call() as second:
        lines = second.stderr.read().splitlines()
    assert second.returncode == 0
    assert any(line.startswith("ingest: ") and "before" in line for line in lines)
    assert advin.read_run(tmp_path / "run").intents.num_rows >= len(KNOWN)


def test_importing_advin_loads_neither_beam_nor_torch():
    code = "import sys, advin; sys.exit(any(m in sys.modules for m in ('torch', 'apache_beam')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
