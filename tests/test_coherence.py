"""Incoherent clusters: which novel clusters are junk in the encoder's space."""

import numpy as np
import pytest
from synthetic import draw_intents

from advin.discovery.config import CoherenceConfig
from advin.discovery.intents.coherence import coherence, incoherent_intents, min_coherence

CONFIG = CoherenceConfig()
# Out-of-domain z-scores of a sample.
FAR, NEAR = 5.0, 0.5


@pytest.fixture
def intents():
    """Samples of eight intents, forty utterances each."""
    x, labels = draw_intents(8, 40)
    return [x[labels == intent] for intent in range(8)]


@pytest.fixture
def least(intents):
    return min_coherence(intents, empty(8), CONFIG)


def empty(intents):
    return intents * [np.zeros((0, 24), np.float16)]


def is_junk(samples, novel, zscore, least):
    """Judge one intent as novel; the others are known."""
    is_novel = np.arange(len(samples)) == novel
    zscores = np.where(is_novel, zscore, 0.0)
    found = incoherent_intents(samples, is_novel, zscores, least, CONFIG)
    assert not found[~is_novel].any()
    return bool(found[novel])


def unrelated(rows=40, seed=1):
    """Utterances that have nothing in common."""
    return draw_intents(rows, 1, seed, spread=0.0)[0]


def leftovers(intents):
    """Most utterances of each intent, and a cluster of the others."""
    return [x[5:] for x in intents], np.concatenate([x[:5] for x in intents])


def test_coherence_is_the_mean_cosine_of_all_pairs(intents):
    for x in intents:
        cosines = x.astype(np.float64) @ x.T.astype(np.float64)
        others = ~np.eye(len(x), dtype=bool)
        assert coherence(x) == pytest.approx(cosines[others].mean())


@pytest.mark.parametrize("rows", [0, 1])
def test_fewer_than_two_utterances_have_no_coherence(rows):
    assert np.isnan(coherence(np.ones((rows, 4)) / 2))


def test_known_intents_exceed_the_least_coherence(intents, least):
    values = [coherence(x) for x in intents]
    assert 0 < least < min(values)
    # An intent with one utterance has no effect; labels count like the log.
    assert min_coherence([*intents, unrelated(1)], empty(9), CONFIG) == least
    assert min_coherence(empty(8), intents, CONFIG) == least


def test_labels_made_from_templates_do_not_raise_the_least_coherence(intents, least):
    templates = [np.repeat(x[:1], 10, axis=0) for x in intents]
    assert min_coherence(empty(8), templates, CONFIG) > least
    assert min_coherence(intents, templates, CONFIG) == least


@pytest.mark.parametrize("known", [[], empty(2)])
def test_without_known_utterances_no_intent_is_junk(intents, known):
    assert not is_junk([*intents, unrelated()], 8, FAR, min_coherence(known, known, CONFIG))


def test_a_coherent_intent_is_kept_however_far_it_is(intents, least):
    assert not is_junk(intents, 3, FAR, least)


def test_an_incoherent_cluster_far_from_known_utterances_is_junk(intents, least):
    assert is_junk([*intents, unrelated()], 8, FAR, least)


@pytest.mark.parametrize("zscore", [NEAR, FAR])
def test_an_incoherent_cluster_of_near_duplicates_is_kept(intents, least, zscore):
    # Like factual questions: pairs of near duplicates with nothing else in common.
    questions = np.concatenate([unrelated(), unrelated()])
    assert not is_junk([*intents, questions], 8, zscore, least)


def test_leftovers_between_intents_are_junk(intents, least):
    rest, mixture = leftovers(intents)
    assert is_junk([*rest, mixture], 8, NEAR, least)


def test_known_intents_are_never_junk(intents, least):
    samples = [*intents, unrelated()]
    known = np.zeros(9, bool)
    assert not incoherent_intents(samples, known, np.full(9, FAR), least, CONFIG).any()


def test_the_order_of_utterances_and_intents_has_no_effect(intents, least):
    rest, mixture = leftovers(intents)
    samples = [*rest, mixture, unrelated()]
    is_novel, zscores = np.arange(10) >= 6, np.array(9 * [NEAR] + [FAR])
    found = incoherent_intents(samples, is_novel, zscores, least, CONFIG)
    turned = [x[::-1] for x in samples[::-1]]
    other = incoherent_intents(turned, is_novel[::-1], zscores[::-1], least, CONFIG)
    assert found.sum() == 2 and (other[::-1] == found).all()


def test_an_intent_without_utterances_is_kept(intents, least):
    assert not is_junk([*intents, np.zeros((0, 24), np.float16)], 8, FAR, least)


def test_a_single_incoherent_cluster_is_kept(least):
    assert not is_junk([unrelated()], 0, NEAR, least)
