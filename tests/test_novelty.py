import time

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from synthetic import draw_intents, in_words, wordless

from advin.discovery.config import NoveltyConfig
from advin.discovery.novelty.calibration import calibrate, fit_novelty
from advin.discovery.novelty.held_out import hold_out
from advin.discovery.novelty.known_space import train_known_space
from advin.discovery.novelty.model import NoveltyModel
from advin.discovery.novelty.scores import SCORE_NAMES

CONFIG = NoveltyConfig()


@pytest.fixture(scope="module")
def known_and_unknown():
    """Twelve intents, of which the last three are unknown; half of the rows are held out."""
    x, labels = draw_intents(12, 60)
    fit = (labels < 9) & (np.arange(len(x)) % 2 == 0)
    held = np.arange(len(x)) % 2 == 1
    utterances = in_words(x, labels)
    return utterances.take(fit), labels[fit], utterances.take(held), labels[held]


@pytest.fixture(scope="module")
def held(known_and_unknown):
    x, labels, _, _ = known_and_unknown
    return hold_out(x, labels, 9, CONFIG)


@pytest.fixture(scope="module")
def model(held):
    return calibrate(held, CONFIG)


def test_unknown_intents_are_flagged_and_known_ones_kept(model, known_and_unknown):
    _, _, x, labels = known_and_unknown
    found = model.score(x)
    unknown = labels >= 9
    assert roc_auc_score(unknown, found.score) > 0.97
    assert (found.score[unknown] > 0).mean() > 0.85
    assert (found.score[~unknown] <= 0).mean() > 0.85
    assert (found.best_class == labels)[~unknown].mean() > 0.95


def test_probability_falls_as_the_score_rises_and_is_higher_if_right(model, known_and_unknown):
    _, _, x, labels = known_and_unknown
    found = model.score(x)
    order = np.argsort(found.score)
    assert (np.diff(found.probability[order]) <= 1e-6).all()
    right = found.best_class == labels
    # Calibrated as if half of the rows were unknown; here it is a quarter.
    assert found.probability[right].mean() > 0.75
    assert found.probability[labels >= 9].mean() < 0.3
    assert found.probability.min() >= 0 and found.probability.max() <= 1


@pytest.mark.parametrize("name", [s for s in SCORE_NAMES if s != "open_set"])
def test_each_score_alone_separates_unknown_from_known_intents(name, known_and_unknown, held):
    _, _, test, truth = known_and_unknown
    found = calibrate(held, CONFIG, (name,)).score(test)
    assert roc_auc_score(truth >= 9, found.score) > 0.9
    assert 0.6 < (found.score[truth < 9] <= 0).mean()
    assert 0.6 < (found.score[truth >= 9] > 0).mean()


def test_out_of_domain_text_helps_to_flag_similar_text():
    x, labels = draw_intents(6, 40)
    # Out-of-domain text so close to a known intent that it looks like it.
    middle = x[labels == 0] + x[labels == 1] * np.float16(0.45)
    middle = (middle / np.linalg.norm(middle, axis=1, keepdims=True)).astype(np.float16)
    with_ood = fit_novelty(wordless(x), labels, 6, CONFIG, wordless(middle[:30]))
    without = fit_novelty(wordless(x), labels, 6, CONFIG)
    unlike = wordless(middle[30:])
    flagged = [(model.score(unlike).score > 0).mean() for model in (without, with_ood)]
    assert flagged[1] > flagged[0] + 0.3


def test_a_stored_model_gives_the_same_scores(model, known_and_unknown):
    _, _, x, _ = known_and_unknown
    restored = NoveltyModel.from_arrays(model.to_arrays())
    for name in ("score", "best_class", "probability"):
        assert np.array_equal(getattr(model.score(x), name), getattr(restored.score(x), name))


def test_a_stored_model_keeps_the_open_classifier():
    x, labels = draw_intents(4, 12)
    x = in_words(x, labels)
    model = fit_novelty(x, labels, 4, CONFIG, wordless(draw_intents(3, 10, seed=1)[0]))
    arrays = model.to_arrays()
    assert all(isinstance(a, np.ndarray) for a in arrays.values())
    restored = NoveltyModel.from_arrays(arrays)
    assert np.array_equal(model.score(x).score, restored.score(x).score)


def test_the_same_rows_and_seed_give_the_same_bytes(known_and_unknown, model):
    x, labels, test, _ = known_and_unknown
    again = fit_novelty(x, labels, 9, CONFIG)
    assert again.score(test).score.tobytes() == model.score(test).score.tobytes()


@pytest.mark.parametrize(
    ("intents", "rows"), [(1, 1), (1, 2), (1, 30), (2, 1), (2, 9), (3, 1), (40, 1)]
)
def test_few_labels_give_finite_scores_that_are_lower_for_labeled_rows(intents, rows):
    x, labels = draw_intents(intents, rows, spread=0.3)
    x, far = in_words(x, labels), wordless(draw_intents(5, 4, seed=9)[0])
    model = fit_novelty(x, labels, intents, CONFIG)
    for utterances in (x, far, x.take(np.zeros(0, int))):
        found = model.score(utterances)
        sizes = {len(found.score), len(found.best_class), len(found.probability)}
        assert sizes == {len(utterances)}
        assert np.isfinite(found.score).all() and np.isfinite(found.probability).all()
    assert (model.score(x).best_class == labels).mean() > 0.9
    assert model.score(far).score.mean() > model.score(x).score.mean()


def test_equal_rows_give_finite_scores():
    x = wordless(np.tile(draw_intents(1, 1)[0], (20, 1)))
    found = fit_novelty(x, np.arange(20) % 2, 2, CONFIG).score(x)
    assert np.isfinite(found.score).all()


def test_a_thousand_intents_are_fitted_in_a_minute():
    x, labels = draw_intents(1000, 4, spread=0.2)
    x = in_words(x, labels)
    started = time.process_time()
    found = fit_novelty(x, labels, 1000, CONFIG).score(x)
    assert time.process_time() - started < 60
    assert (found.best_class == labels).mean() > 0.9


def test_the_known_space_separates_intents_better():
    x, labels = draw_intents(8, 40, spread=0.9)
    space = train_known_space(x, labels, CONFIG.space, seed=0)

    def separation(z):
        """Probability that a pair of one intent is more similar than a pair of two intents."""
        pairs = np.triu_indices(len(z), 1)
        return roc_auc_score((labels[:, None] == labels)[pairs], (z @ z.T)[pairs])

    assert separation(space.transform(x)) > separation(x.astype(np.float32)) + 0.02


def test_a_single_intent_leaves_the_space_unchanged():
    x, labels = draw_intents(1, 10)
    z = train_known_space(x, labels, CONFIG.space, seed=0).transform(x)
    assert np.allclose(z, x.astype(np.float32), atol=2e-3)


def test_wrong_labels_and_score_names_are_refused(held):
    x, labels = draw_intents(3, 4)
    with pytest.raises(ValueError, match="cover 3 of 4 intents, up to 2: give each intent"):
        fit_novelty(wordless(x), labels, 4, CONFIG)
    with pytest.raises(ValueError, match=r"no such novelty scores: \['entropy'\]; choose from"):
        calibrate(held, CONFIG, ("entropy",))
    with pytest.raises(ValueError, match="need out-of-domain text"):
        calibrate(held, CONFIG, ("open_set",))


def test_a_refitted_model_keeps_weights_and_threshold_and_flags_hidden_intents(
    known_and_unknown, model
):
    x, labels, test, truth = known_and_unknown
    fewer = labels < 6
    refitted = model.refitted(x.take(fewer), labels[fewer], CONFIG)
    for name in ("threshold", "weights"):
        assert getattr(refitted, name) == getattr(model, name)
    hidden, known = (truth >= 6) & (truth < 9), truth < 6
    assert (model.score(test.take(hidden)).score > 0).mean() < 0.4
    assert (refitted.score(test.take(hidden)).score > 0).mean() > 0.7
    assert (refitted.score(test.take(known)).score > 0).mean() < 0.4
