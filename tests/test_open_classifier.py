import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from synthetic import around

from advin.discovery.config import OpenSetConfig
from advin.discovery.novelty.open_classifier import OpenClassifier

CONFIG = OpenSetConfig()


def draw(centers, rows, seed):
    labels = np.repeat(np.arange(len(centers)), rows)
    return around(centers, labels, 0.6, seed).astype(np.float16)


@pytest.fixture(scope="module")
def data():
    """Five intents and two kinds of out-of-domain text: training rows and test rows."""
    centers = np.random.default_rng(0).normal(size=(7, 16))
    labels = np.repeat(np.arange(5), 40)
    return labels, *(draw(c, 40, s) for s in (1, 2) for c in (centers[:5], centers[5:]))


def test_the_open_classifier_is_as_good_as_logistic_regression(data):
    labels, x, ood, test, test_ood = data
    both, truth = np.concatenate([test, test_ood]), np.repeat([0, 1], [len(test), len(test_ood)])
    y = np.concatenate([labels, np.full(len(ood), 5)])
    reference = LogisticRegression(C=30, max_iter=1000, class_weight="balanced")
    expected = reference.fit(np.concatenate([x, ood]), y).predict(both) == 5
    found = OpenClassifier.fit(x, labels, ood, CONFIG).log_odds(both) > 0
    assert (found == truth).mean() >= (expected == truth).mean() - 0.02
    assert (found == expected).mean() > 0.95


def test_rare_out_of_domain_text_has_the_weight_of_an_intent(data):
    labels, x, ood, _, test_ood = data
    found = OpenClassifier.fit(x, labels, ood[::16], CONFIG)
    assert (found.log_odds(test_ood) > 0).mean() > 0.6


def test_a_single_intent_is_separated_from_the_open_class(data):
    _, x, ood, test, test_ood = data
    found = OpenClassifier.fit(x[:40], np.zeros(40, np.int64), ood, CONFIG)
    assert found.log_odds(test_ood).mean() > 0 > found.log_odds(test[:40]).mean()


def test_storing_and_repeating_give_the_same_bytes(data):
    labels, x, ood, test, _ = data
    first = OpenClassifier.fit(x, labels, ood, CONFIG)
    restored = OpenClassifier.from_arrays(first.to_arrays())
    assert np.array_equal(first.log_odds(test), restored.log_odds(test))
    again = OpenClassifier.fit(x, labels, ood, CONFIG)
    assert first.weights.tobytes() == again.weights.tobytes()


def test_missing_rows_of_either_kind_are_refused(data):
    labels, x, ood, _, _ = data
    with pytest.raises(ValueError, match="200 labeled and 0 out-of-domain rows: give some"):
        OpenClassifier.fit(x, labels, ood[:0], CONFIG)
    with pytest.raises(ValueError, match="0 labeled and 80 out-of-domain"):
        OpenClassifier.fit(x[:0], labels[:0], ood, CONFIG)
