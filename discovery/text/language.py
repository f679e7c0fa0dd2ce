"""The languages of texts, by py3langid, which needs no network (Lui and Baldwin, ACL 2012).

Single short texts are often mistaken. So the languages of a log are found first, and then a text
can only be in one of them.
"""

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from advin.discovery.text.config import AUTO, LanguageConfig
from advin.discovery.text.placeholders import without_placeholders

# What py3langid says of numbers and markup.
_NO_LANGUAGE = "zxx"


@dataclass(frozen=True, slots=True)
class LanguageShare:
    """A language, and its share of some utterances, above 0 and at most 1."""

    code: str
    share: float


def detect(texts: Sequence[str], candidates: Sequence[str] = ()) -> list[str]:
    """Return the language of each text as an ISO 639 code.

    Args:
        texts: (n,) texts.
        candidates: the languages to choose from; empty for all.
    """
    if len(candidates) == 1:
        return [candidates[0]] * len(texts)
    identifier = _identifier(tuple(sorted(candidates)))
    # The words in placeholders are English.
    return [identifier.classify(without_placeholders(text))[0] for text in texts]


def log_languages(texts: Sequence[str], config: LanguageConfig) -> tuple[str, ...]:
    """Return the languages of a log.

    Args:
        texts: (n,) distinct utterances of the log, or a random sample.
        config: the languages if they are given; else the sample, and the smallest share.

    Returns:
        codes, most frequent first; empty if no language is frequent enough.
    """
    if config.names != (AUTO,):
        return config.names
    sample = texts[:: max(1, len(texts) // config.sample)]
    sample = [text for text in map(without_placeholders, sample) if any(map(str.isalpha, text))]
    # A character of a script without spaces has three bytes, and says as much as three letters.
    long = [text for text in sample if len(text.encode()) >= config.min_bytes]
    found = Counter(detect(long or sample))
    fewest = config.min_share * found.total()
    return tuple(c for c, n in found.most_common() if n >= fewest and c != _NO_LANGUAGE)


def shares(languages: Sequence[str], weights: np.ndarray) -> list[LanguageShare]:
    """Return the share of each language, largest first.

    Args:
        languages: (n,) language of each utterance.
        weights: (n,) number of occurrences of each utterance, above 0.
    """
    codes, place = np.unique(np.asarray(languages, str), return_inverse=True)
    share = np.bincount(place, weights) / np.sum(weights)
    order = np.argsort(-share, kind="stable")
    return [LanguageShare(str(codes[i]), float(share[i])) for i in order]


@functools.cache
def _identifier(candidates: tuple[str, ...]) -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    if candidates:
        identifier.set_languages(list(candidates))
    return identifier
