"""Neighbor count and distance without labels: choose those at which several heads agree.

More neighbors than an intent has utterances merge intents; far fewer split them. Heads that differ
only in their seed find the same clusters if the neighbor count and the distance fit the data
(stability: Lange et al., Neural Computation 16, 2004; von Luxburg, Foundations and Trends in
Machine Learning 2, 2010).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations

import numpy as np

from advin.discovery.clustering.linkage import average_linkage
from advin.discovery.compute.parallel import run_parallel
from advin.discovery.config import Config, grid
from advin.discovery.evaluation.agreement import ari, contingency
from advin.discovery.metric.rows import TrainingRows
from advin.discovery.metric.settings import HeadSettings, candidate_neighbors, resolve_head
from advin.discovery.metric.training import train_metric_head
from advin.discovery.selection.plateau import near_best

# A cut and both its neighbors are averaged: agreement at a single cut is noisy.
_SMOOTHED_CUTS = 3


@dataclass(frozen=True, slots=True)
class Stable:
    """Where heads find the same clusters.

    Attributes:
        neighbors: neighbor count for the metric head.
        distance: distance, 1 - cosine, up to which clusters are merged; None if there are too few
            rows to choose one.
    """

    neighbors: int
    distance: float | None


def stable_clusters(rows: TrainingRows, config: Config) -> Stable:
    """Return the neighbor count and the distance at which heads agree.

    Small heads of several seeds are trained on a sample, with every neighbor count of
    `candidate_neighbors` that is at most a share of the sample.

    Args:
        rows: rows with too few labels to learn from.
        config: the configuration of the head that this is for.

    Returns:
        one of the counts and one of the distances `stability.cuts`. With too few rows for the
        smallest count, the configured count or the largest share, at least 1, and no distance.
    """
    stability = config.stability
    random = np.random.default_rng(config.seed)
    sample = rows.take(np.sort(random.permutation(len(rows))[: stability.max_rows]))
    most = int(len(sample) * config.neighbors.max_share)
    counts = candidate_neighbors(config)
    if most < stability.neighbor_counts[0]:
        return Stable(counts[0] if len(counts) == 1 else max(1, most), None)
    if len(counts) > 1:
        counts = tuple(count for count in counts if count <= most)
    curves: list[np.ndarray] = []
    for start in range(0, len(counts), stability.parallel_counts):
        curves += _agreement(sample, config, counts[start : start + stability.parallel_counts])
        agreement = np.array([curve[: stability.cuts_for_neighbors].mean() for curve in curves])
        worse = agreement < np.maximum.accumulate(agreement) - stability.much_worse
        if worse.any():
            agreement = agreement[: np.argmax(worse)]
            break
    # The smallest count: too few neighbors cost little, too many a lot.
    chosen = int(np.argmax(near_best(agreement, stability.tolerance)))
    return Stable(counts[chosen], _distance(curves[chosen], config))


def _distance(agreement: np.ndarray, config: Config) -> float:
    """Return the distance on the plateau of agreement (cuts,) that is nearest to the default."""
    smooth = np.convolve(
        np.pad(agreement, 1, mode="edge"), np.full(_SMOOTHED_CUTS, 1 / _SMOOTHED_CUTS), mode="valid"
    )
    cuts = grid(config.stability.cuts)
    equal = cuts[near_best(smooth, config.stability.tolerance)]
    nearest = float(equal[np.argmin(np.abs(equal - config.distance.default))])
    return max(config.stability.min_distance, nearest)


def _agreement(rows: TrainingRows, config: Config, counts: Sequence[int]) -> list[np.ndarray]:
    """Return, for each neighbor count, how alike the clusters of heads are at each cut (cuts,)."""
    stability, metric = config.stability, config.metric
    small = config.with_values(
        {
            "metric.hidden": min(metric.hidden, stability.max_hidden),
            "metric.steps": min(metric.steps, stability.max_steps),
        }
    )
    heads = [
        replace(resolve_head(rows, small, count), seed=config.seed + head)
        for count in counts
        for head in range(stability.heads)
    ]
    cuts = grid(stability.cuts)
    clusters = run_parallel([partial(_clusters, rows, head, cuts) for head in heads])
    starts = range(0, len(heads), stability.heads)
    return [_mean_ari(clusters[start : start + stability.heads]) for start in starts]


def _mean_ari(clusters: Sequence[list[np.ndarray]]) -> np.ndarray:
    """Return the adjusted Rand index at each cut (cuts,), averaged over the pairs of heads."""
    return np.mean(
        [
            [ari(contingency(a, b)) for a, b in zip(one, other, strict=True)]
            for one, other in combinations(clusters, 2)
        ],
        axis=0,
    )


def _clusters(rows: TrainingRows, settings: HeadSettings, cuts: np.ndarray) -> list[np.ndarray]:
    """Train a head and return its clusters (n,) at each cut."""
    space = train_metric_head(rows, settings).transform(rows.vectors)
    tree = average_linkage(space, np.ones(len(rows)), floor=1 - float(cuts[-1]))
    return [tree.cut(1 - float(cut)) for cut in cuts]
