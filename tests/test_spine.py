"""pipelines/spine.py and pipelines/counters.py: one list of stages, typed counters."""

import dataclasses

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from advin.pipelines import counters
from advin.pipelines.counters import CounterError, Counters, IngestCounters, ScoreCounters
from advin.pipelines.discover import Settings, translate
from advin.pipelines.entry import Paths, Run
from advin.pipelines.reading.row_columns import RowColumns
from advin.pipelines.spine import STAGES
from advin.pipelines.stages import Workspace
from advin.schemas.tables import TABLES
from advin.schemas.verdicts import REASONS

ALL_COUNTERS = [
    record
    for record in vars(counters).values()
    if isinstance(record, type) and issubclass(record, Counters) and record is not Counters
]


def test_every_stage_has_a_name_of_its_own():
    names = [entry.name for entry in STAGES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("entry", STAGES, ids=lambda entry: entry.name)
def test_a_stage_reads_what_earlier_stages_write(entry):
    earlier = STAGES[: STAGES.index(entry)]
    written = {f"{e.name}/{part}" for e in earlier for part in e.writes}
    for part in entry.reads:
        if part != "model":
            assert (part if "/" in part else f"{part}/data") in written


def test_each_published_table_has_one_stage():
    tables = [table for entry in STAGES for table, _ in entry.publishes]
    assert sorted(tables) == sorted(TABLES)


@pytest.mark.parametrize("entry", STAGES, ids=lambda entry: entry.name)
def test_stage_module_transform_and_counters_share_a_name(entry):
    name = entry.name.partition("_")[0]
    module = __import__(f"advin.pipelines.{name}", fromlist=["*"])
    assert issubclass(getattr(module, name.capitalize()), beam.PTransform)
    assert entry.counters.stage == name
    assert entry.counters.__name__ == f"{name.capitalize()}Counters"


def test_a_stage_reaches_only_the_folders_that_it_declares():
    run = Run(Workspace("run", PipelineOptions([]), ""), None, None)
    paths = Paths(run, next(entry for entry in STAGES if entry.name == "score"))
    assert paths.read("embed").folder == "run/stages/embed/data"
    assert paths.write() == "run/stages/score/data"
    with pytest.raises(KeyError, match="does not declare that it reads 'assign'"):
        paths.read("assign")
    with pytest.raises(KeyError, match="does not declare that it writes 'sizes'"):
        paths.write("sizes")


def test_each_stage_has_its_own_record_of_counters():
    assert {entry.counters for entry in STAGES} == set(ALL_COUNTERS)


def test_counters_of_all_workers_add_up(run_pipeline):
    def report(n: int) -> int:
        ScoreCounters(scored=n, flagged=1).add()
        IngestCounters(rows_read=5).add()
        return n

    result = run_pipeline(lambda p: p | beam.Create([3, 4]) | beam.Map(report))
    assert ScoreCounters.of_result(result) == ScoreCounters(scored=7, flagged=2)


def test_a_misspelled_counter_fails():
    with pytest.raises(TypeError, match="flaged"):
        ScoreCounters(flaged=1)
    with pytest.raises(AttributeError, match="flaged"):
        _ = ScoreCounters().flaged
    with pytest.raises(AttributeError, match="ScorCounters"):
        _ = counters.ScorCounters


def test_a_stored_counter_that_is_unknown_fails():
    with pytest.raises(CounterError, match="stage score has no counter 'flaged'"):
        ScoreCounters.read({"scored": 1, "flaged": 1})


def test_every_reason_has_a_counter():
    rows = dict.fromkeys(REASONS, 2)
    record = counters.AssembleCounters.of_reasons(in_an_intent=1, several_requests=0, rows=rows)
    assert record.by_reason == rows and record.rows_accounted == 2 * len(rows)
    names = {field.name for field in dataclasses.fields(record)}
    assert names == {
        "rows_accounted",
        "in_an_intent",
        "several_requests",
        *(f"rows_{r}" for r in REASONS),
    }


@pytest.mark.parametrize("record", ALL_COUNTERS, ids=lambda record: record.stage)
def test_stored_counters_are_read_back(record):
    values = {field.name: i for i, field in enumerate(dataclasses.fields(record))}
    assert record.read(values).to_dict() == values


@pytest.mark.parametrize("record", ALL_COUNTERS, ids=lambda record: record.stage)
def test_every_counter_is_described(record):
    for field in dataclasses.fields(record):
        assert f"{field.name}:" in record.__doc__


def test_a_dry_run_translates_all_stages_and_writes_nothing(write_rows, tmp_path, monkeypatch):
    """One round of linkage is among them; nothing is read from a stage that has not run."""
    protos = []
    monkeypatch.setattr(beam.Pipeline, "run", lambda self: protos.append(self.to_runner_api()))
    log = write_rows("log.csv", [{"text": "hello"}])
    known = write_rows("known.csv", [{"text": "hi", "intent": "greeting"}])
    rows = RowColumns(conversation="text")
    settings = Settings(str(log), labeled=str(known), ood=str(log), rows=rows)
    names = translate(settings, str(tmp_path / "out"), PipelineOptions([]))
    assert names == [f"{e.name}_01" if e.repeats else e.name for e in STAGES]
    assert len(protos) == len(names)
    assert not (tmp_path / "out").exists()
