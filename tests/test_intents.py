"""Stage II: which clusters become known intents, novel intents and junk, by their contents."""

import dataclasses

import numpy as np
import pytest
from synthetic import axis_intent

from advin.discovery.config import IntentsConfig
from advin.discovery.intents import decision
from advin.discovery.intents.assignment import Intents, assign
from advin.discovery.intents.decision import IntentRules, discover_intents
from advin.discovery.intents.points import Points, repetition_weights
from advin.discovery.intents.verdicts import (
    ClusterStats,
    KnownClusterBaseline,
    known_cluster_baseline,
)
from advin.discovery.labels import JUNK, NOVEL, OUT_OF_DOMAIN, TOO_SMALL, UNCLEAR, UNLABELED

CONFIG = IntentsConfig()
RULES = IntentRules(distance=0.4, radius=0.4, min_size=5)
DIMENSION = 16


def bunch(direction: int, size: int, seed: int = 0) -> np.ndarray:
    """Unit vectors close to an axis."""
    return axis_intent(direction, size, DIMENSION, seed + 100 * direction).astype(np.float32)


def intents_of(points: Points) -> Intents:
    return discover_intents(points, RULES, CONFIG)


def points(*groups: tuple[np.ndarray, int, float]) -> Points:
    """Points from (vectors, label, novelty score)."""
    vectors, labels, novelty = zip(*groups, strict=True)
    sizes = [len(v) for v in vectors]
    return Points(
        np.concatenate(vectors),
        np.ones(sum(sizes)),
        np.repeat(labels, sizes),
        np.repeat(novelty, sizes).astype(np.float32),
    )


def test_known_novel_and_junk_clusters_are_separated():
    found = intents_of(
        points(
            (bunch(0, 20), UNLABELED, -1.0),  # known: with labeled utterances
            (bunch(0, 8, seed=1), 0, 0.0),
            (bunch(1, 20), UNLABELED, 2.0),  # novel
            (bunch(2, 20), UNLABELED, 2.0),  # junk: with out-of-domain examples
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
    groups = [(here, UNLABELED, -1.0), (there, UNLABELED, -1.0)]
    groups += [(towards(0, 3, 3), 0, 0.0), (towards(1, 3, 4), 1, 0.0)]
    together = points(*groups)
    assert len(np.unique(decision._clusters(together, RULES, CONFIG))) == 1
    found = intents_of(together)
    assert found.kinds.tolist() == [0, 1]
    for centroid, own in zip(found.centroids, (here, there), strict=True):
        mean = own.mean(axis=0)
        assert centroid @ mean / np.linalg.norm(mean) > 0.999


def test_a_known_intent_without_utterances_in_the_log_is_kept():
    found = intents_of(
        points((bunch(0, 5), 0, 0.0), (bunch(1, 5), 1, 0.0), (bunch(2, 9), UNLABELED, 1.0))
    )
    assert found.kinds.tolist() == [0, 1, NOVEL]


def test_small_clusters_are_not_intents():
    found = intents_of(points((bunch(0, 4), UNLABELED, 1.0), (bunch(1, 5), UNLABELED, 1.0)))
    assert found.kinds.tolist() == [NOVEL, TOO_SMALL] and found.centroids[0].argmax() == 1


def test_a_cluster_with_known_scores_and_no_labels_is_not_novel():
    found = intents_of(points((bunch(0, 9), UNLABELED, -1.0), (bunch(1, 5), 0, 0.0)))
    assert found.kinds.tolist() == [0, UNCLEAR]


@pytest.mark.parametrize(
    ("novelty", "labels", "each", "is_novel"),
    [
        (-0.5, 0, 10, True),  # more novel than known clusters, and no labels
        (-1.5, 0, 10, False),  # less novel than known clusters
        (-0.5, 5, 10, False),  # half as many labels as known clusters
        (-0.5, 0, 4, True),  # 4 labels expected: 0 is significantly few
        (-0.5, 1, 4, False),  # 4 labels expected: 1 is not
        (-0.5, 0, 1, False),  # known clusters have few labels too
        (-0.5, 0, 2, True),  # 0 labels of 2 may be chance, but not with the highest scores
        (-1.0, 0, 2, False),  # scores like those of known clusters
    ],
)
def test_a_cluster_without_expected_labels_can_be_novel(novelty, labels, each, is_novel):
    known = [
        group
        for intent in range(5)
        for group in ((bunch(intent, 20), UNLABELED, -1.0), (bunch(intent, each, 1), intent, 0.0))
    ]
    found = intents_of(
        points(*known, (bunch(9, 20), UNLABELED, novelty), (bunch(9, labels, 1), 0, 0.0))
    )
    assert (NOVEL in found.kinds) == is_novel


def test_in_a_short_log_small_known_clusters_make_the_baseline():
    known = [
        group
        for intent in range(5)
        for group in ((bunch(intent, 3), UNLABELED, -1.0), (bunch(intent, 20, 1), intent, 0.0))
    ]
    found = intents_of(points(*known, (bunch(9, 20), UNLABELED, -0.5)))
    assert found.kinds.tolist() == [0, 1, 2, 3, 4, NOVEL]


def test_small_known_clusters_do_not_change_the_baseline_of_ten_large_ones():
    large = np.repeat([True, False], [10, 30])
    stats = ClusterStats(
        log=np.where(large, 50, 2),
        unflagged=np.where(large, 50, 2),
        novelty=np.where(large, -1.0, -3.0),
        out_of_domain=np.zeros(40),
        labeled=np.where(large, 25, 40),
        share=np.ones(40),
        intent=np.arange(40),
    )
    baseline = known_cluster_baseline(stats, RULES.min_size, CONFIG)
    assert baseline == KnownClusterBaseline(novelty=-1.0, labeled=0.5, scores=10 * (-1.0,))


def test_a_stray_label_does_not_make_a_novel_cluster_known():
    found = intents_of(
        points(
            (bunch(0, 20), 0, 0.0),
            (bunch(1, 1, seed=5), 0, 0.0),
            (bunch(1, 20), UNLABELED, 2.0),
        )
    )
    assert found.kinds.tolist() == [0, NOVEL]


def test_a_stray_out_of_domain_example_does_not_make_a_cluster_junk():
    found = intents_of(
        points(
            (bunch(0, 60), UNLABELED, 2.0),
            (bunch(0, 1, seed=5), OUT_OF_DOMAIN, 0.0),
            (bunch(1, 60), UNLABELED, 2.0),
            (bunch(1, 40, seed=5), OUT_OF_DOMAIN, 0.0),
        )
    )
    assert found.kinds.tolist() == [NOVEL, JUNK]


def test_weights_count_as_repeated_utterances():
    vectors = np.concatenate([bunch(0, 6), bunch(1, 6)])
    labels, novelty = np.full(12, UNLABELED), np.ones(12, np.float32)
    once = intents_of(Points(vectors, np.ones(12), labels, novelty))
    often = intents_of(Points(vectors, np.full(12, 50.0), labels, novelty))
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
    labels, novelty = np.full(41, UNLABELED), np.ones(41, np.float32)
    by_count = intents_of(Points(vectors, counts, labels, novelty))
    damped = intents_of(Points(vectors, repetition_weights(counts), labels, novelty))
    once = intents_of(Points(vectors, np.ones(41), labels, novelty))
    assert len(by_count.kinds) == 1
    assert len(once.kinds) == len(damped.kinds) == 2
    intent = assign(vectors, damped, 1).cluster
    assert len(set(intent[:20])) == len(set(intent[21:])) == 1 and intent[0] != intent[40]


def test_utterances_go_to_the_nearest_centroid_within_its_radius():
    rng = np.random.default_rng(0)
    centroids = rng.normal(size=(6, DIMENSION))
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    kinds = np.array([0, 1, NOVEL, NOVEL, JUNK, NOVEL])
    radii = np.full(6, 0.7, np.float32)
    intents = Intents(centroids.astype(np.float32), kinds, radii)
    x = rng.normal(size=(200, DIMENSION))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    found = assign(x, intents, 8)
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
    intents = Intents(axes[:4], kinds, np.full(4, 0.4, np.float32))
    near_unclear = axes[2] + 0.9 * axes[0]
    both = near_unclear / np.linalg.norm(near_unclear)
    vectors = np.stack([axes[0], axes[2], both, axes[3], axes[9]])
    assert assign(vectors, intents, 1).cluster.tolist() == [0, 2, 0, 3, -1]


def test_conversational_utterances_belong_to_no_cluster():
    axes = np.eye(DIMENSION, dtype=np.float32)
    kinds = np.array([0, NOVEL, JUNK, UNCLEAR])
    intents = Intents(axes[:4], kinds, np.full(4, 0.4, np.float32))
    assert assign(axes[:4], intents, 1, np.ones(4, bool)).cluster.tolist() == [-1] * 4
    assert assign(axes[:4], intents, 1, np.zeros(4, bool)).cluster.tolist() == [0, 1, 2, 3]


def test_too_many_points_for_one_worker_are_refused():
    few = dataclasses.replace(CONFIG, max_points=10)
    with pytest.raises(ValueError, match="11 points, but at most 10"):
        discover_intents(points((bunch(0, 11), UNLABELED, 1.0)), RULES, few)


def test_a_novel_intent_inside_a_known_cluster_is_split_off():
    known, novel = bunch(0, 60), bunch(0, 60, seed=1)
    novel[:, 1] += 0.75
    novel /= np.linalg.norm(novel, axis=1, keepdims=True)
    both = Points(
        vectors=np.concatenate([known, novel]).astype(np.float32),
        weights=np.ones(120),
        labels=np.concatenate([np.zeros(30), np.full(90, UNLABELED)]).astype(np.int64),
        novelty=np.concatenate([np.full(60, -1.0), np.full(60, 1.0)]).astype(np.float32),
    )
    found = intents_of(both)
    assert list(found.kinds) == [0, NOVEL]
    assigned = assign(both.vectors, found, 1).cluster
    assert (assigned[:60] == 0).all() and (assigned[60:] == 1).all()
    # A part with known scores is not split off.
    calm = dataclasses.replace(both, novelty=np.full(120, -1, np.float32))
    assert list(intents_of(calm).kinds) == [0]


def test_a_log_without_large_clusters_has_no_intents():
    few = Points(
        vectors=np.eye(4, dtype=np.float32),
        weights=np.ones(4),
        labels=np.full(4, UNLABELED),
        novelty=np.ones(4, np.float32),
    )
    found = intents_of(few)
    assert found.centroids.shape == (0, 4)
    assigned = assign(few.vectors, found, 1)
    assert list(assigned.cluster) == [-1] * 4 and list(assigned.distance) == [np.inf] * 4


def test_small_clusters_of_junk_with_high_scores_stay_unclear():
    known = [
        group
        for intent in range(5)
        for group in ((bunch(intent, 20), UNLABELED, -1.0), (bunch(intent, 20, 1), intent, 0.0))
    ]
    junk = [(bunch(9, 2), UNLABELED, -0.5), (bunch(9, 2, 1), OUT_OF_DOMAIN, 0.0)]
    assert JUNK not in intents_of(points(*known, *junk)).kinds
