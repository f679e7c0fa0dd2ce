"""How well clusters separate, and the distance without labels."""

import numpy as np
import pytest
from sklearn.metrics import silhouette_score
from small_heads import configured
from synthetic import around, unit

from advin.discovery.clustering.linkage import average_linkage
from advin.discovery.config import Config, grid
from advin.discovery.selection.distance import DEFAULT, SEPARATED, separated_distance
from advin.discovery.selection.separation import best_separated, separation, separation_curve
from advin.discovery.selection.stability import Stable

CONFIG = Config()
HEADS = (object(),)


def log(intents=12, per_intent=20, spread=0.6, seed=0):
    """Unit vectors around random centers, and their intents."""
    random = np.random.default_rng(seed)
    truth = random.permutation(np.repeat(np.arange(intents), per_intent))
    return around(random.normal(size=(intents, 24)), truth, spread, random), truth


def slow_separation(vectors, clusters, least):
    """The definition, by loops over utterances and clusters."""
    members = {c: np.flatnonzero(clusters == c) for c in set(clusters.tolist())}
    large = {c: rows for c, rows in members.items() if len(rows) >= max(2, least)}
    if len(large) < 2:
        return 0.0

    def mean_distance(one, other):
        pairs = [(i, j) for i in one for j in other if i != j]
        return float(np.mean([1 - vectors[i] @ vectors[j] for i, j in pairs]))

    total = 0.0
    for cluster, rows in large.items():
        within = mean_distance(rows, rows)
        between = min(mean_distance(rows, large[c]) for c in large if c != cluster)
        total += len(rows) * (between - within) / max(between, within)
    return total / len(vectors)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("least", [1, 3, 6])
def test_the_separation_follows_its_definition(seed, least):
    random = np.random.default_rng(seed)
    vectors = unit(random.normal(size=(40, 6)))
    clusters = random.integers(0, 7, 40)
    found = separation(vectors, np.ones(40), clusters, least)
    assert found == pytest.approx(slow_separation(vectors, clusters, least), abs=2e-6)


def test_sums_of_utterances_give_the_same_as_the_utterances():
    vectors, truth = log(spread=1.0)
    groups = 4 * truth + np.arange(len(truth)) % 4
    names, index = np.unique(groups, return_inverse=True)
    sums = np.zeros((len(names), vectors.shape[1]))
    np.add.at(sums, index, vectors)
    alone = separation(vectors, np.ones(len(vectors)), truth, 5)
    assert separation(sums, np.bincount(index), names // 4, 5) == pytest.approx(alone, abs=2e-6)


def test_utterances_of_small_clusters_count_as_zero():
    vectors, truth = log(intents=4)
    whole = separation(vectors, np.ones(80), truth, 5)
    scattered = np.where(truth == 3, 100 + np.arange(80), truth)
    assert separation(vectors, np.ones(80), scattered, 5) < 0.85 * whole
    assert separation(vectors, np.ones(80), np.zeros(80, int), 5) == 0
    assert separation(vectors, np.ones(80), np.arange(80), 5) == 0


def test_it_ranks_cuts_like_the_silhouette_of_single_utterances():
    vectors, _ = log(spread=1.0)
    tree = average_linkage(vectors, np.ones(len(vectors)), floor=0)
    cuts = np.arange(0.3, 0.96, 0.05)
    curve = separation_curve(tree, vectors, np.ones(len(vectors)), cuts, 2)
    silhouettes = [
        silhouette_score(vectors, tree.cut(1 - cut), metric="cosine")
        if 1 < tree.number_of_clusters(1 - cut) < len(vectors)
        else 0
        for cut in cuts
    ]
    assert np.corrcoef(curve, silhouettes)[0, 1] > 0.9


@pytest.mark.parametrize(("intents", "per_intent"), [(6, 60), (12, 20), (40, 10)])
@pytest.mark.parametrize("spread", [0.4, 0.9])
def test_the_distance_of_a_log_gives_its_intents(intents, per_intent, spread):
    found = []
    for seed in range(3):
        vectors, _ = log(intents, per_intent, spread, seed)
        distance = separated_distance(vectors.astype(np.float32), Stable(8, HEADS), CONFIG)
        assert distance.origin == SEPARATED
        assert distance.radius == pytest.approx(CONFIG.distance.radius_share * distance.value)
        tree = average_linkage(vectors, np.ones(len(vectors)), floor=0)
        sizes = np.unique(tree.cut(1 - distance.value), return_counts=True)[1]
        found.append(np.count_nonzero(sizes >= 5))
    assert 0.8 * intents <= np.median(found) <= 1.2 * intents


def test_the_distance_does_not_depend_on_the_order_of_the_rows():
    vectors = log(spread=1.0)[0].astype(np.float32)
    shuffled = vectors[np.random.default_rng(1).permutation(len(vectors))]
    one, other = (separated_distance(v, Stable(8, HEADS), CONFIG) for v in (vectors, shuffled))
    assert one.value == other.value


def test_few_rows_or_one_cluster_give_the_default_distance():
    vectors = log()[0].astype(np.float32)
    same = np.repeat(vectors[:1], 200, axis=0)
    for space, heads in ((vectors, ()), (same, HEADS)):
        distance = separated_distance(space, Stable(8, heads), configured(CONFIG))
        assert (distance.origin, distance.value) == (DEFAULT, CONFIG.distance.default)


def test_the_best_separated_distance_is_the_center_of_the_plateau():
    distances = grid((0.1, 0.9, 0.1))
    curve = np.array([-0.2, 0.1, 0.5, 0.5, 0.5, 0.2, 0.0, -0.1, 0.0])
    assert best_separated(distances, curve, 0.03) == pytest.approx(0.4)
    assert best_separated(distances, np.minimum(curve, 0), 0.03) is None
