"""advin regroup: the tables of a finished run at another level, without a new fit."""

import json
import shutil
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from quick import QUICK
from run_tables import SAME

import advin
from advin.pipelines import regroup as regrouping
from advin.pipelines import storage
from advin.runners.cli import main

EXAMPLES = Path(__file__).parent.parent / "examples"
LEVELS = ("coarse", "auto", "fine")
# One neighbor count, and a wide plateau, so that the levels differ on a small log.
SETTINGS = QUICK | {"metric.neighbors": 8, "levels.tolerance": 0.5, "intents.min_size": 3}


@pytest.fixture(scope="module")
def log():
    rows = (EXAMPLES / "log.jsonl").read_text().splitlines()[::20]
    return [json.loads(row)["text"] for row in rows]


@pytest.fixture(scope="module")
def finished(log, tmp_path_factory):
    """A run without labels: its heads agreed on a distance, so its levels differ."""
    folder = tmp_path_factory.mktemp("regroup") / "run"
    return advin.discover(log, config=SETTINGS, output=folder, quiet=True)


@pytest.fixture
def run(finished, tmp_path):
    shutil.copytree(finished.folder, tmp_path / "run")
    return advin.read_run(tmp_path / "run")


def contents(folder) -> dict[str, list[bytes]]:
    """The bytes of each table's files; nothing but these files is in the folder of a table."""
    manifest = advin.read_run(folder).manifest
    found = {}
    for table in SAME:
        paths = [Path(folder) / name for name in manifest.tables[table]]
        assert sorted(paths) == sorted((Path(folder) / table).iterdir())
        found[table] = [path.read_bytes() for path in paths]
    return found


def novel(run) -> int:
    return pc.sum(pc.equal(run.intents["kind"], "novel")).as_py()


def test_a_return_to_the_first_level_restores_the_same_bytes(run):
    before, sizes = contents(run.folder), {}
    for level in LEVELS:
        run.regroup(granularity=level, quiet=True)
        assert (contents(run.folder) == before) == (level == "auto")
        sizes[level] = novel(run)
        assert pq.read_table(Path(run.folder) / "intents").equals(run.intents)
        assert dict(run.manifest.funnel)["novel intents"] == sizes[level]
    assert sizes["coarse"] < sizes["auto"] < sizes["fine"]
    run.regroup(granularity="auto", quiet=True)
    assert contents(run.folder) == before


def test_a_run_at_the_same_level_has_the_same_tables(run, log, tmp_path):
    values = {"levels.granularity": "coarse", "levels.max_intents": 7}
    model = Path(run.folder) / "model"
    other = advin.discover(log, model=model, config=values, output=tmp_path / "new", quiet=True)
    run.regroup(granularity="coarse", max_intents=7, quiet=True)
    assert novel(run) <= 7
    assert contents(run.folder) == contents(other.folder)
    assert run.manifest.tables == other.manifest.tables


def test_an_output_folder_leaves_the_run_unchanged(run, tmp_path):
    before = contents(run.folder)
    other = run.regroup(max_intents=3, output=tmp_path / "new", quiet=True)
    assert novel(other) == 3 and other.folder == str(tmp_path / "new")
    assert contents(run.folder) == before
    other.regroup(max_intents=10_000, quiet=True)
    assert contents(other.folder) == before
    assert other.assign(["my radiator stays cold"]).num_rows == 1


def test_texts_are_assigned_to_intents_of_the_new_level(run):
    texts = run.assignments["text"].to_pylist()[:20]
    for level in LEVELS:
        run.regroup(granularity=level, quiet=True)
        ids = set(run.intents["intent_id"].to_pylist())
        assert set(run.assign(texts)["intent_id"].to_pylist()) <= ids | {None}


def steps(monkeypatch, stop: int) -> None:
    """Stop before the write or deletion with this number, outside the folder stages."""
    done = 0
    functions = {name: getattr(storage, name) for name in ("write_text", "delete")}

    def counted(name):
        def step(*arguments):
            nonlocal done
            done += "/stages/" not in arguments[0]
            if done > stop:
                raise KeyboardInterrupt
            return functions[name](*arguments)

        return step

    for name in functions:
        monkeypatch.setattr(storage, name, counted(name))


def test_a_run_that_is_stopped_has_its_old_or_its_new_tables(run, monkeypatch):
    old = {name: run.table(name) for name in SAME}
    new = None
    for stop in range(40):
        with monkeypatch.context() as context:
            steps(context, stop)
            try:
                regrouping.regroup(run.folder, {"levels.granularity": "coarse"}, _options())
                ended = True
            except (KeyboardInterrupt, advin.StageError):
                ended = False
        found = advin.read_run(run.folder)
        tables = {name: found.table(name) for name in SAME}
        if all(tables[name].equals(old[name]) for name in SAME):
            assert not ended
        else:
            new = new or tables
            assert all(tables[name].equals(new[name]) for name in SAME)
        if ended:
            break
    assert ended and new is not None
    contents(run.folder)


def _options():
    from apache_beam.options.pipeline_options import PipelineOptions

    return PipelineOptions(["--runner=FnApiRunner"])


def test_the_command_prints_the_new_intents(run, capsys):
    assert main(["regroup", run.folder, "--max-intents", "4"]) == 0
    assert "novel intents" in capsys.readouterr().out
    assert novel(advin.read_run(run.folder)) == 4


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "give --granularity, --max-intents, or both"),
        (["--granularity", "rough"], "must be one of coarse, auto, fine"),
        (["--max-intents", "0"], "levels.max_intents is 0"),
    ],
)
def test_wrong_flags_are_refused(flags, message, finished, capsys):
    assert main(["regroup", finished.folder, *flags]) == 2
    assert message in capsys.readouterr().err


def test_runs_without_their_stages_are_refused(run, tmp_path, capsys):
    assert main(["regroup", str(tmp_path / "none"), "--granularity", "fine"]) == 2
    assert "no finished run" in capsys.readouterr().err
    damaged = next((Path(run.folder) / "stages" / "cluster").glob("*/*.parquet"))
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:100])
    assert main(["regroup", run.folder, "--granularity", "fine"]) == 2
    assert f"{damaged.name} has changed" in capsys.readouterr().err
    damaged.write_bytes(whole)
    shutil.rmtree(Path(run.folder) / "stages" / "assign")
    assert main(["regroup", run.folder, "--granularity", "fine"]) == 2
    assert "stage assign" in capsys.readouterr().err
