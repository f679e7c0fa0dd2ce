import numpy as np
import pytest
from drawn_intents import draw

from advin.discovery.intents.coherence import coherence, incoherent, least_coherence

FAR, NEAR = 5.0, 0.5


@pytest.fixture
def intents():
    """Samples of eight intents of forty utterances each."""
    x, labels = draw(8, 40)
    return [x[labels == intent] for intent in range(8)]


@pytest.fixture
def least(intents):
    return least_coherence(intents, nothing(8))


def nothing(intents):
    return intents * [np.zeros((0, 24), np.float16)]


def judged(samples, suspect, ood_zscore, least):
    suspects = np.arange(len(samples)) == suspect
    found = incoherent(samples, suspects, np.where(suspects, ood_zscore, 0.0), least)
    assert not found[~suspects].any()
    return bool(found[suspect])


def loose(rows=40, seed=1):
    """Utterances that have nothing in common."""
    return draw(rows, 1, seed, spread=0.0)[0]


def left_over(intents):
    """A few utterances of each intent, the rest of which is elsewhere."""
    return [x[5:] for x in intents], np.concatenate([x[:5] for x in intents])


def test_coherence_is_the_mean_cosine_of_two_different_ones(intents):
    for x in intents:
        cosines = x.astype(np.float64) @ x.T.astype(np.float64)
        others = ~np.eye(len(x), dtype=bool)
        assert coherence(x) == pytest.approx(cosines[others].mean())


@pytest.mark.parametrize("rows", [0, 1])
def test_fewer_than_two_utterances_have_no_coherence(rows):
    assert np.isnan(coherence(np.ones((rows, 4)) / 2))


def test_nearly_all_known_intents_are_as_coherent_as_an_intent_has_to_be(intents, least):
    values = [coherence(x) for x in intents]
    assert 0 < least < min(values)
    # It tells nothing that an intent has a single utterance; labels are as good as the log.
    assert least_coherence([*intents, loose(1)], nothing(9)) == least
    assert least_coherence(nothing(8), intents) == least


def test_labels_written_by_one_hand_ask_no_more_of_an_intent_than_the_log_does(intents, least):
    templates = [np.repeat(x[:1], 10, axis=0) for x in intents]
    assert least_coherence(nothing(8), templates) > least
    assert least_coherence(intents, templates) == least


@pytest.mark.parametrize("known", [[], nothing(2)])
def test_without_known_utterances_nothing_is_too_loose(intents, known):
    assert not judged([*intents, loose()], 8, FAR, least_coherence(known, known))


def test_an_intent_that_is_as_coherent_as_others_is_one_however_strange(intents, least):
    assert not judged(intents, 3, FAR, least)


def test_what_is_loose_and_far_from_all_that_is_known_is_no_intent(intents, least):
    assert judged([*intents, loose()], 8, FAR, least)


def test_what_is_loose_but_by_itself_is_an_intent_unless_it_is_strange(intents, least):
    # Each has a near duplicate and otherwise nothing in common, as questions about the world.
    questions = np.concatenate([loose(), loose()])
    assert not judged([*intents, questions], 8, NEAR, least)


def test_what_is_left_over_between_intents_is_none(intents, least):
    rest, mixture = left_over(intents)
    assert judged([*rest, mixture], 8, NEAR, least)


def test_only_suspects_are_judged(intents, least):
    samples = [*intents, loose()]
    assert not incoherent(samples, np.zeros(9, bool), np.full(9, FAR), least).any()


def test_the_order_of_utterances_and_intents_does_not_matter(intents, least):
    rest, mixture = left_over(intents)
    samples = [*rest, mixture, loose()]
    suspects, ood_zscore = np.arange(10) >= 6, np.array(9 * [NEAR] + [FAR])
    once = incoherent(samples, suspects, ood_zscore, least)
    turned = incoherent([x[::-1] for x in samples[::-1]], suspects[::-1], ood_zscore[::-1], least)
    assert once.sum() == 2 and (turned[::-1] == once).all()


def test_an_intent_without_utterances_is_left_alone(intents, least):
    assert not judged([*intents, np.zeros((0, 24), np.float16)], 8, FAR, least)


def test_a_suspect_by_itself_has_nothing_to_be_nearer_to(least):
    assert not judged([loose()], 0, NEAR, least)
