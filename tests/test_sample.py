"""The sample from end to end: the planted intents are found, and equal runs give equal tables.

The model is fitted once on the whole sample. Runs that must give equal tables share it.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from run_tables import as_columns, published_columns, read_tables
from stage_names import STAGES

from advin.discovery.config import Config
from advin.discovery.discover import Log, discover
from advin.discovery.intents.coherence import incoherent_intents, min_coherence
from advin.discovery.labels import OUT_OF_DOMAIN
from advin.discovery.text.preparation import prepare
from advin.pipelines.cluster import CENTROIDS
from advin.pipelines.counters import ClusterCounters
from advin.pipelines.evaluate import evaluate
from advin.pipelines.fit import Embedded, FitInputs, read_training_data
from advin.pipelines.models import load_model
from advin.pipelines.reading.columns import Columns
from advin.pipelines.report import read_run
from advin.pipelines.stages import Part, Stage
from advin.runners.cli import main
from advin.schemas.batches import vectors_from_arrow
from advin.schemas.tables import TABLES

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
COLUMNS = Columns("text", "intent", "domain")

# The first test waits for the model to be fitted.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def evaluation(sample):
    return evaluate(str(sample), str(EXAMPLES / "truth.csv"), COLUMNS)


@pytest.fixture(scope="module")
def part_of_the_log():
    """A few hundred rows of the log, some of them unusable: a run on them takes seconds."""
    return (EXAMPLES / "log.jsonl").read_text().splitlines()[::12]


@pytest.fixture(scope="module")
def run_of_part(sample, part_of_the_log, tmp_path_factory):
    """Tables of an in-process run on a part of the log in one file."""
    folder = tmp_path_factory.mktemp("part")
    (folder / "log.jsonl").write_text("\n".join(part_of_the_log))
    return tables_of(folder / "log.jsonl", sample, folder / "run")


def tables_of(source, sample, output, *flags) -> dict[str, list[bytes]]:
    assert main(arguments_for(source, sample, output, *flags)) == 0
    return read_tables(output)


def arguments_for(source, sample, output, *flags) -> list[str]:
    arguments = ["discover", "--input", source, "--model", sample / "model", "--output", output]
    return [str(a) for a in [*arguments, *flags]]


def read(folder, table):
    return pq.read_table(folder / table).to_pylist()


def test_every_planted_novel_intent_is_found(evaluation):
    assert len(evaluation.recovery) == 11
    for row in evaluation.recovery:
        assert row.recall >= 0.8 and row.purity >= 0.85, row


def test_known_intents_and_junk_are_not_reported_as_novel(evaluation, sample):
    assert evaluation.metrics["junk_intents"] == 0
    assert 11 <= evaluation.metrics["novel_intents_found"] <= 12
    assert evaluation.metrics["known_in_novel"] < 0.03
    assert evaluation.metrics["junk_in_novel"] < 0.05
    labels = {r["name"] for r in read(sample, "intents") if r["kind"] == "known"}
    assert len(labels) == 16


def test_a_novel_intent_that_matches_no_true_one_has_the_least_confidence(evaluation, sample):
    wrong = {row.found_id for row in evaluation.unmatched}
    novel = [r for r in read(sample, "intents") if r["kind"] == "novel"]
    least = min(r["confidence"] for r in novel if r["intent_id"] not in wrong)
    assert all(r["confidence"] < least for r in novel if r["intent_id"] in wrong)


def test_out_of_domain_text_is_incoherent_and_known_intents_are_not(sample):
    """Known intents are tested as if they had no label, out-of-domain texts as four clusters."""
    model = load_model(str(sample / "model"))
    labels = model.anchor_labels
    groups = [np.flatnonzero(labels == intent) for intent in range(len(model.intents))]
    groups += np.array_split(np.flatnonzero(labels == OUT_OF_DOMAIN), 4)
    vectors = model.encoder.sentence_part(model.anchors)
    config = model.config.coherence
    found = incoherent_intents(
        [vectors[rows] for rows in groups],
        np.ones(len(groups), bool),
        np.array([model.novelty.ood_zscore(model.anchors[rows]).mean() for rows in groups]),
        min_coherence(*(2 * [[vectors[rows] for rows in groups[: len(model.intents)]]]), config),
        config,
    )
    assert found.tolist() == 16 * [False] + 4 * [True]


def test_planted_domains_are_separated(sample, evaluation):
    """No domain contains intents of two planted domains."""
    wrong = {row.found_id for row in evaluation.unmatched}
    truth = {i["text"].casefold(): i for i in csv_rows(EXAMPLES / "truth.csv")}
    planted: dict[str, set] = {}
    domain_of = {
        i["intent_id"]: i["domain_id"]
        for i in read(sample, "intents")
        if i["kind"] == "novel" and i["intent_id"] not in wrong
    }
    counts: dict[str, dict] = {}
    for row in read(sample, "assignments"):
        label = truth.get(row["text"].casefold())
        if label and label["domain"] and row["intent_id"] in domain_of:
            of_intent = counts.setdefault(row["intent_id"], {})
            of_intent[label["domain"]] = of_intent.get(label["domain"], 0) + row["count"]
    for intent, domains in counts.items():
        planted.setdefault(domain_of[intent], set()).add(max(domains, key=domains.get))
    assert planted and all(len(domains) == 1 for domains in planted.values()), planted


def csv_rows(path):
    import csv

    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_names_consist_of_words_of_the_utterances(sample):
    texts = " ".join(a["text"].casefold() for a in read(sample, "assignments"))
    for intent in read(sample, "intents"):
        if intent["kind"] == "novel":
            assert all(word in texts for word in intent["name"].casefold().split())
            assert intent["keywords"] and len(intent["exemplars"]) == 5


def test_the_fit_reads_each_text_with_its_vector_and_label(sample, encoder):
    def embedded(name):
        stages = (sample / "stages" / stage for stage in (f"ingest{name}", f"embed{name}"))
        return Embedded(*(Part(str(stage)) for stage in stages))

    inputs = FitInputs(embedded(""), embedded("_labeled"), embedded("_ood"))
    data = read_training_data(inputs, encoder.dimension, Config())
    for part in (data.log, data.labeled, data.out_of_domain):
        again = encoder.encode(list(part.texts[::40]))
        assert (again * part.vectors[::40]).sum(axis=1) == pytest.approx(1, abs=0.02)
    masking = Config().masking
    known = csv_rows(EXAMPLES / "known.csv")
    intent_of = {prepare(row["text"], masking).text: row["intent"] for row in known}
    found = dict(zip(data.labeled.texts, (data.intents[i] for i in data.labels), strict=True))
    assert found.items() <= intent_of.items() and len(found) > 500


def test_counts_add_up(sample):
    manifest = read_run(str(sample))
    with open(EXAMPLES / "log.jsonl", "rb") as file:
        rows = sum(1 for _ in file)
    kept = sum(a["count"] for a in read(sample, "assignments"))
    assert (
        kept + len(read(sample, "rejects"))
        == rows
        == dict(map(tuple, manifest.funnel))["rows read"]
    )
    assert sum(i["size"] for i in read(sample, "intents")) == sum(
        a["count"] for a in read(sample, "assignments") if a["intent_id"]
    )
    assert sum(d["size"] for d in read(sample, "domains")) == sum(
        i["size"] for i in read(sample, "intents") if i["domain_id"]
    )
    funnel = dict(map(tuple, manifest.funnel))
    of_an_intent = [a["intent_id"] is not None for a in read(sample, "assignments")]
    assert funnel["utterances assigned to an intent"] == of_an_intent.count(True)
    assert sum(rows for _, _, rows in manifest.traffic) == kept
    for kind, reason, rows in manifest.traffic:
        of_reason = [a for a in read(sample, "assignments") if a["reason"] == reason]
        assert {a["kind"] for a in of_reason} == {kind}
        assert sum(a["count"] for a in of_reason) == rows
    # A centroid may have no utterances.
    found = Stage(str(sample / "stages" / "cluster")).counters(ClusterCounters).novel_intents
    assert funnel["novel intents"] <= found


def test_every_cluster_is_an_intent_or_dropped_for_a_reason(sample):
    clusters = pq.read_table(sample / "stages" / "cluster" / "data" / CENTROIDS)
    contents = {i[2:] for i in clusters["intent_id"].to_pylist()}
    intents = {i["intent_id"]: i for i in read(sample, "intents")}
    dropped = {d["dropped_id"]: d for d in read(sample, "dropped")}
    assert {i[2:] for i in [*intents, *dropped]} == contents
    assert len(intents) + len(dropped) == clusters.num_rows
    rows = dict.fromkeys(dropped, 0)
    for a in read(sample, "assignments"):
        assert (a["intent_id"] is None) == (a["kind"] not in ("known", "novel"))
        assert a["intent_id"] is None or a["kind"] == intents[a["intent_id"]]["kind"]
        if a["dropped_id"] is not None:
            assert a["reason"] == dropped[a["dropped_id"]]["reason"]
            rows[a["dropped_id"]] += a["count"]
    assert rows == {i: d["size"] for i, d in dropped.items()}


def test_most_of_the_traffic_of_kind_novel_is_novel(sample, evaluation):
    truth = {i["text"].casefold(): i["intent"] for i in csv_rows(EXAMPLES / "truth.csv")}
    known = {i["name"] for i in read(sample, "intents") if i["kind"] == "known"}
    rows = [(a, truth.get(a["text"].casefold())) for a in read(sample, "assignments")]
    total = sum(a["count"] for a, _ in rows)
    true = sum(a["count"] for a, intent in rows if intent and intent not in known)
    found = sum(a["count"] for a, _ in rows if a["kind"] == "novel")
    assert abs(found - true) / total < 0.03


def test_nearest_intents_are_sorted_and_begin_with_the_intent_unless_it_is_known(sample):
    intents = {i["intent_id"] for i in read(sample, "intents")}
    for a in read(sample, "assignments"):
        assert len(a["nearest_intents"]) == len(a["nearest_distances"]) == 3
        assert a["nearest_distances"] == sorted(a["nearest_distances"])
        assert set(a["nearest_intents"]) <= intents
        # Stage I may assign an utterance to a known intent that is not the nearest one.
        if a["kind"] != "known":
            assert a["intent_id"] in (None, a["nearest_intents"][0])
        if a["intent_id"] in (None, a["nearest_intents"][0]):
            assert a["intent_distance"] == pytest.approx(a["nearest_distances"][0], abs=1e-6)
        else:
            assert a["intent_distance"] >= a["nearest_distances"][0]


def test_tables_have_their_schemas_and_valid_references(sample):
    written = TABLES.keys() - {"conversations", "intent_conversations"}
    assert written <= {path.name for path in sample.iterdir()}
    for name in written:
        for path in (sample / name).iterdir():
            assert pq.read_schema(path).equals(TABLES[name], check_metadata=True), name
    intents = {i["intent_id"] for i in read(sample, "intents")}
    domains = {d["domain_id"]: d["intents"] for d in read(sample, "domains")}
    for row in read(sample, "assignments"):
        assert row["intent_id"] is None or row["intent_id"] in intents
        assert row["domain_id"] is None or row["domain_id"] in domains
    for intent in read(sample, "intents"):
        assert intent["domain_id"] is None or intent["intent_id"] in domains[intent["domain_id"]]


def test_metrics_are_flat_json(sample, tmp_path):
    arguments = ["evaluate", "--run", sample, "--truth", EXAMPLES / "truth.csv"]
    assert main([str(a) for a in [*arguments, "--json", tmp_path / "m.json"]]) == 0
    metrics = json.loads((tmp_path / "m.json").read_text())
    assert all(isinstance(v, int | float) for v in metrics.values()) and "ari" in metrics


@pytest.mark.parametrize("files", [3, 7])
def test_shuffled_rows_in_several_files_give_equal_tables(
    files, sample, part_of_the_log, run_of_part, tmp_path
):
    rows = list(part_of_the_log)
    random.Random(files).shuffle(rows)
    (tmp_path / "log").mkdir()
    for i in range(files):
        (tmp_path / "log" / f"{i}.jsonl").write_text("\n".join(rows[i::files]))
    assert tables_of(tmp_path / "log", sample, tmp_path / "run") == run_of_part


def test_workers_in_other_processes_give_equal_tables(
    sample, part_of_the_log, run_of_part, tmp_path
):
    (tmp_path / "log.jsonl").write_text("\n".join(part_of_the_log))
    tables = tables_of(tmp_path / "log.jsonl", sample, tmp_path / "run", "--runner", "portable")
    assert tables == run_of_part


def test_a_run_killed_in_every_stage_gives_equal_tables(
    sample, part_of_the_log, run_of_part, tmp_path
):
    (tmp_path / "log.jsonl").write_text("\n".join(part_of_the_log))
    output = tmp_path / "run"
    command = [sys.executable, "-m", "advin"]
    command += arguments_for(tmp_path / "log.jsonl", sample, output)
    killed = []
    for stage in STAGES:
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for line in process.stderr:
            # The driver logs the start of each stage. A kill at that time leaves it unfinished.
            if line.startswith(f"{stage} …"):
                time.sleep(0.02)
                os.kill(process.pid, signal.SIGKILL)
                killed.append(stage)
                break
        process.wait()
        assert not (output / "manifest.json").exists()
    assert tuple(killed) == STAGES
    assert main(arguments_for(tmp_path / "log.jsonl", sample, output)) == 0
    assert read_tables(output) == run_of_part


def test_arrays_and_pipelines_give_equal_tables(sample):
    ingest, embed = (
        pq.read_table(sample / "stages" / name / "data") for name in ("ingest", "embed")
    )
    log = Log(
        ids=np.array(ingest["utterance_id"].to_pylist(), "S32"),
        texts=ingest["text"].to_pylist(),
        counts=ingest["count"].to_numpy(),
        vectors=vectors_from_arrow(embed["vector"]),
    )
    found = as_columns(discover(log, load_model(str(sample / "model"))))
    published = published_columns(sample)
    assert found.keys() == published.keys()
    for name, values in found.items():
        assert values == published[name], name
