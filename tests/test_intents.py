"""Stage II: which clusters become known intents, novel intents and junk, by their contents."""

import dataclasses

import numpy as np
import pytest
from synthetic import axis_intent

from advin.discovery.config import Config, IntentsConfig
from advin.discovery.intents import decision
from advin.discovery.intents.assignment import Intents, Parts, assign
from advin.discovery.intents.decision import discover_intents
from advin.discovery.intents.merging import MergeDistances
from advin.discovery.intents.points import Points, repetition_weights
from advin.discovery.intents.rules import IntentRules
from advin.discovery.labels import JUNK, NOVEL, OUT_OF_DOMAIN, TOO_SMALL, UNCLEAR, UNLABELED
from advin.discovery.novelty.model import NoveltyScores

CONFIG = IntentsConfig()
RULES = IntentRules(distance=0.4, radius=0.4, min_size=5, fine=0.4, coarse=0.4)
DIMENSION = 16


def bunch(direction: int, size: int, seed: int = 0) -> np.ndarray:
    """Unit vectors close to an axis."""
    return axis_intent(direction, size, DIMENSION, seed + 100 * direction).astype(np.float32)


def intents_of(points: Points) -> Intents:
    return discover_intents(points, RULES, Config())


def points(*groups: tuple[np.ndarray, int, float]) -> Points:
    """Points from (vectors, label, log-odds of being known), with equally common intents."""
    vectors, labels, log_odds = zip(*groups, strict=True)
    sizes = [len(v) for v in vectors]
    given, odds = np.repeat(labels, sizes), np.repeat(log_odds, sizes)
    known_share = np.mean(odds[given == UNLABELED] > 0)
    density = np.count_nonzero(given >= 0) / max(known_share, 0.1)
    return Points(
        np.concatenate(vectors),
        np.ones(sum(sizes)),
        given,
        odds,
        np.full(sum(sizes), density),
        np.maximum(given, 0),
    )


def unlabeled(vectors: np.ndarray, weights: np.ndarray | None = None) -> Points:
    """Points of a log without any labels."""
    n = len(vectors)
    weights = np.ones(n) if weights is None else weights
    return Points(vectors, weights, np.full(n, UNLABELED), np.zeros(n), np.zeros(n), np.full(n, -1))


def test_known_novel_and_junk_clusters_are_separated():
    found = intents_of(
        points(
            (bunch(0, 20), UNLABELED, 2.0),  # known: with labeled utterances
            (bunch(0, 8, seed=1), 0, 0.0),
            (bunch(1, 20), UNLABELED, -4.0),  # novel
            (bunch(2, 20), UNLABELED, -4.0),  # junk: with out-of-domain examples
            (bunch(2, 8, seed=1), OUT_OF_DOMAIN, 0.0),
        )
    )
    assert found.kinds.tolist() == [0, NOVEL, JUNK]
    for row, axis in enumerate((0, 1, 2)):
        assert found.centroids[row].argmax() == axis
    np.testing.assert_allclose(np.linalg.norm(found.centroids, axis=1), 1, atol=1e-5)


def test_two_known_intents_in_one_cluster_keep_their_own_utterances():
    """Both lie half-way between two axes and are linked; the labels separate them."""

    def towards(axis: int, size: int, seed: int) -> np.ndarray:
        x = bunch(0, size, seed) + bunch(1, size, seed + 1) + 0.35 * bunch(axis, size, seed + 2)
        return x / np.linalg.norm(x, axis=1, keepdims=True)

    here, there = towards(0, 40, 1), towards(1, 30, 2)
    groups = [(here, UNLABELED, 2.0), (there, UNLABELED, 2.0)]
    groups += [(towards(0, 3, 3), 0, 0.0), (towards(1, 3, 4), 1, 0.0)]
    together = points(*groups)
    assert len(np.unique(decision._clusters(together, RULES, CONFIG)[0])) == 1
    found = intents_of(together)
    assert found.kinds.tolist() == [0, 1]
    for centroid, own in zip(found.centroids, (here, there), strict=True):
        mean = own.mean(axis=0)
        assert centroid @ mean / np.linalg.norm(mean) > 0.999


def test_a_known_intent_without_utterances_in_the_log_is_kept():
    found = intents_of(
        points((bunch(0, 5), 0, 0.0), (bunch(1, 5), 1, 0.0), (bunch(2, 9), UNLABELED, -2.0))
    )
    assert found.kinds.tolist() == [0, 1, NOVEL]


def test_small_clusters_are_not_intents():
    found = intents_of(points((bunch(0, 4), UNLABELED, -2.0), (bunch(1, 5), UNLABELED, -2.0)))
    assert found.kinds.tolist() == [NOVEL, TOO_SMALL] and found.centroids[0].argmax() == 1


def test_a_cluster_with_known_scores_and_no_labels_is_not_novel():
    found = intents_of(points((bunch(0, 9), UNLABELED, 2.0), (bunch(1, 5), 0, 0.0)))
    assert found.kinds.tolist() == [0, UNCLEAR]


@pytest.mark.parametrize(
    ("log_odds", "labels", "each", "is_novel"),
    [
        (1.0, 0, 10, True),  # all other known clusters have labels, so labels outweigh the scores
        (1.0, 5, 10, False),  # half as many labels as known clusters
        (1.0, 0, 1, False),  # known clusters have few labels too
        (-3.0, 0, 1, True),  # few labels are expected, but the scores decide
        (-3.0, 5, 10, False),  # labels outweigh the scores
    ],
)
def test_labels_and_scores_together_decide_whether_a_cluster_is_novel(
    log_odds, labels, each, is_novel
):
    known = [
        group
        for intent in range(5)
        for group in ((bunch(intent, 20), UNLABELED, 2.0), (bunch(intent, each, 1), intent, 0.0))
    ]
    found = intents_of(
        points(*known, (bunch(9, 20), UNLABELED, log_odds), (bunch(9, labels, 1), 0, 0.0))
    )
    assert (NOVEL in found.kinds) == is_novel


def test_missing_labels_prove_little_where_labels_and_log_do_not_mix():
    """Five clusters look known. In one log they all hold labels; in the other only one does."""

    def kinds(labeled: int) -> list[int]:
        log = [(bunch(axis, 20), UNLABELED, 1.0) for axis in range(6)]
        labels = [(bunch(axis if axis < labeled else 9, 10, 1), axis, 0.0) for axis in range(5)]
        return intents_of(points(*log, *labels)).kinds.tolist()

    assert NOVEL in kinds(labeled=5)
    assert NOVEL not in kinds(labeled=1)


def test_a_known_intent_that_is_most_of_the_log_needs_few_labels_in_each_of_its_clusters():
    """Ten labels for 300 utterances: a cluster of 20 without labels is no evidence."""
    large = [(bunch(axis, 20), UNLABELED, 2.0) for axis in range(15)]
    found = intents_of(points(*large, (bunch(0, 10, 1), 0, 0.0)))
    assert NOVEL not in found.kinds


def test_a_stray_label_does_not_make_a_novel_cluster_known():
    found = intents_of(
        points(
            (bunch(0, 20), 0, 0.0),
            (bunch(1, 1, seed=5), 0, 0.0),
            (bunch(1, 20), UNLABELED, -4.0),
        )
    )
    assert found.kinds.tolist() == [0, NOVEL]


def test_a_stray_out_of_domain_example_does_not_make_a_cluster_junk():
    found = intents_of(
        points(
            (bunch(0, 60), UNLABELED, -4.0),
            (bunch(0, 1, seed=5), OUT_OF_DOMAIN, 0.0),
            (bunch(1, 60), UNLABELED, -4.0),
            (bunch(1, 40, seed=5), OUT_OF_DOMAIN, 0.0),
        )
    )
    assert found.kinds.tolist() == [NOVEL, JUNK]


def test_weights_count_as_repeated_utterances():
    vectors = np.concatenate([bunch(0, 6), bunch(1, 6)])
    once = intents_of(unlabeled(vectors))
    often = intents_of(unlabeled(vectors, np.full(12, 50.0)))
    np.testing.assert_array_equal(once.kinds, often.kinds)


def test_repetition_weights_are_numbers_of_binary_digits():
    counts = np.concatenate([np.arange(1, 2000), 2 ** np.arange(50), 2 ** np.arange(2, 50) - 1])
    digits = [int(count).bit_length() for count in counts]
    np.testing.assert_array_equal(repetition_weights(counts), digits)
    assert repetition_weights(counts).dtype == np.int64


def test_a_text_that_a_bot_repeats_does_not_merge_two_intents():
    """One utterance lies between two intents that have many different utterances."""
    between = bunch(0, 1) + 0.9 * bunch(1, 1)
    between /= np.linalg.norm(between)
    vectors = np.concatenate([bunch(0, 20), between, bunch(1, 20)]).astype(np.float32)
    counts = np.ones(41, np.int64)
    counts[20] = 1_000_000
    by_count = intents_of(unlabeled(vectors, counts))
    damped = intents_of(unlabeled(vectors, repetition_weights(counts)))
    once = intents_of(unlabeled(vectors))
    assert len(by_count.kinds) == 1
    assert len(once.kinds) == len(damped.kinds) == 2
    intent = assign(vectors, damped, CONFIG).cluster
    assert len(set(intent[:20])) == len(set(intent[21:])) == 1 and intent[0] != intent[40]


def whole(centroids, kinds, log_odds, radius=0.4):
    """Clusters without parts."""
    radii, norms = np.full(len(kinds), radius, np.float32), np.ones(len(kinds), np.float32)
    return Intents(
        centroids,
        kinds,
        radii,
        log_odds,
        norms,
        Parts.none(centroids.shape[1]),
        MergeDistances(0, 0),
    )


def test_utterances_go_to_the_nearest_centroid_within_its_radius():
    rng = np.random.default_rng(0)
    centroids = rng.normal(size=(6, DIMENSION))
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    kinds = np.array([0, 1, NOVEL, NOVEL, JUNK, NOVEL])
    intents = whole(centroids.astype(np.float32), kinds, np.zeros(6, np.float32), radius=0.7)
    x = rng.normal(size=(200, DIMENSION))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    found = assign(x, intents, CONFIG)
    for i in range(200):  # by brute force
        distances = np.array([1 - float(x[i] @ c) for c in centroids])
        of_intents = [j for j in np.argsort(distances) if kinds[j] != JUNK]
        assert found.nearest[i].tolist() == of_intents
        np.testing.assert_allclose(found.distances[i], distances[of_intents], atol=1e-5)
        if distances.min() <= 0.7:
            assert found.cluster[i] == distances.argmin()
            assert found.distance[i] == pytest.approx(distances.min(), abs=1e-5)
        else:
            assert found.cluster[i] == -1
            assert found.distance[i] == pytest.approx(distances[of_intents[0]], abs=1e-5)


def test_dropped_clusters_take_only_what_no_intent_takes():
    axes = np.eye(DIMENSION, dtype=np.float32)
    kinds = np.array([0, NOVEL, UNCLEAR, TOO_SMALL])
    intents = whole(axes[:4], kinds, np.zeros(4, np.float32))
    near_unclear = axes[2] + 0.9 * axes[0]
    both = near_unclear / np.linalg.norm(near_unclear)
    vectors = np.stack([axes[0], axes[2], both, axes[3], axes[9]])
    assert assign(vectors, intents, CONFIG).cluster.tolist() == [0, 2, 0, 3, -1]


def test_conversational_utterances_belong_to_no_cluster():
    axes = np.eye(DIMENSION, dtype=np.float32)
    kinds = np.array([0, NOVEL, JUNK, UNCLEAR])
    intents = whole(axes[:4], kinds, np.zeros(4, np.float32))
    none, all_four = np.zeros(4, bool), np.ones(4, bool)
    assert assign(axes[:4], intents, CONFIG, None, all_four).cluster.tolist() == [-1] * 4
    assert assign(axes[:4], intents, CONFIG, None, none).cluster.tolist() == [0, 1, 2, 3]


def scores(probability: float, best: int, n: int) -> NoveltyScores:
    return NoveltyScores(np.zeros(n), np.full(n, best), np.full(n, probability, np.float32))


def test_an_utterance_keeps_its_known_intent_unless_its_cluster_outweighs_it():
    axes = np.eye(DIMENSION, dtype=np.float32)
    kinds = np.array([0, 1, NOVEL, NOVEL])
    log_odds = np.array([0.0, 0.0, -1.0, -9.0], np.float32)
    intents = whole(axes[:4], kinds, log_odds)
    vectors = axes[[0, 2, 3, 9]]
    likely = assign(vectors, intents, CONFIG, scores(0.95, 1, 4)).cluster
    # In another known intent, in a weak and in a strong novel intent, and far from all.
    assert likely.tolist() == [1, 1, 3, 1]
    unlikely = assign(vectors, intents, CONFIG, scores(0.01, 1, 4)).cluster
    assert unlikely.tolist() == [-1, 2, 3, -1]
    # Without labels, the nearest cluster takes an utterance.
    assert assign(vectors, intents, CONFIG).cluster.tolist() == [0, 2, 3, -1]


def test_too_many_points_for_one_worker_are_refused():
    few = Config().with_values({"intents.max_points": 10})
    with pytest.raises(ValueError, match="11 points, but at most 10"):
        discover_intents(points((bunch(0, 11), UNLABELED, -2.0)), RULES, few)


def test_a_cluster_that_looks_like_several_known_intents_is_novel():
    known, other = (bunch(0, 30), bunch(1, 30)), bunch(2, 30)
    vectors = np.concatenate([bunch(0, 8, seed=1), bunch(1, 8, seed=1), *known, other])
    log = np.arange(16, 106)
    labels = np.repeat([0, 1, UNLABELED], [8, 8, 90])
    own = Points(
        vectors=vectors,
        weights=np.ones(106),
        labels=labels,
        log_odds=np.full(106, 3.0),
        label_density=np.full(106, 4.0),
        intents=np.concatenate([labels[:16], np.repeat([0, 1, 0], 30)]),
    )
    # Without labels, and with one best intent, the third cluster is unclear.
    assert list(intents_of(own).kinds) == [0, 1, UNCLEAR]
    mixed = own.intents.copy()
    mixed[log[60:]] = np.arange(30) % 3
    assert list(intents_of(dataclasses.replace(own, intents=mixed)).kinds) == [0, 1, NOVEL]
    # In a cluster with labels of two intents, these are no disagreement.
    both = dataclasses.replace(own, labels=np.append(labels[:-2], [0, 1]), intents=mixed)
    assert NOVEL not in intents_of(both).kinds


def test_a_novel_intent_inside_a_known_cluster_is_split_off():
    known, novel = bunch(0, 60), bunch(0, 60, seed=1)
    novel[:, 1] += 0.75
    novel /= np.linalg.norm(novel, axis=1, keepdims=True)
    both = Points(
        vectors=np.concatenate([known, novel]).astype(np.float32),
        weights=np.ones(120),
        labels=np.concatenate([np.zeros(30), np.full(90, UNLABELED)]).astype(np.int64),
        log_odds=np.repeat([2.0, -5.0], 60),
        label_density=np.full(120, 90.0),
        intents=np.zeros(120, np.int64),
    )
    found = intents_of(both)
    assert list(found.kinds) == [0, NOVEL]
    assigned = assign(both.vectors, found, CONFIG).cluster
    assert (assigned[:60] == 0).all() and (assigned[60:] == 1).all()
    # A part with known scores and few labels to expect is not split off.
    calm = dataclasses.replace(both, log_odds=np.full(120, 2.0), label_density=np.ones(120))
    assert list(intents_of(calm).kinds) == [0]


def test_a_log_without_requests_has_no_intents():
    found = intents_of(unlabeled(np.zeros((0, 8), np.float32)))
    assert len(found.kinds) == 0 and found.centroids.shape == (0, 8)
    assert (found.looks_known, found.with_labels) == (0, 0)


def test_a_log_without_large_clusters_has_no_intents():
    few = unlabeled(np.eye(4, dtype=np.float32))
    found = intents_of(few)
    assert found.centroids.shape == (0, 4)
    assigned = assign(few.vectors, found, CONFIG)
    assert list(assigned.cluster) == [-1] * 4 and list(assigned.distance) == [np.inf] * 4


def test_small_clusters_of_junk_with_high_scores_stay_unclear():
    known = [
        group
        for intent in range(5)
        for group in ((bunch(intent, 20), UNLABELED, 2.0), (bunch(intent, 20, 1), intent, 0.0))
    ]
    junk = [(bunch(9, 2), UNLABELED, 1.0), (bunch(9, 2, 1), OUT_OF_DOMAIN, 0.0)]
    assert JUNK not in intents_of(points(*known, *junk)).kinds


def test_an_utterance_that_looks_like_a_rare_intent_does_not_change_the_labels_to_expect():
    both = unlabeled(bunch(0, 20))
    density = np.full(20, 4.0)
    density[0] = 5000.0
    rare = dataclasses.replace(
        both, label_density=density, intents=np.repeat([1, 0], [1, 19]), log_odds=np.full(20, 2.0)
    )
    expected = rare.log_counts(np.zeros(20, int), 1)[3]
    assert expected == pytest.approx(4.0)
