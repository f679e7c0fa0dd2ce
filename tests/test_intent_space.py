"""The learned space, where novel intents of the log lie beside known ones."""

import numpy as np
import pytest
from small_heads import configured, train_head
from synthetic import around, wordless

from advin.discovery.intents.space import learn_intent_space
from advin.discovery.labels import SUSPECTED_NOVEL, UNLABELED
from advin.discovery.metric.rows import TrainingRows
from advin.discovery.novelty.calibration import fit_novelty
from advin.discovery.selection.distance import LEARNED, SEPARATED
from advin.discovery.selection.stability import stable_clusters

# More neighbors than a novel intent has utterances: the others are labeled ones.
CONFIG = configured(hidden=128, steps=100, refresh=20, batch=256, neighbors=60)
KNOWN = 8
DIMENSION = 32


@pytest.fixture(scope="module")
def beside():
    """Vectors, truth and labels: beside each known intent lies a smaller novel one (8 and up)."""
    random = np.random.default_rng(0)
    centers = random.normal(size=(KNOWN, DIMENSION))
    centers = np.concatenate([centers, centers + 1.4 * random.normal(size=centers.shape)])
    truth = np.concatenate([np.repeat(np.arange(KNOWN), 60), np.repeat(np.arange(KNOWN, 16), 15)])
    vectors = around(centers, truth, 0.5, random)
    labels = np.where((truth < KNOWN) & (np.arange(len(truth)) % 60 < 45), truth, UNLABELED)
    return vectors.astype(np.float32), truth, labels


def similarity_to_known(head, vectors, truth):
    """Mean cosine of a novel intent's utterances to those of the known intent beside it."""
    z = head.transform(vectors)
    pairs = [z[truth == k] @ z[truth == k + KNOWN].T for k in range(KNOWN)]
    return float(np.mean([p.mean() for p in pairs]))


def test_suspected_rows_are_not_pulled_towards_labeled_rows(beside):
    vectors, truth, labels = beside
    suspected = np.where(truth >= KNOWN, SUSPECTED_NOVEL, labels)
    without, marked = (
        train_head(TrainingRows(vectors, given), CONFIG) for given in (labels, suspected)
    )
    before, after = (similarity_to_known(head, vectors, truth) for head in (without, marked))
    assert after < before - 0.04


def test_novelty_scores_keep_novel_intents_apart_from_known_ones(beside):
    vectors, truth, labels = beside
    rows = labels >= 0
    novelty = fit_novelty(wordless(vectors[rows]), labels[rows], KNOWN, CONFIG.novelty)
    marked, distance = learn_intent_space(TrainingRows(vectors, labels), CONFIG, novelty)
    without = train_head(TrainingRows(vectors, labels), CONFIG)
    assert distance.origin == LEARNED
    before, after = (similarity_to_known(head, vectors, truth) for head in (without, marked))
    assert after < before - 0.04


def test_without_labels_the_head_is_the_plain_one(beside):
    vectors, truth, _ = beside
    unlabeled = np.full(len(truth), UNLABELED)
    head, distance = learn_intent_space(TrainingRows(vectors, unlabeled), CONFIG, None)
    plain = train_head(TrainingRows(vectors, unlabeled), CONFIG)
    assert head.transform(vectors).tobytes() == plain.transform(vectors).tobytes()
    assert distance.origin == SEPARATED


def test_without_labels_the_neighbor_count_comes_from_stability(beside):
    vectors, truth, _ = beside
    rows = TrainingRows(vectors, np.full(len(truth), UNLABELED))
    config = configured(CONFIG, neighbors="auto", steps=40)
    head, _ = learn_intent_space(rows, config, None)
    neighbors = stable_clusters(rows, config).neighbors
    expected = train_head(rows, configured(config, neighbors=neighbors))
    assert head.transform(vectors).tobytes() == expected.transform(vectors).tobytes()
