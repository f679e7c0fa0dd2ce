"""The learned space, where some of the log's intents lie beside known ones."""

from dataclasses import replace

import numpy as np
import pytest

from advin.discovery.intents.space import learn_intent_space
from advin.discovery.labels import SUSPECTED_NOVEL, UNLABELED
from advin.discovery.metric.training import MetricSettings, TrainingRows, train_metric_head
from advin.discovery.novelty.novelty import fit_novelty
from advin.discovery.selection.distance import AGREED, LEARNED
from advin.discovery.selection.stability import stable_clusters

# More neighbors than a new intent has utterances: the others are labeled ones.
FAST = MetricSettings(hidden=128, steps=100, refresh=20, batch=256, neighbors=60)
KNOWN = 8
DIMENSION = 32


@pytest.fixture(scope="module")
def beside():
    """Vectors, truth and labels: each known intent has a smaller new one (8 and up) beside it."""
    random = np.random.default_rng(0)
    centers = random.normal(size=(KNOWN, DIMENSION))
    centers = np.concatenate([centers, centers + 1.4 * random.normal(size=centers.shape)])
    truth = np.concatenate([np.repeat(np.arange(KNOWN), 60), np.repeat(np.arange(KNOWN, 16), 15)])
    vectors = centers[truth] + 0.5 * random.normal(size=(len(truth), DIMENSION))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = np.where((truth < KNOWN) & (np.arange(len(truth)) % 60 < 45), truth, UNLABELED)
    return vectors.astype(np.float32), truth, labels


def beside_similarity(head, vectors, truth):
    """Mean cosine of a new intent's utterances with those of the known intent beside it."""
    z = head.transform(vectors)
    pairs = [z[truth == k] @ z[truth == k + KNOWN].T for k in range(KNOWN)]
    return float(np.mean([p.mean() for p in pairs]))


def test_doubted_rows_are_not_pulled_towards_labeled_ones(beside):
    vectors, truth, labels = beside
    told = np.where(truth >= KNOWN, SUSPECTED_NOVEL, labels)
    pulled, left = (
        train_metric_head(TrainingRows(vectors, given), FAST) for given in (labels, told)
    )
    before, after = (beside_similarity(head, vectors, truth) for head in (pulled, left))
    assert after < before - 0.04


def test_stage_one_keeps_new_intents_apart_from_the_known_beside_them(beside):
    vectors, truth, labels = beside
    rows = labels >= 0
    novelty = fit_novelty(vectors[rows], labels[rows], KNOWN)
    with_doubt, distance = learn_intent_space(TrainingRows(vectors, labels), FAST, novelty)
    without = train_metric_head(TrainingRows(vectors, labels), FAST)
    assert distance.origin == LEARNED
    before, after = (beside_similarity(head, vectors, truth) for head in (without, with_doubt))
    assert after < before - 0.04


def test_without_known_intents_it_is_the_plain_head(beside):
    vectors, truth, _ = beside
    nothing = np.full(len(truth), UNLABELED)
    head, distance = learn_intent_space(TrainingRows(vectors, nothing), FAST, None)
    plain = train_metric_head(TrainingRows(vectors, nothing), FAST)
    assert head.transform(vectors).tobytes() == plain.transform(vectors).tobytes()
    assert distance.origin == AGREED


def test_without_known_intents_the_log_tells_how_many_neighbors_make_an_intent(beside):
    vectors, truth, _ = beside
    rows = TrainingRows(vectors, np.full(len(truth), UNLABELED))
    asked = replace(FAST, neighbors=0, steps=40)
    head, _ = learn_intent_space(rows, asked, None)
    told = train_metric_head(rows, replace(asked, neighbors=stable_clusters(rows, asked).neighbors))
    assert head.transform(vectors).tobytes() == told.transform(vectors).tobytes()
