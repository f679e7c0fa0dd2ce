"""Stage I follows the share of known utterances in a log."""

import numpy as np
import pytest
from scipy.special import logit
from synthetic import around, wordless

from advin.discovery.config import Config
from advin.discovery.novelty.calibration import fit_novelty
from advin.discovery.novelty.label_shift import adapted_to_log, known_share

CONFIG = Config().novelty


def log_odds(share, n=4000, seed=0):
    """Calibrated log-odds of normal scores, one spread on both sides, for a share of one half."""
    random = np.random.default_rng(seed)
    is_known = random.random(n) < share
    return 2 * random.normal(np.where(is_known, 1, -1))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.9])
def test_the_share_is_found(share):
    assert known_share(log_odds(share), 0.95) == pytest.approx(share, abs=0.03)


def test_the_share_is_bounded():
    assert known_share(np.full(10, 20.0), 0.9) == pytest.approx(0.9, abs=1e-4)
    assert known_share(np.full(10, -20.0), 0.9) == pytest.approx(0.1, abs=1e-4)


@pytest.fixture(scope="module")
def stage_one():
    """Stage I on four of eight intents, and a function that draws a log."""
    random = np.random.default_rng(0)
    centers = random.normal(size=(8, 16))
    labels = np.repeat(np.arange(4), 30)
    model = fit_novelty(wordless(around(centers, labels, 0.8, random)), labels, 4, CONFIG)

    def draw(known, n=400):
        intents = np.where(
            random.random(n) < known, random.integers(0, 4, n), random.integers(4, 8, n)
        )
        return wordless(around(centers, intents, 0.8, random))

    return model, draw


def test_a_log_of_known_utterances_raises_the_probability(stage_one):
    model, draw = stage_one
    adapted = adapted_to_log(model, draw(0.9), CONFIG)
    raised = adapted.calibration - model.calibration
    assert raised[0] == 0
    assert 1 < raised[1] <= logit(CONFIG.max_known_share) + 1e-9
    log = draw(0.5)
    before, after = model.score(log), adapted.score(log)
    assert (before.score == after.score).all()
    assert (after.probability >= before.probability).all()


def test_a_log_of_unknown_utterances_and_no_log_change_nothing(stage_one):
    model, draw = stage_one
    for log in (draw(0.2), draw(0.2, n=0)):
        adapted = adapted_to_log(model, log, CONFIG)
        assert adapted.calibration.tolist() == model.calibration.tolist()


def test_the_adaptation_can_be_switched_off(stage_one):
    model, draw = stage_one
    config = Config().with_values({"novelty.max_known_share": 0.5}).novelty
    adapted = adapted_to_log(model, draw(0.9), config)
    assert adapted.calibration.tolist() == model.calibration.tolist()
