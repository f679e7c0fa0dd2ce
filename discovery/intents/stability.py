"""The stability of novel intents: how much of them returns in other clusterings.

Each metric head that the fit compared clusters another random half of the utterances.
An intent returns if one cluster holds the same utterances. The stability is the mean, over the
heads, of its best Jaccard overlap (Hennig, Computational Statistics & Data Analysis 52, 2007).
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from advin.discovery.clustering.linkage import average_linkage
from advin.discovery.compute.parallel import run_parallel
from advin.discovery.metric.head import MetricHead


def stabilities(
    vectors: np.ndarray,
    groups: Sequence[np.ndarray],
    distances: Sequence[float],
    heads: Sequence[MetricHead],
    seed: int,
) -> list[np.ndarray]:
    """Return the stability of the intents of several levels.

    Args:
        vectors: (n, d) utterances in the encoder's space, unit norm.
        groups: for each level, the (n,) intent of each utterance, from 0.
        distances: for each level, the distance, 1 - cosine, at which its intents are clusters.
        heads: heads that were trained on other rows or with other seeds.
        seed: seed of the first random half; each head adds one.

    Returns:
        for each level, (k,) float64, 0 to 1, for intents 0 to the largest in `groups`. It is NaN
        for an intent without utterances, and for all intents if there are fewer than two heads.
    """
    sizes = [group.max(initial=-1) + 1 for group in groups]
    if len(heads) < 2 or not len(vectors):
        return [np.full(size, np.nan) for size in sizes]
    tasks = [
        partial(_overlaps, vectors, groups, distances, head, seed + number)
        for number, head in enumerate(heads)
    ]
    found = run_parallel(tasks)
    return [_mean(np.stack(of_level)) for of_level in zip(*found, strict=True)]


def _mean(overlaps: np.ndarray) -> np.ndarray:
    """Return the (k,) means over the heads in which an intent has utterances, or NaN."""
    counted = np.isfinite(overlaps)
    total = np.where(counted, overlaps, 0).sum(axis=0)
    times = counted.sum(axis=0)
    return np.where(times > 0, total / np.maximum(times, 1), np.nan)


def _overlaps(
    vectors: np.ndarray,
    groups: Sequence[np.ndarray],
    distances: Sequence[float],
    head: MetricHead,
    seed: int,
) -> list[np.ndarray]:
    """Cluster a random half again. Return the best overlap of each intent, for each level."""
    rows = np.random.default_rng(seed).permutation(len(vectors))
    rows = np.sort(rows[: max(1, len(rows) // 2)])
    space = head.transform(vectors[rows])
    tree = average_linkage(space, np.ones(len(rows)), floor=1 - max(distances))
    return [
        best_overlaps(group[rows], tree.cut(1 - distance), int(group.max()) + 1)
        for group, distance in zip(groups, distances, strict=True)
    ]


def best_overlaps(groups: np.ndarray, clusters: np.ndarray, n: int) -> np.ndarray:
    """Return the largest Jaccard overlap of each group with a cluster.

    Args:
        groups: (rows,) int64 groups, 0 to n - 1.
        clusters: (rows,) int64 labels.
        n: number of groups.

    Returns:
        (n,) float64, 0 to 1; NaN for a group without rows.
    """
    cluster = np.unique(clusters, return_inverse=True)[1]
    pairs, both = np.unique(np.stack([groups, cluster]), axis=1, return_counts=True)
    of_group, of_cluster = np.bincount(groups, minlength=n), np.bincount(cluster)
    union = of_group[pairs[0]] + of_cluster[pairs[1]] - both
    best = np.full(n, np.nan)
    np.fmax.at(best, pairs[0], both / union)
    return best
