from dataclasses import replace

import numpy as np
import pytest

from discovery import stability
from discovery.agreement import ari, contingency
from discovery.linkage import average_linkage
from discovery.metric import (
    UNLABELED,
    MetricSettings,
    TrainingRows,
    default_neighbours,
    train_metric_head,
)
from discovery.stability import stable_neighbours

FAST = MetricSettings(hidden=64, steps=80, refresh=20, batch=128)


def unlabelled(intents, per_intent, spread=0.9, alike=0.0, seed=0):
    """Unit vectors around centres, fives of which are alike; none labelled, and their intents."""
    random = np.random.default_rng(seed)
    truth = random.permutation(np.repeat(np.arange(intents), per_intent))
    centres = random.normal(size=(intents, 24))
    centres += alike * random.normal(size=(-(-intents // 5), 24))[np.arange(intents) // 5]
    vectors = centres[truth] + spread * random.normal(size=(len(truth), 24))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return TrainingRows(vectors.astype(np.float32), np.full(len(truth), UNLABELED)), truth


def found(rows, truth, neighbours):
    """How well the clusters of a head that is trained with so many neighbours are the intents."""
    head = train_metric_head(rows, replace(FAST, neighbours=neighbours))
    tree = average_linkage(head.transform(rows.vectors), np.ones(len(rows)), floor=0.5)
    return ari(contingency(truth, tree.cut(0.5)))


def test_the_number_follows_the_size_of_intents():
    small, large = (unlabelled(1000 // size, size)[0] for size in (12, 120))
    assert stable_neighbours(small, FAST) < 12 <= stable_neighbours(large, FAST)


def test_small_intents_are_not_drawn_together():
    rows, truth = unlabelled(intents=60, per_intent=12, spread=0.7, alike=1.0)
    constant = found(rows, truth, default_neighbours(rows.vectors, rows.labels))
    assert found(rows, truth, stable_neighbours(rows, FAST)) > constant + 0.2


def test_a_sample_tells_the_number_of_the_whole(monkeypatch):
    rows, _ = unlabelled(intents=8, per_intent=75)
    whole = stable_neighbours(rows, FAST)
    monkeypatch.setattr(stability, "MAX_ROWS", 300)
    assert whole / 2 <= stable_neighbours(rows, FAST) <= 2 * whole


@pytest.mark.parametrize(("rows", "neighbours"), [(1, 1), (10, 1), (60, 3), (160, 8)])
def test_few_rows_are_not_asked(rows, neighbours):
    assert stable_neighbours(unlabelled(rows, 1)[0], FAST) == neighbours
