"""Synthetic vectors of a log of any size: a mixture on the sphere.

Cosines follow those of all-MiniLM-L6-v2 on clinc150 and massive_en. Two utterances of one intent
have a cosine of 0.3 to 0.4 (near duplicates aside), two of one domain 0.2, and two of different
domains 0.07 to 0.09. Half of all utterances have a neighbor at 0.8 to 0.9. The sizes of domains,
intents and wordings follow power laws. A fifth of the utterances has no intent.
"""

from dataclasses import dataclass

import numpy as np

DIMENSION = 384
NOISE = 0.2
# Shares of a vector's squared length: common to all utterances, its domain, its intent, its
# wording. The rest is its own.
_COMMON, _DOMAIN, _INTENT, _WORDING = 0.07, 0.13, 0.20, 0.45
_OWN = (0.02, 0.5)


@dataclass(frozen=True, slots=True)
class Mixture:
    """Synthetic vectors.

    Attributes:
        vectors: (n, DIMENSION) float16, unit norm.
        intents: (n,) int64, the intent of each vector, or -1.
    """

    vectors: np.ndarray
    intents: np.ndarray


def draw_mixture(rows: int, seed: int = 0) -> Mixture:
    """Draw a log of `rows` distinct utterances and about 3 √rows intents."""
    rng = np.random.default_rng(seed)
    n_intents = round(3 * rows**0.5)
    intent = _power_law(rng, n_intents, rows)
    # Wordings are equally frequent within an intent: one wording for every four utterances.
    wording = rng.integers(0, 1 << 40, rows) % (1 + np.bincount(intent)[intent] // 4)
    domain_of = _power_law(rng, max(8, n_intents // 15), n_intents)
    intent[rng.random(rows) < NOISE] = -1

    common = _directions(rng, 1)[0]
    domains = _directions(rng, domain_of.max() + 1)
    intents = _directions(rng, n_intents)
    _, said = np.unique(np.stack([intent, wording]), axis=1, return_inverse=True)
    vectors = np.empty((rows, DIMENSION), np.float16)
    wordings = _directions(rng, said.max() + 1).astype(np.float16)
    for start in range(0, rows, 16_384):
        part = slice(start, start + 16_384)
        own = rng.uniform(*_OWN, (len(intent[part]), 1)).astype(np.float32)
        known = (intent[part] >= 0)[:, None]
        x = _COMMON**0.5 * common + _DOMAIN**0.5 * domains[domain_of[intent[part]]]
        x = x + np.where(known, _INTENT**0.5 * intents[intent[part]], 0)
        x = x + np.where(known, _WORDING**0.5 * wordings[said[part]], 0)
        own = np.where(known, own, _INTENT + _WORDING)
        x = x + own**0.5 * _directions(rng, len(x))
        vectors[part] = x / np.linalg.norm(x, axis=1, keepdims=True)
    return Mixture(vectors, intent)


def _power_law(rng: np.random.Generator, groups: int, rows: int) -> np.ndarray:
    """Draw (rows,) groups; the r-th largest has a share of 1 / (r + 10)."""
    share = 1 / (np.arange(groups) + 10)
    return rng.choice(groups, rows, p=share / share.sum())


def _directions(rng: np.random.Generator, n: int) -> np.ndarray:
    """Draw (n, DIMENSION) float32 vectors of about unit norm."""
    return rng.standard_normal((n, DIMENSION), np.float32) / np.float32(DIMENSION**0.5)
