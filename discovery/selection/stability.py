"""The neighbor count without labels: choose one at which several heads agree.

More neighbors than an intent has utterances merge intents; far fewer split them. Heads that differ
only in their seed find the same clusters if the neighbor count fits the data
(stability: Lange et al., Neural Computation 16, 2004; von Luxburg, Foundations and Trends in
Machine Learning 2, 2010).

Heads agree on a few coarse clusters without effort, and on near-duplicates too. So the clusters of
a head at one distance are compared with those of the other heads at every distance: clusters that
are too coarse or too fine agree with few of these.
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
from advin.discovery.metric.head import MetricHead
from advin.discovery.metric.rows import TrainingRows
from advin.discovery.metric.settings import HeadSettings, candidate_neighbors, resolve_head
from advin.discovery.metric.training import train_metric_head
from advin.discovery.selection.plateau import near_best


@dataclass(frozen=True, slots=True)
class Stable:
    """The chosen neighbor count, and the heads that were compared at it.

    Attributes:
        neighbors: neighbor count for the metric head.
        heads: the compared heads, in float16 precision; none if there are too few rows.
    """

    neighbors: int
    heads: tuple[MetricHead, ...] = ()


def stable_clusters(rows: TrainingRows, config: Config) -> Stable:
    """Return the neighbor count at which heads agree.

    Small heads of several seeds are trained on a sample. The neighbor counts of
    `candidate_neighbors` are tried from the smallest on, up to a share of the sample, until the
    agreement falls.

    Args:
        rows: rows with too few labels to learn from.
        config: the configuration of the head that this is for.

    Returns:
        one of the counts, and the heads. If the sample is too small for the smallest count: the
        configured count, else `neighbors.max_share` of the sample, at least 1; and no heads.
    """
    stability = config.stability
    sample = sample_rows(rows, config)
    most = int(len(sample) * config.neighbors.max_share)
    counts = candidate_neighbors(config)
    if most < stability.neighbor_counts[0]:
        return Stable(counts[0] if len(counts) == 1 else max(1, most))
    if len(counts) > 1:
        counts = tuple(count for count in counts if count <= most)
    curves: list[np.ndarray] = []
    heads: list[tuple[MetricHead, ...]] = []
    for start in range(0, len(counts), stability.parallel_counts):
        some = counts[start : start + stability.parallel_counts]
        for curve, compared in _agreement(sample, config, some):
            curves.append(curve)
            heads.append(compared)
        best = np.array([curve.max() for curve in curves])
        worse = best < np.maximum.accumulate(best) * (1 - stability.tolerance)
        if worse.any():
            best = best[: np.argmax(worse)]
            break
    # The smallest count: too few neighbors cost little, too many a lot.
    chosen = int(np.argmax(near_best(best, best.max() * stability.tolerance)))
    return Stable(counts[chosen], heads[chosen])


def sample_rows(rows: TrainingRows, config: Config) -> TrainingRows:
    """Return at most `stability.max_rows` random rows, in their order."""
    random = np.random.default_rng(config.seed)
    return rows.take(np.sort(random.permutation(len(rows))[: config.stability.max_rows]))


def _agreement(
    rows: TrainingRows, config: Config, counts: Sequence[int]
) -> list[tuple[np.ndarray, tuple[MetricHead, ...]]]:
    """Return the agreement (cuts,) of heads for each neighbor count, and the heads."""
    stability, metric = config.stability, config.metric
    small = config.with_values(
        {
            "metric.hidden": min(metric.hidden, stability.max_hidden),
            "metric.steps": min(metric.steps, stability.max_steps),
        }
    )
    settings = [
        replace(resolve_head(rows, small, count), seed=config.seed + head)
        for count in counts
        for head in range(stability.heads)
    ]
    cuts = grid(stability.cuts)
    trained = run_parallel([partial(_clusters, rows, head, cuts) for head in settings])
    starts = range(0, len(settings), stability.heads)
    groups = [trained[start : start + stability.heads] for start in starts]
    curves = run_parallel(
        [partial(_agreement_at_cuts, [found for _, found in group]) for group in groups]
    )
    return [
        (curve, tuple(head.rounded() for head, _ in group))
        for curve, group in zip(curves, groups, strict=True)
    ]


def _agreement_at_cuts(clusters: Sequence[list[np.ndarray]]) -> np.ndarray:
    """Return how well a head's clusters at each cut agree with those of other heads at all cuts.

    Args:
        clusters: for each head, the clusters (n,) at each cut.

    Returns:
        (cuts,) the root mean square of the adjusted Rand index. Squares favor few good matches
        over many poor ones.
    """
    squares = [
        np.square([[_chance_corrected(a, b) for b in other] for a in one])
        for one, other in combinations(clusters, 2)
    ]
    return np.sqrt(np.mean([square.mean(axis) for square in squares for axis in (0, 1)], axis=0))


def _chance_corrected(one: np.ndarray, other: np.ndarray) -> float:
    """Return the adjusted Rand index of clusters (n,); 0 for one cluster or only single rows."""
    pairs = contingency(one, other)
    return 0.0 if len(pairs.truth_labels) in (1, len(one)) else ari(pairs)


def _clusters(
    rows: TrainingRows, settings: HeadSettings, cuts: np.ndarray
) -> tuple[MetricHead, list[np.ndarray]]:
    """Train a head, and return it with its clusters (n,) at each cut."""
    head = train_metric_head(rows, settings)
    tree = average_linkage(
        head.transform(rows.vectors), np.ones(len(rows)), floor=1 - float(cuts[-1])
    )
    return head, [tree.cut(1 - float(cut)) for cut in cuts]
