import numpy as np
import pytest
from small_heads import configured, train_head
from synthetic import around

from advin.discovery.clustering.linkage import average_linkage
from advin.discovery.evaluation.agreement import ari, contingency
from advin.discovery.labels import UNLABELED
from advin.discovery.metric.neighbors import default_neighbors
from advin.discovery.metric.rows import TrainingRows
from advin.discovery.selection import stability
from advin.discovery.selection.stability import stable_clusters

FAST = configured(hidden=64, steps=80, refresh=20, batch=128)


def unlabeled(intents, per_intent, spread=0.9, alike=0.0, seed=0):
    """Unlabeled unit vectors around centers that are alike in groups of five, and their intents."""
    random = np.random.default_rng(seed)
    truth = random.permutation(np.repeat(np.arange(intents), per_intent))
    centers = random.normal(size=(intents, 24))
    centers += alike * random.normal(size=(-(-intents // 5), 24))[np.arange(intents) // 5]
    vectors = around(centers, truth, spread, random)
    return TrainingRows(vectors.astype(np.float32), np.full(len(truth), UNLABELED)), truth


def found(rows, truth, neighbors, distance=0.5):
    """ARI between the intents and the clusters of a head with this neighbor count."""
    head = train_head(rows, configured(FAST, neighbors=neighbors))
    tree = average_linkage(head.transform(rows.vectors), np.ones(len(rows)), floor=1 - distance)
    return ari(contingency(truth, tree.cut(1 - distance)))


def test_the_neighbor_count_follows_the_size_of_intents():
    small, large = (unlabeled(1000 // size, size)[0] for size in (12, 120))
    assert stable_clusters(small, FAST).neighbors < 12 <= stable_clusters(large, FAST).neighbors


def test_small_intents_are_not_merged():
    rows, truth = unlabeled(intents=60, per_intent=12, spread=0.7, alike=1.0)
    constant = found(rows, truth, default_neighbors(rows.vectors, rows.labels, FAST.neighbors))
    assert found(rows, truth, stable_clusters(rows, FAST).neighbors) > constant + 0.2


def test_a_sample_gives_about_the_same_neighbor_count(monkeypatch):
    rows, _ = unlabeled(intents=8, per_intent=75)
    whole = stable_clusters(rows, FAST).neighbors
    fewer = FAST.with_values({"stability.max_rows": 300})
    assert whole / 2 <= stable_clusters(rows, fewer).neighbors <= 2 * whole


def nested(parts_at_cuts, swapped, seed=0):
    """Clusters of 240 rows in order: at each cut so many equal parts, a share of rows swapped."""
    random = np.random.default_rng(seed)
    clusters = []
    for parts, share in zip(parts_at_cuts, swapped, strict=True):
        rows = np.arange(240) * parts // 240
        moved = random.permutation(240)[: round(240 * share)]
        rows[moved] = rows[random.permutation(moved)]
        clusters.append(rows)
    return clusters


@pytest.mark.parametrize(
    ("parts", "swapped", "expected"),
    [
        # A few coarse clusters, one cluster, and only single rows.
        ([40, 20, 20, 20, 20, 20, 2, 2], [0.1] * 6 + [0.0] * 2, range(1, 6)),
        ([40, 20, 20, 20, 1, 1, 1, 1], [0.1] * 4 + [0.0] * 4, range(1, 4)),
        ([240, 240, 240, 240, 20, 20, 20, 10], [0.0] * 4 + [0.1] * 4, range(4, 7)),
    ],
)
def test_clusters_on_which_heads_agree_without_effort_are_not_chosen(parts, swapped, expected):
    heads = [nested(parts, swapped, seed) for seed in range(3)]
    alike = [ari(contingency(one, other)) for one, other in zip(*heads[:2], strict=True)]
    assert int(np.argmax(alike)) not in expected
    assert int(np.argmax(stability._agreement_at_cuts(heads))) in expected


def test_the_result_does_not_depend_on_how_many_counts_run_in_parallel():
    rows = unlabeled(8, 120)[0]
    stable = []
    for count in (1, 2, 3):
        config = FAST.with_values({"stability.parallel_counts": count})
        found = stable_clusters(rows, config)
        vectors = [head.transform(rows.vectors).tobytes() for head in found.heads]
        stable.append((found.neighbors, vectors))
    assert stable[0] == stable[1] == stable[2]


@pytest.mark.parametrize(("rows", "neighbors"), [(1, 1), (10, 1), (60, 3), (160, 8)])
def test_with_few_rows_the_count_is_a_share_of_the_rows(rows, neighbors):
    stable = stable_clusters(unlabeled(rows, 1)[0], FAST)
    assert stable.neighbors == neighbors
    assert (not stable.heads) == (rows < 160)
