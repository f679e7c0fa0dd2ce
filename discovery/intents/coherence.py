"""Tell intents from what only lies together in the learned space.

The metric head pulls near utterances together, whatever they are. So lines of chat, and what is
left over between intents, come out as clusters there that look like any other. To the encoder they
are hardly alike; the utterances of an intent are, and how much so the known intents tell. Not all
that is that loose is junk: questions about the world are an intent, and as loose. But junk is far
from all that is known, and what is left over lies nearer to other intents than to itself.
"""

from collections.abc import Sequence

import numpy as np

# Nine of ten known intents are more coherent than the tenth; a novel intent is to be at least this
# share of that. What these and the next two do is in benchmarks/history.md, *What is no intent*.
_RARELY_LESS = 0.1
_LESS_COHERENT = 0.65
# Beyond so many spreads of known utterances is what is far from all of them.
_FAR = 3.0
# Of what is left over, fewer than this share are nearest to one another.
_TOGETHER = 0.5


def coherence(vectors: np.ndarray) -> float:
    """Return the mean cosine of two different ones of unit vectors (n, d); NaN for fewer than two.

    It does not depend on how many there are, as the length of their mean does.
    """
    n = len(vectors)
    if n < 2:
        return np.nan
    wide = vectors.astype(np.float64)
    total = wide.sum(axis=0)
    return float((total @ total - (wide**2).sum()) / (n * (n - 1)))


def least_coherence(said: Sequence[np.ndarray], labeled: Sequence[np.ndarray]) -> float:
    """Return how coherent an intent is at least, by those that are known.

    Labels may be written by one hand, alike as templates are: the looser of both counts.

    Args:
        said: of each known intent, (n, d) utterances of the log in the encoder's space, unit norm.
        labeled: of each, (m, d) labeled ones.

    Returns:
        -1 to 1; -1, which everything exceeds, if no intent has two utterances of either.
    """
    both = ([coherence(vectors) for vectors in kind] for kind in (said, labeled))
    known = np.fmin(*map(np.array, both))
    known = known[~np.isnan(known)]
    return _LESS_COHERENT * float(np.quantile(known, _RARELY_LESS)) if len(known) else -1.0


def incoherent(
    samples: Sequence[np.ndarray], suspects: np.ndarray, ood_zscore: np.ndarray, least: float
) -> np.ndarray:
    """Tell which intents are none.

    Args:
        samples: of each intent, (n, d) of its utterances in the encoder's space, unit norm.
        suspects: (k,) bool, which are to be judged; the others are what these may be nearer to.
        ood_zscore: (k,) mean `NoveltyModel.ood_zscore` of each sample; only suspects' is read.
        least: what `least_coherence` returned.

    Returns:
        (k,) bool: suspects that are less coherent, and far from what is known or left over between
        other intents.
    """
    none = np.zeros(len(samples), bool)
    loose = [i for i in np.flatnonzero(suspects).tolist() if coherence(samples[i]) < least]
    if not loose:
        return none
    everything = np.concatenate(samples).astype(np.float32)
    owner = np.repeat(np.arange(len(samples)), [len(sample) for sample in samples])
    for i in loose:
        none[i] = ood_zscore[i] > _FAR or _together(everything, owner == i) < _TOGETHER
    return none


def _together(vectors: np.ndarray, own: np.ndarray) -> float:
    """Return the share of some rows whose nearest row, of all (n, d), is one of them."""
    similarity = vectors[own] @ vectors.T
    similarity[np.arange(len(similarity)), np.flatnonzero(own)] = -np.inf
    within = similarity[:, own].max(axis=1)
    return float(np.mean(within >= similarity[:, ~own].max(axis=1, initial=-np.inf)))
