"""Tests of the confidence of an intent."""

import numpy as np
import pytest

from advin.discovery.intents.assignment import Assigned
from advin.discovery.intents.confidence import confidence, silhouettes
from advin.discovery.intents.summary import summarize

TIGHT = np.repeat(np.eye(4, dtype=np.float32)[:1], 5, axis=0)


def test_a_silhouette_compares_the_two_nearest_intents():
    distances = np.array([[0.1, 0.4, 0.5], [0.3, 0.3, 0.9], [0.0, 0.2, 0.2], [0.0, 0.0, 1.0]])
    found = silhouettes(distances[:, 0], np.ones(4, bool), distances)
    np.testing.assert_allclose(found, [0.75, 0, 1, 0])


def test_a_silhouette_is_negative_if_another_intent_is_nearer():
    distances = np.array([[0.1, 0.4], [0.1, 0.4]])
    found = silhouettes(np.array([0.4, 0.8]), np.zeros(2, bool), distances)
    np.testing.assert_allclose(found, [-0.75, -0.875])


@pytest.mark.parametrize("distance", [0.2, np.inf])
def test_without_a_second_intent_nothing_is_unclear(distance):
    own = np.full(3, distance, np.float32)
    assert silhouettes(own, np.ones(3, bool), own[:, None]).tolist() == [1, 1, 1]


def test_confidence_falls_as_utterances_differ_and_as_another_intent_is_near():
    mixed = np.concatenate([TIGHT, np.eye(4, dtype=np.float32)])
    assert confidence(0.8, TIGHT) == pytest.approx(0.8)
    assert confidence(0.8, mixed) < confidence(0.8, TIGHT)
    assert confidence(0.2, TIGHT) < confidence(0.8, TIGHT)


def test_opposite_utterances_and_a_single_one_have_no_confidence():
    assert confidence(1.0, np.array([[1.0, 0.0], [-1.0, 0.0]])) == 0
    assert confidence(1.0, TIGHT[:1]) == 0
    assert confidence(None, TIGHT) is None


def test_summed_silhouettes_do_not_depend_on_how_a_log_is_split():
    random = np.random.default_rng(0)
    distances = np.sort(random.random((200, 3)).astype(np.float32), axis=1)
    nearest = random.permuted(np.tile(np.arange(3, dtype=np.int32), (200, 1)), axis=1)
    place = random.integers(0, 3, 200)
    rows = np.arange(200)
    assigned = Assigned(nearest[rows, place], distances[rows, place], nearest, distances)
    counts = np.ones(200, np.int64)
    whole = {i: size for i, size, _ in summarize(assigned, assigned.cluster, counts, 10)}
    halves = [(_part(assigned, p), counts[p]) for p in (slice(0, 37), slice(37, 200))]
    parts = [
        {i: size for i, size, _ in summarize(half, half.cluster, own, 10)} for half, own in halves
    ]
    for intent, size in whole.items():
        assert size.silhouette == sum(part[intent].silhouette for part in parts)
        mine = _part(assigned, assigned.cluster == intent)
        mean = silhouettes(mine.distance, mine.nearest[:, 0] == intent, mine.distances).mean()
        assert size.mean_silhouette == pytest.approx(mean, abs=1e-6)


def _part(assigned: Assigned, rows: slice | np.ndarray) -> Assigned:
    columns = (assigned.cluster, assigned.distance, assigned.nearest, assigned.distances)
    return Assigned(*(column[rows] for column in columns))


def test_an_empty_part_of_a_log_has_no_intents():
    none = np.zeros((0, 0), np.float32)
    empty = Assigned(np.zeros(0, np.int32), none.ravel(), none.astype(np.int32), none)
    assert list(summarize(empty, empty.cluster, np.zeros(0, np.int64), 10)) == []
