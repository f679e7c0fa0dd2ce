"""Find novel clusters that cohere in the learned space only, not in the encoder's space.

The metric head pulls near utterances together, whatever they mean. So chat and leftovers between
intents form clusters that look like any other in the learned space. In the encoder's space, these
clusters are less coherent than known intents. Some real intents, such as factual questions, are no
more coherent, but their utterances are nearest to one another. So a cluster is no intent if it is
incoherent and too many of its utterances are nearest to utterances of other intents
(benchmarks/history.md, *Junk clusters*).
"""

from collections.abc import Sequence

import numpy as np

from advin.discovery.config import CoherenceConfig


def coherence(vectors: np.ndarray) -> float:
    """Return the mean cosine of all pairs of different rows; it does not depend on their number.

    Args:
        vectors: (n, d) unit vectors.

    Returns:
        -1 to 1; NaN for fewer than two rows.
    """
    n = len(vectors)
    if n < 2:
        return np.nan
    wide = vectors.astype(np.float64)
    total = wide.sum(axis=0)
    return float((total @ total - (wide**2).sum()) / (n * (n - 1)))


def min_coherence(
    in_log: Sequence[np.ndarray], labeled: Sequence[np.ndarray], config: CoherenceConfig
) -> float:
    """Return the least coherence of an intent, judged by the known intents.

    Labels may be artificially similar, such as templates, so the smaller coherence of log and
    labels counts for each intent.

    Args:
        in_log: for each known intent, (n, d) utterances of the log in the encoder's space.
        labeled: for each known intent, (m, d) labeled utterances.
        config: quantile and ratio.

    Returns:
        at most 1; minus infinity if no intent has two utterances of a kind.
    """
    known = np.fmin([coherence(x) for x in in_log], [coherence(x) for x in labeled])
    known = known[~np.isnan(known)]
    if not len(known):
        return -np.inf
    return config.min_ratio * float(np.quantile(known, config.quantile))


def incoherent_intents(
    samples: Sequence[np.ndarray],
    is_novel: np.ndarray,
    ood_zscores: np.ndarray,
    least: float,
    config: CoherenceConfig,
) -> np.ndarray:
    """Return which novel intents are junk.

    An intent is junk if it is less coherent than known intents and too few of its utterances are
    nearest to one another. The least share of such utterances is higher for an intent that is far
    from all known utterances.

    Args:
        samples: for each intent, (n, d) of its utterances in the encoder's space, unit norm.
        is_novel: (k,) bool, intents to judge; all intents count as neighbors.
        ood_zscores: (k,) mean `NoveltyModel.ood_zscore` of each sample, read for novel intents.
        least: by `min_coherence`.
        config: thresholds.

    Returns:
        (k,) bool.
    """
    is_junk = np.zeros(len(samples), bool)
    loose = [i for i in np.flatnonzero(is_novel).tolist() if coherence(samples[i]) < least]
    if not loose:
        return is_junk
    everything = np.concatenate(samples).astype(np.float32)
    owner = np.repeat(np.arange(len(samples)), [len(sample) for sample in samples])
    for i in loose:
        is_far = ood_zscores[i] > config.far
        least_share = config.far_own_neighbors if is_far else config.own_neighbors
        is_junk[i] = _own_neighbor_share(everything, owner == i) < least_share
    return is_junk


def _own_neighbor_share(vectors: np.ndarray, own: np.ndarray) -> float:
    """Return the share of a cluster's rows whose nearest other row belongs to the cluster.

    Args:
        vectors: (n, d) rows of all clusters.
        own: (n,) bool, rows of the cluster.
    """
    similarity = vectors[own] @ vectors.T
    similarity[np.arange(len(similarity)), np.flatnonzero(own)] = -np.inf
    within = similarity[:, own].max(axis=1)
    return float(np.mean(within >= similarity[:, ~own].max(axis=1, initial=-np.inf)))
