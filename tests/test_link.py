"""Tests of rounds of linkage across workers, against exact linkage."""

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from sklearn.metrics import adjusted_rand_score
from synthetic import draw_clusters

from advin.discovery.clustering.clusters import Clusters
from advin.discovery.clustering.linkage import average_linkage
from advin.discovery.config import Config
from advin.discovery.intents.points import largest_clusters, utterance_clusters
from advin.discovery.intents.rules import IntentRules
from advin.discovery.novelty.model import NoveltyScores
from advin.pipelines import storage
from advin.pipelines.cluster_files import (
    CondensedClusters,
    clusters_to_arrow,
    read_clusters,
)
from advin.pipelines.counters import LinkCounters
from advin.pipelines.link import condense, finished_rounds
from advin.pipelines.stages import Workspace
from benchmarks.mixtures import draw_mixture
from benchmarks.scale import follow, merges

ROWS = 4000
RULES = IntentRules(distance=0.68, radius=0.68, min_size=5, fine=0.68, coarse=0.68)
IN_PROCESS = ["--runner=FnApiRunner"]
SMALL_CELLS = {"linkage.cell_rows": 500, "linkage.max_cell_rows": 2000}


def workers(number: int, kind: str) -> list[str]:
    flags = [*IN_PROCESS, f"--direct_running_mode=multi_{kind}"]
    return [*flags, f"--direct_num_workers={number}"]


@pytest.fixture(scope="module")
def log() -> Clusters:
    return Clusters.joined([draw_clusters(draw_mixture(ROWS).vectors, 4, seed=0)])


def test_a_repeated_text_has_a_damped_weight():
    vectors = draw_mixture(5).vectors
    clusters = utterance_clusters(
        ids=np.array([f"{row:032x}" for row in range(5)], "S32"),
        vectors=vectors,
        counts=np.array([1, 2, 7, 8, 1_000_000]),
        scores=NoveltyScores(
            np.zeros(5), np.array([0, 0, 1, 1, 1]), np.float32([0.9, 0.5, 0, 1, 1])
        ),
        label_density=np.array([30.0, 60.0]),
    )
    assert clusters.weights.tolist() == [1, 2, 3, 4, 20]
    assert clusters.sizes.tolist() == [1, 1, 1, 1, 1]
    assert clusters.label_density.tolist() == [30, 30, 60, 60, 60]
    np.testing.assert_allclose(clusters.log_odds[:2], [np.log(9), 0], atol=1e-6)
    assert np.isfinite(clusters.log_odds).all()
    np.testing.assert_allclose(clusters.means, vectors, atol=2e-3)


def write(folder: Path, log: Clusters, files: int, order=None) -> CondensedClusters:
    names = [f"{number}.parquet" for number in range(files)]
    order = np.arange(len(log.ids)) if order is None else order
    for name, rows in zip(names, np.array_split(order, files), strict=True):
        table = clusters_to_arrow(log.take(np.sort(rows)))
        storage.write_parquet(str(folder / "log" / name), table)
    return CondensedClusters(str(folder / "log"), tuple(names), len(log.ids))


def run(
    folder: Path, log: Clusters, files=4, options=IN_PROCESS, at_most=1500, order=None, values=None
):
    """Run the rounds; return the clusters that are left, and the workspace."""
    values = SMALL_CELLS | {"linkage.max_clusters": at_most} | (values or {})
    config = Config().with_values(values)
    workspace = Workspace.claim(str(folder / "run"), {}, PipelineOptions(options))
    source = write(folder, log, files, order)
    sources = condense(workspace, source, len(log.ids), RULES, config)
    return Clusters.joined([s.read(n) for s in sources for n in s.names()]), workspace


def rounds(workspace: Workspace) -> list[LinkCounters]:
    return [stage.counters(LinkCounters) for stage in finished_rounds(workspace)]


def test_a_small_log_takes_no_rounds(log, tmp_path):
    left, workspace = run(tmp_path, log, at_most=ROWS)
    assert not rounds(workspace)
    np.testing.assert_array_equal(left.ids, log.ids)


def test_rounds_nearly_equal_exact_linkage(log, tmp_path):
    left, workspace = run(tmp_path, log)
    assert len(rounds(workspace)) >= 2 and len(left.ids) <= 1500
    floor = 1 - RULES.distance
    weights = left.weights.astype(float)
    cut = average_linkage(left.means.astype(float) * weights[:, None], weights, floor).cut(floor)
    cluster_of = dict(zip(left.ids.tolist(), cut.tolist(), strict=True))
    into: dict[bytes, bytes] = {}
    for gone, kept in merges(workspace):
        assert not into.keys() & set(gone), "a cluster became part of two"
        into |= dict(zip(gone, kept, strict=True))
    found = follow(log.ids.tolist(), into, cluster_of)
    weights = log.weights.astype(float)
    sums = log.means.astype(float) * weights[:, None]
    exact = average_linkage(sums, weights, floor).cut(floor)
    assert adjusted_rand_score(exact, found) >= 0.99


def test_every_utterance_is_in_a_cluster_or_counted_as_left_out(log, tmp_path):
    left, workspace = run(tmp_path, log)
    out = sum(counters.utterances_left_out for counters in rounds(workspace))
    assert left.sizes.sum() + out == ROWS
    # Only small clusters without a near neighbor are left out.
    assert out < 0.25 * ROWS
    assert left.weights.sum() <= log.weights.sum()
    assert (left.label_density <= left.sizes).all()
    # Temporary files are gone.
    assert not list(Path(workspace.folder).glob("stages/*_cells/*"))


@pytest.mark.parametrize("files", [1, 5])
def test_the_largest_clusters_are_kept_if_too_many_are_left(log, tmp_path, files):
    rng = np.random.default_rng(2)
    sizes = rng.integers(1, 50, ROWS)
    source = write(tmp_path, dataclasses.replace(log, sizes=sizes), files)
    kept, left_out = largest_clusters(read_clusters([source]), 300, none=log.take(np.arange(0)))
    order = sorted(range(ROWS), key=lambda row: (-sizes[row], log.ids[row]))[:300]
    assert kept.ids.tolist() == sorted(log.ids[order].tolist())
    assert kept.sizes.sum() + left_out == sizes.sum()


def tables(workspace: Workspace) -> dict[str, str]:
    """Return hashes of all files of the rounds."""
    folder = Path(workspace.folder) / "stages"
    paths = sorted(folder.rglob("*.parquet"))
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


@pytest.mark.parametrize("files", [1, 7])
def test_same_bytes_for_any_file_split(log, tmp_path, files):
    _, one = run(tmp_path / "a", log)
    _, other = run(tmp_path / "b", log, files)
    assert tables(one) == tables(other) and tables(one)


def test_same_bytes_for_any_order_of_rows(log, tmp_path):
    _, one = run(tmp_path / "a", log)
    _, other = run(tmp_path / "b", log, order=np.random.default_rng(1).permutation(ROWS))
    assert tables(one) == tables(other)


def test_same_bytes_for_any_number_of_waves(log, tmp_path):
    _, one = run(tmp_path / "a", log)
    _, other = run(tmp_path / "b", log, values={"linkage.wave_clusters": 900})
    assert tables(one) == tables(other)


@pytest.mark.parametrize(
    ("number", "kind"),
    [(2, "threading"), (8, "threading"), pytest.param(2, "processing", marks=pytest.mark.slow)],
)
def test_same_bytes_for_any_number_of_workers(log, tmp_path, number, kind):
    _, one = run(tmp_path / "a", log, at_most=3500)
    _, many = run(tmp_path / "b", log, options=workers(number, kind), at_most=3500)
    assert tables(one) == tables(many) and tables(one)


def test_a_killed_round_runs_again(log, tmp_path):
    _, whole = run(tmp_path / "a", log)
    _, again = run(tmp_path / "b", log)
    stage = Path(again.stage("link_02").folder)
    (stage / "manifest.json").unlink()
    next(stage.glob("remaining/*.parquet")).write_bytes(b"half a file")
    run(tmp_path / "b", log)
    assert tables(whole) == tables(again)
