"""How far the novel intents of stage II are merged for the levels auto and coarse.

If labels and log do not match, the distance that was learned from the labels is too small for the
log: people who write labels word an intent in fewer ways than customers do. The worse they match,
the more weight the distance gets at which the novel intents separate best
(benchmarks/history.md, *Separation*).
"""

from dataclasses import dataclass

import numpy as np

from advin.discovery.clustering.linkage import average_linkage
from advin.discovery.compute.classes import class_sums
from advin.discovery.config import Config, grid
from advin.discovery.intents.points import Points
from advin.discovery.intents.rules import IntentRules
from advin.discovery.selection.plateau import plateau_ends
from advin.discovery.selection.separation import best_separated, separation_curve


@dataclass(frozen=True, slots=True)
class MergeDistances:
    """Distances, 1 - cosine, up to which the novel intents of stage II are merged for a level.

    Attributes:
        auto: for the level auto; 0: they are not merged.
        coarse: for the level coarse.
    """

    auto: float
    coarse: float


def merge_distances(
    points: Points, clusters: np.ndarray, trust: float, rules: IntentRules, config: Config
) -> MergeDistances:
    """Return how far novel intents are merged.

    Args:
        points: all points.
        clusters: (n,) cluster of each point of the log that is in a novel intent or in a cluster
            that is too small; -1 for all other points.
        trust: by `label_trust`.
        rules: what the fit learned.
        config: the distances to try, and when they are about as good as the best.

    Returns:
        0 and `rules.coarse` if the distance is not from labels, if trust is 1, or if no distance
        separates any intents.
    """
    learned = MergeDistances(0.0, rules.coarse)
    distances = grid(config.distance.grid)
    distances = distances[distances >= rules.distance]
    rows = np.flatnonzero(clusters >= 0)
    if not rules.from_labels or trust == 1 or not len(distances) or not len(rows):
        return learned
    sizes = np.ones(len(clusters)) if points.sizes is None else points.sizes
    size = sizes[rows].astype(np.float64)
    _, own = np.unique(clusters[rows], return_inverse=True)
    sums = class_sums(points.vectors[rows] * size[:, None], own, own.max() + 1)
    weights = np.bincount(own, size)
    # No two clusters are less similar than the floor: the tree has one root.
    tree = average_linkage(sums, weights, floor=-2)
    curve = separation_curve(tree, sums, weights, distances, rules.min_size)
    best = best_separated(distances, curve, config.distance.plateau)
    if best is None:
        return learned
    end = plateau_ends(distances, curve, config.levels.tolerance, best)[1]
    auto, coarse = (trust * rules.distance + (1 - trust) * value for value in (best, end))
    return MergeDistances(auto, max(rules.coarse, coarse))


def label_trust(looks_known: int, with_labels: int, good_match: float) -> float:
    """Return how far the distance that was learned from labels holds for the log, 0 to 1.

    Args:
        looks_known: utterances in clusters that look known; see `label_match`.
        with_labels: how many of these utterances share a cluster with labels.
        good_match: share of them at which labels match well.

    Returns:
        1 if all share a cluster with labels; 0 from `good_match` down, if `good_match` is 1, and if
        no utterance looks known.
    """
    lack = 1 - with_labels / max(1, looks_known)
    # Few utterances without labels are errors of the clustering, so the square.
    return max(0.0, 1 - (lack / (1 - good_match)) ** 2) if good_match < 1 else 0.0
