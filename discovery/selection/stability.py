"""How many neighbors make an intent, and how far apart intents are, learned without labels.

Neighbors are the positives of the metric head. More of them than an intent has utterances draw
intents together, far fewer leave each in parts; how large intents are, nothing says without labels.
But heads that differ by chance alone find the same clusters where the number fits the data, and
others where it does not (stability, Lange et al., Neural Computation 16, 2004; von Luxburg,
Foundations and Trends in Machine Learning 2, 2010). So it is with the distance at which clusters
are cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations

import numpy as np

from advin.discovery.clustering.linkage import average_linkage
from advin.discovery.compute.parallel import run_parallel
from advin.discovery.evaluation.agreement import ari, contingency
from advin.discovery.metric.training import MetricSettings, TrainingRows, train_metric_head
from advin.discovery.selection.distance import DEFAULT_INTENT_DISTANCE

# More rows are sampled: intents are smaller in the sample than in the whole, so the number is, too.
MAX_ROWS = 10_000
_NUMBERS = (8, 16, 32, 64, 128)
_HEADS = 3
# Clusters agree or not long before a head is as good as it gets, and for smaller ones, too.
_MOST_STEPS, _MOST_HIDDEN = 100, 512
# Distances at which clusters are compared. The number is told by the first of them: beyond, few
# clusters are left of any, and heads agree on those by chance.
_CUTS = np.round(np.arange(0.40, 0.801, 0.04), 2)
_CUTS_FOR_NUMBER = 6
# None shorter is taken: in logs heads agree best at the shortest, on what is said nearly alike.
_SHORTEST = 0.52
# The least number is taken at which heads agree as well as at the best, but for chance: too few
# neighbors cost little, too many a lot. Where they agree far less, more are not looked at.
_CHANCE, _FAR_LESS = 0.015, 0.03
# Numbers whose heads are trained beside each other: more keep more processors busy, and may be one
# too many.
_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Stable:
    """Where heads find the same clusters.

    Attributes:
        neighbors: how many are to be the positives of the metric head.
        distance: up to which its clusters are to be merged; None where rows are too few to tell.
    """

    neighbors: int
    distance: float | None


def stable_clusters(rows: TrainingRows, settings: MetricSettings) -> Stable:
    """Return the number of neighbors and the distance at which heads agree.

    Small heads of several seeds are trained on at most `MAX_ROWS` rows with 8, 16, … 128
    neighbors, as far as that is at most a twentieth of these rows, or with the settings' own.

    Args:
        rows: of which too few are labeled to tell.
        settings: of the head that this is for.

    Returns:
        one of these numbers, or a twentieth of fewer than 160 rows, at least 1; and one of the
        distances 0.52, 0.56, … 0.80.
    """
    random = np.random.default_rng(settings.seed)
    sample = rows.take(np.sort(random.permutation(len(rows))[:MAX_ROWS]))
    most = len(sample) // 20
    if most < _NUMBERS[0]:
        return Stable(settings.neighbors or max(1, most), None)
    numbers = [settings.neighbors] if settings.neighbors else [n for n in _NUMBERS if n <= most]
    settings = replace(
        settings,
        hidden=min(settings.hidden, _MOST_HIDDEN),
        steps=min(settings.steps, _MOST_STEPS),
    )
    curves: list[np.ndarray] = []
    for start in range(0, len(numbers), _AT_ONCE):
        curves += _agreement(sample, settings, numbers[start : start + _AT_ONCE])
        agreement = np.array([curve[:_CUTS_FOR_NUMBER].mean() for curve in curves])
        far_less = agreement < np.maximum.accumulate(agreement) - _FAR_LESS
        if far_less.any():
            agreement = agreement[: np.argmax(far_less)]
            break
    chosen = int(np.argmax(agreement >= agreement.max() - _CHANCE))
    return Stable(numbers[chosen], _distance(curves[chosen]))


def _distance(agreement: np.ndarray) -> float:
    """Return the cut nearest to the default at which heads agree as well as at the best of all.

    Args:
        agreement: (cuts,) at one cut much is chance: its neighbors have a say.
    """
    smooth = np.convolve(np.pad(agreement, 1, mode="edge"), np.full(3, 1 / 3), mode="valid")
    as_good = _CUTS[smooth >= smooth.max() - _CHANCE]
    return max(_SHORTEST, float(as_good[np.argmin(np.abs(as_good - DEFAULT_INTENT_DISTANCE))]))


def _agreement(
    rows: TrainingRows, settings: MetricSettings, numbers: Sequence[int]
) -> list[np.ndarray]:
    """Return the agreement of heads with each number of neighbors.

    Returns:
        for each number (cuts,), how alike the clusters of two heads are.
    """
    alike = [
        replace(settings, neighbors=number, seed=settings.seed + head)
        for number in numbers
        for head in range(_HEADS)
    ]
    clusters = run_parallel([partial(_clusters, rows, head) for head in alike])
    return [_mean_ari(clusters[start : start + _HEADS]) for start in range(0, len(alike), _HEADS)]


def _mean_ari(clusters: Sequence[list[np.ndarray]]) -> np.ndarray:
    """Return at each cut the adjusted Rand index of two heads' clusters, mean over the pairs."""
    return np.mean(
        [
            [ari(contingency(a, b)) for a, b in zip(one, other, strict=True)]
            for one, other in combinations(clusters, 2)
        ],
        axis=0,
    )


def _clusters(rows: TrainingRows, settings: MetricSettings) -> list[np.ndarray]:
    """Return the clusters of a head at each of the cuts."""
    space = train_metric_head(rows, settings).transform(rows.vectors)
    tree = average_linkage(space, np.ones(len(rows)), floor=1 - float(_CUTS[-1]))
    return [tree.cut(1 - float(cut)) for cut in _CUTS]
