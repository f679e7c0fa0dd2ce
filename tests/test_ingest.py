"""Stage ingest and shards: counts add up, and order and number of the input files do not matter."""

import random
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from advin.discovery.config import Config, TextConfig
from advin.pipelines import shards
from advin.pipelines.counters import IngestCounters
from advin.pipelines.entry import Paths, Run
from advin.pipelines.ingest import Ingest
from advin.pipelines.reading.columns import Columns
from advin.pipelines.reading.inputs import find_input
from advin.pipelines.settings import Prepared, Settings, Source
from advin.pipelines.shards import WriteShards, read_first_rows, shards_for
from advin.pipelines.spine import STAGES
from advin.pipelines.stages import Part, Workspace
from advin.schemas import stage_files, tables
from advin.schemas.ids import utterance_id
from advin.schemas.manifest import StageManifest

WORDS = "lost my card please block it where is parcel thanks now the".split()


def a_log(rows: int, seed: int = 0) -> list[dict]:
    """Return a log with repeated texts, texts in capital letters and unusable rows."""
    choose = random.Random(seed)
    texts = [" ".join(choose.choices(WORDS, k=choose.randint(1, 4))) for _ in range(rows)]
    texts = [t.upper() if choose.random() < 0.1 else t for t in texts]
    return [{"text": choose.choice(["", "  ", "x" * 30_000]) if i % 17 == 0 else t}
            for i, t in enumerate(texts)]  # fmt: skip


def ingest(run_pipeline, source, target, columns=Columns(), schema=stage_files.INGEST):
    files = find_input(str(source), columns, "--input")
    folders = (str(target / "data"), str(target / "rejects"))
    result = run_pipeline(lambda p: p | Ingest(files, columns, schema, *folders, TextConfig()))
    counters = IngestCounters.of_result(result)
    return counters, read(target / "data"), read(target / "rejects")


def finished_part(stage) -> Part:
    """Write the manifest of a stage whose pipeline has finished."""
    files = {"data": sorted(path.name for path in (stage / "data").iterdir())}
    (stage / "manifest.json").write_text(StageManifest("ingest", "", files).to_json())
    return Part(str(stage))


def read(folder):
    return pa.concat_tables([pq.read_table(f) for f in sorted(folder.glob("*.parquet"))])


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(shards, "SHARD_ROWS", 100)


def test_counts_add_up(write_rows, run_pipeline, tmp_path, small_shards):
    rows = a_log(2000)
    path = write_rows("log.parquet", rows)
    counters, utterances, rejects = ingest(run_pipeline, path, tmp_path / "out")
    expected = Counter(r["text"].lower() for r in rows if 0 < len(r["text"].strip()) < 30_000)
    found = {u["text"].lower(): u["count"] for u in utterances.to_pylist()}
    assert found == expected
    assert counters.rows_read == 2000 == counters.rows_kept + counters.rows_rejected
    assert counters.rows_rejected == rejects.num_rows == sum(i % 17 == 0 for i in range(2000))
    assert set(rejects["reason"].to_pylist()) == {"empty", "oversized"}
    assert max(len(p) for p in rejects["payload"].to_pylist()) <= 200
    assert len(list((tmp_path / "out" / "data").iterdir())) > 1


def test_ids_are_hashes_of_the_texts_and_sorted_across_shards(
    write_rows, run_pipeline, tmp_path, small_shards
):
    path = write_rows("log.jsonl", a_log(1000))
    _, utterances, _ = ingest(run_pipeline, path, tmp_path / "out")
    ids = utterances["utterance_id"].to_pylist()
    assert ids == sorted(set(ids))
    assert ids == [utterance_id(t.lower()) for t in utterances["text"].to_pylist()]


@pytest.mark.parametrize("files", [1, 3, 7])
def test_order_files_and_format_of_the_input_do_not_change_the_shards(
    write_rows, run_pipeline, tmp_path, files, small_shards
):
    rows = a_log(1500)
    ingest(run_pipeline, write_rows("whole.parquet", rows), tmp_path / "whole")
    random.Random(files).shuffle(rows)
    (tmp_path / "cut").mkdir()
    for i in range(files):
        name = write_rows(f"{i}.{('jsonl', 'csv', 'parquet')[i % 3]}", rows[i::files])
        name.rename(tmp_path / "cut" / name.name)
    ingest(run_pipeline, tmp_path / "cut", tmp_path / "parts")
    expected = {p.name: p.read_bytes() for p in (tmp_path / "whole" / "data").iterdir()}
    assert {p.name: p.read_bytes() for p in (tmp_path / "parts" / "data").iterdir()} == expected


def test_labels_are_kept_and_rows_without_a_label_are_rejected(write_rows, run_pipeline, tmp_path):
    rows = [
        {"text": "Lost card", "intent": "lost", "domain": "bank"},
        {"text": "lost  card", "intent": "lost", "domain": "bank"},
        {"text": "lost card", "intent": "other", "domain": None},
        {"text": "hello", "intent": None, "domain": None},
    ]
    columns = Columns("text", "intent", "domain")
    path = write_rows("known.parquet", rows)
    _, labeled, rejects = ingest(
        run_pipeline, path, tmp_path / "out", columns, stage_files.INGEST_LABELED
    )
    found = {(r["text"], r["count"], r["intent"], r["domain"]) for r in labeled.to_pylist()}
    assert found == {("lost card", 2, "lost", "bank"), ("lost card", 1, "other", None)}
    assert rejects["reason"].to_pylist() == ["no_intent"]


@pytest.mark.parametrize("role", ["", "_labeled", "_ood"])
def test_every_input_is_checked_by_the_configuration_of_the_run(role, tmp_path):
    config = Config().with_values({"text.max_characters": 10})
    sources = {name: Source("", [], Columns()) for name in ("log", "labeled", "ood")}
    prepared = Prepared(Settings("log"), config, sources, None, None)
    run = Run(Workspace(str(tmp_path), PipelineOptions([]), ""), prepared, None)
    entry = next(entry for entry in STAGES if entry.name == f"ingest{role}")
    assert entry.build(Paths(run, entry)).config == TextConfig(max_characters=10)


def test_texts_longer_than_the_configured_length_are_rejected(write_rows, run_pipeline, tmp_path):
    path = write_rows("log.txt", [{"text": "x" * 10}, {"text": "x" * 11}])
    files = find_input(str(path), Columns(), "--input")
    folders = (str(tmp_path / "data"), str(tmp_path / "rejects"))
    config = TextConfig(max_characters=10)
    run_pipeline(lambda p: p | Ingest(files, Columns(), stage_files.INGEST, *folders, config))
    assert read(tmp_path / "data")["text"].to_pylist() == ["x" * 10]
    assert read(tmp_path / "rejects")["payload"].to_pylist() == ["x" * 11]


@pytest.mark.parametrize("original", ["drop", "keep"])
def test_original_texts_are_kept_on_demand_only(write_rows, run_pipeline, tmp_path, original):
    rows = [{"text": f"Where is order {n}"} for n in (12345, 99887)]
    path = write_rows("log.jsonl", [*rows, {"text": "call john smith, " + "please " * 8}])
    files = find_input(str(path), Columns(), "--input")
    folders = (str(tmp_path / "data"), str(tmp_path / "rejects"))
    config = TextConfig(max_characters=30, original=original)
    result = run_pipeline(
        lambda p: p | Ingest(files, Columns(), stage_files.INGEST, *folders, config)
    )
    (utterance,) = read(tmp_path / "data").to_pylist()
    assert (utterance["text"], utterance["count"]) == ("Where is order [id]", 2)
    is_kept = original == "keep"
    assert utterance["original"] == ("Where is order 99887" if is_kept else None)
    (payload,) = read(tmp_path / "rejects")["payload"].to_pylist()
    assert ("john smith" in payload) == is_kept
    assert IngestCounters.of_result(result).by_rule == {"id": 2}


def test_an_empty_collection_gives_one_empty_file(run_pipeline, tmp_path):
    run_pipeline(lambda p: p | _empty() | WriteShards(str(tmp_path), tables.REJECTS))
    (path,) = tmp_path.glob("*.parquet")
    assert pq.read_table(path).schema.equals(tables.REJECTS, check_metadata=True)


def _empty():
    import apache_beam as beam

    return beam.Create([], reshuffle=False)


def test_the_first_rows_have_the_lowest_ids(write_rows, run_pipeline, tmp_path, small_shards):
    path = write_rows("log.txt", [{"text": f"utterance {i}"} for i in range(500)])
    _, utterances, _ = ingest(run_pipeline, path, tmp_path / "out")
    assert shards_for(500) == 8
    part = finished_part(tmp_path / "out")
    batches = read_first_rows(part, 130, ["utterance_id"])
    ids = [i for b in batches for i in b.column(0).to_pylist()]
    assert ids == utterances["utterance_id"].to_pylist()[:130]
