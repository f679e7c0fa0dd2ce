"""How many neighbours make an intent, learned without labels: as many as heads agree at.

Neighbours are the positives of the metric head. More of them than an intent has utterances draw
intents together, far fewer leave each in parts; how large intents are, nothing says without labels.
But heads that differ by chance alone find the same clusters where the number fits the data, and
others where it does not (stability, Lange et al., Neural Computation 16, 2004; von Luxburg,
Foundations and Trends in Machine Learning 2, 2010).
"""

from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np

from discovery.agreement import ari, contingency
from discovery.linkage import average_linkage
from discovery.metric import FAST, MetricSettings, TrainingRows, train_metric_head
from discovery.processors import at_once

# More rows are sampled: intents are smaller in the sample than in the whole, so the number is, too.
MAX_ROWS = 10_000
_NUMBERS = (8, 16, 32, 64, 128)
_HEADS = 3
# Clusters agree or not long before a head is as good as it gets.
_MOST_STEPS = 100
# Distances at which clusters are compared: where intents separate, whatever their size.
_CUTS = (0.40, 0.44, 0.48, 0.52, 0.56, 0.60)
# The least number is taken at which heads agree as well as at the best, but for chance: too few
# neighbours cost little, too many a lot. Where they agree far less, more are not tried.
_CHANCE, _FAR_LESS = 0.015, 0.03


def stable_neighbours(rows: TrainingRows, settings: MetricSettings) -> int:
    """Return how many neighbours are to be the positives of the metric head.

    Small heads of several seeds are trained on at most `MAX_ROWS` rows with 8, 16, … 128
    neighbours, as far as that is at most a twentieth of these rows.

    Args:
        rows: of which too few are labelled to tell.
        settings: of the head that the number is for.

    Returns:
        one of these numbers; a twentieth of fewer than 160 rows, at least 1.
    """
    random = np.random.default_rng(settings.seed)
    sample = rows.take(np.sort(random.permutation(len(rows))[:MAX_ROWS]))
    most = len(sample) // 20
    numbers = [number for number in _NUMBERS if number <= most]
    if len(numbers) < 2:
        return max(1, min(most, _NUMBERS[0]))
    settings = replace(
        settings,
        hidden=min(settings.hidden, FAST.hidden),
        steps=min(settings.steps, _MOST_STEPS),
    )
    agreement: list[float] = []
    for number in numbers:
        agreement.append(_agreement(sample, settings, number))
        if agreement[-1] < max(agreement) - _FAR_LESS:
            break
    as_good = np.array(agreement) >= max(agreement) - _CHANCE
    return numbers[int(np.argmax(as_good))]


def _agreement(rows: TrainingRows, settings: MetricSettings, neighbours: int) -> float:
    """Return the adjusted Rand index of clusters of two heads, mean over pairs of them and cuts."""
    seeds = range(settings.seed, settings.seed + _HEADS)
    alike = [replace(settings, neighbours=neighbours, seed=seed) for seed in seeds]
    clusters = at_once([partial(_clusters, rows, head) for head in alike])
    return float(
        np.mean(
            [
                ari(contingency(a, b))
                for one, other in combinations(clusters, 2)
                for a, b in zip(one, other, strict=True)
            ]
        )
    )


def _clusters(rows: TrainingRows, settings: MetricSettings) -> list[np.ndarray]:
    """Return the clusters of a head at each of the cuts."""
    space = train_metric_head(rows, settings).transform(rows.vectors)
    tree = average_linkage(space, np.ones(len(rows)), floor=1 - _CUTS[-1])
    return [tree.cut(1 - cut) for cut in _CUTS]
