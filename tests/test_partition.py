"""Tests of cells and certain merges, against brute force and exact linkage of all clusters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import draw_clusters, draw_mixture

from advin.discovery.clustering import forest
from advin.discovery.clustering import partition as module
from advin.discovery.clustering.clusters import Clusters
from advin.discovery.clustering.config import LinkageConfig
from advin.discovery.clustering.linkage import average_linkage
from advin.discovery.clustering.partition import (
    Coarse,
    Partition,
    best_outside,
    learn_partition,
    merge_certain,
    rows_to_learn,
)

CONFIG = LinkageConfig()


def drawn(n: int, dimension: int = 8, intents: int = 6, seed: int = 0) -> Clusters:
    """Return clusters of one utterance each, around some directions."""
    rng = np.random.default_rng(seed)
    return draw_clusters(draw_mixture(n, dimension, intents, rng), 3, rng)


def whole_tree(clusters: Clusters) -> set[frozenset[int]]:
    """Return all clusters of the exact average-linkage tree, as sets of rows."""
    weights = clusters.weights.astype(float)
    tree = average_linkage(clusters.means.astype(float) * weights[:, None], weights, floor=-2)
    nodes = [frozenset([row]) for row in range(tree.n_leaves)]
    for a, b in tree.children:
        nodes.append(nodes[a] | nodes[b])
    return set(nodes)


@settings(deadline=None, max_examples=60)
@given(st.integers(4, 70), st.integers(6, 12), st.integers(2, 4), st.integers(0, 10_000))
def test_merges_inside_a_part_are_merges_of_the_whole_tree(n, dimension, parts, seed):
    clusters = drawn(n, dimension, seed=seed)
    nodes = whole_tree(clusters)
    part = np.random.default_rng(seed).integers(0, parts, n)
    x = clusters.means.astype(float)
    for one in range(parts):
        here, there = np.flatnonzero(part == one), np.flatnonzero(part != one)
        here = here[np.argsort(clusters.ids[here])]
        if not len(here):
            continue
        outside = (x[here] @ x[there].T).max(axis=1, initial=-np.inf)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(forest, "_TIE_TOLERANCE", 0)
            _, into, _ = merge_certain(clusters.take(here), outside, floor=-2)
        for row in range(into.max() + 1):
            assert frozenset(here[into == row].tolist()) in nodes


def test_a_single_part_gives_exact_linkage():
    clusters = Clusters.joined([drawn(300, 16)])
    merged, into, waits = merge_certain(clusters, np.full(300, -np.inf), floor=0.5)
    weights = clusters.weights.astype(float)
    sums = clusters.means.astype(float) * weights[:, None]
    label = average_linkage(sums, weights, 0.5).cut(0.5)
    np.testing.assert_array_equal(clusters.ids[label], merged.ids[into])
    for row in range(len(merged.ids)):
        rows = into == row
        assert merged.ids[row] == min(clusters.ids[rows])
        mean = sums[rows].sum(axis=0) / weights[rows].sum()
        np.testing.assert_allclose(merged.means[row], mean, atol=1e-3)
        for name in ("weights", "sizes", "label_density"):
            total, column = getattr(merged, name), getattr(clusters, name)
            assert total[row] == pytest.approx(column[rows].sum())
        # Parts that stage I takes for another intent speak against the cluster's intent.
        agrees = clusters.intents[rows] == merged.intents[row]
        odds = clusters.log_odds[rows]
        assert merged.log_odds[row] == pytest.approx(np.where(agrees, odds, -abs(odds)).sum())
        assert merged.intents[row] == clusters.intents[rows][0]
    assert not waits.any()


def test_a_cluster_waits_if_a_nearer_one_is_elsewhere():
    means = np.array([[1, 0], [0.8, 0.6]], np.float16)
    ones = np.ones(2, np.int64)
    two = Clusters(np.array(["0" * 32, "1" * 32], "S32"), means, ones, ones, ones * 0.0, ones, ones)
    alone, _, _ = merge_certain(two, np.array([0.7, 0.7]), floor=0.5)
    assert len(alone.ids) == 1
    both, into, waits = merge_certain(two, np.array([0.7, 0.9]), floor=0.5)
    assert len(both.ids) == 2 and into.tolist() == [0, 1] and waits.all()


def test_a_cluster_waits_while_a_partner_elsewhere_is_above_the_floor():
    means = np.eye(3, dtype=np.float16)
    ones = np.ones(3, np.int64)
    ids = np.array([f"{i:032x}" for i in range(3)], "S32")
    three = Clusters(ids, means, ones, ones, ones * 0.0, ones, ones)
    _, into, waits = merge_certain(three, np.array([0.3, 0.6, -np.inf]), floor=0.5)
    assert into.tolist() == [0, 1, 2] and waits.tolist() == [False, True, False]


def test_equal_vectors_on_two_workers_do_not_wait():
    same = drawn(40, 8, seed=1)
    same = Clusters.joined([Clusters(same.ids, same.means[[0] * 40], *same.columns()[2:])])
    merged, _, _ = merge_certain(same, np.full(40, 1 + 1e-6), floor=0.5)
    assert len(merged.ids) == 1


def test_best_outside_equals_brute_force(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 7)
    residents, visitors = (drawn(n, seed=n).means.astype(np.float32) for n in (40, 23))
    similarity = residents @ visitors.T
    here, there = best_outside(residents, visitors)
    np.testing.assert_allclose(here, similarity.max(axis=1), atol=1e-6)
    np.testing.assert_allclose(there, similarity.max(axis=0), atol=1e-6)
    here, there = best_outside(residents, visitors[:0])
    assert (here == -np.inf).all() and there.shape == (0,)


@given(st.integers(1, 400), st.integers(0, 1000))
def test_coarse_vectors_have_a_small_error(dimension, seed):
    x = np.random.default_rng(seed).normal(size=(6, dimension))
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float16)
    rounded = Coarse.of(x)
    assert rounded.codes.dtype == np.int8
    error = rounded.vectors() - x.astype(np.float32)
    assert np.abs(error).max() <= np.abs(x).max() / 254 + 1e-6
    assert np.linalg.norm(error, axis=1).max() <= 0.02
    np.testing.assert_array_equal(Coarse.of(np.zeros((2, dimension))).vectors(), 0)


def test_a_cluster_lives_in_the_nearest_cell_and_visits_the_next_ones():
    clusters = drawn(200, 8)
    cells = Partition(np.eye(8, dtype=np.float32)[:6], np.ones(6, np.int64))
    home, visits = cells.homes(clusters, CONFIG.visits)
    order = np.argsort(-clusters.means[:, :6].astype(float), axis=1, kind="stable")
    np.testing.assert_array_equal(home, order[:, 0])
    for row in range(200):
        there = visits[visits[:, 0] == row, 1]
        assert sorted(there) == sorted(order[row, 1 : CONFIG.visits])


def test_clusters_of_a_crowded_cell_visit_its_other_parts():
    clusters = drawn(3000, 8, intents=1)
    cells = Partition(np.eye(8, dtype=np.float32)[:2], np.array([3, 1]))
    home, visits = cells.homes(clusters, CONFIG.visits)
    in_first = home < 3
    assert set(home[in_first]) == {0, 1, 2}
    assert np.bincount(home[in_first]).max() < 0.4 * in_first.sum()
    for row in np.flatnonzero(in_first)[:50]:
        assert set(visits[visits[:, 0] == row, 1]) == {0, 1, 2, 3} - {home[row]}


def test_cells_do_not_exceed_their_size():
    clusters = drawn(4000, 8, intents=30)
    learned = learn_partition(
        clusters.means[: rows_to_learn(4000, 100, CONFIG)], 4000, 100, 1, CONFIG
    )
    home, _ = learned.homes(clusters, CONFIG.visits)
    assert learned.centroids.shape == (40, 8)
    assert np.bincount(home).max() <= 2 * CONFIG.crowded * 100
    # Near duplicates share one cell, which is split into parts.
    same = Clusters(clusters.ids, clusters.means[[0] * 4000], *clusters.columns()[2:])
    learned = learn_partition(same.means[: rows_to_learn(4000, 100, CONFIG)], 4000, 100, 1, CONFIG)
    home, _ = learned.homes(same, CONFIG.visits)
    assert np.bincount(home).max() <= 2 * CONFIG.crowded * 100
