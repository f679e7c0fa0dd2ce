"""Words that name a domain: words that many of its intents share."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np

from advin.discovery.config import NamingConfig
from advin.discovery.naming.terms import IntentWords


def domain_words(
    groups: Sequence[Sequence[IntentWords]], config: NamingConfig
) -> list[dict[str, float]]:
    """Return the best words of each domain with their gain, best first.

    Args:
        groups: of each domain, the utterances of its intents.
        config: number of words, and how much a word covers an intent.
    """
    covers = [[_coverage(intent, config) for intent in group] for group in groups]
    everywhere: Counter[str] = Counter()
    for cover in chain.from_iterable(covers):
        everywhere.update(cover)
    return [_greedy_words(group, everywhere, config) for group in covers]


def _coverage(intent: IntentWords, config: NamingConfig) -> dict[str, float]:
    """Return how far each word with meaning covers an intent, 0 to 1."""
    cover: defaultdict[str, float] = defaultdict(float)
    shares = intent.weights / intent.weights.sum() / config.full_coverage
    for line, places, share in zip(intent.lemmas, intent.meant, shares.tolist(), strict=True):
        for lemma in {line[i] for i in places}:
            cover[lemma] += share
    return {lemma: min(1.0, share) for lemma, share in cover.items()}


def _greedy_words(
    group: Sequence[Mapping[str, float]], everywhere: Mapping[str, float], config: NamingConfig
) -> dict[str, float]:
    """Choose words one by one, each for the intents that earlier words cover least.

    Args:
        group: of each intent of a domain, how far each word covers it.
        everywhere: summed coverage of each word over all domains.
        config: number of words and their least gain.
    """
    words = sorted(set().union(*group))
    table = np.array([[cover.get(word, 0.0) for cover in group] for word in words])
    table = table.reshape(-1, len(group))
    total = np.array([everywhere[word] for word in words])
    here = table.sum(axis=1) / (total + config.rarity)
    left = np.ones(len(group))
    chosen: dict[str, float] = {}
    while len(chosen) < min(config.domain_words, len(words)):
        gain = here * (table @ left) / len(group)
        gain[[word in chosen for word in words]] = -1
        best = int(np.argmax(gain))
        has_enough = len(chosen) >= config.min_domain_words
        if has_enough and gain[best] < config.min_domain_gain * max(chosen.values()):
            break
        chosen[words[best]] = float(gain[best])
        left *= 1 - config.covered_discount * table[best]
    return chosen
