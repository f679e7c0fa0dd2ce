"""How well the clusters of a tree separate at each distance.

The measure is a silhouette of clusters, after the simplified silhouette (Hruschka et al., 2006;
Rousseeuw, 1987): all utterances of a cluster share its mean distances. Utterances of clusters that
are too small for an intent count as 0. Small distances thus lose because they leave out utterances,
and large ones because their clusters lie close to one another (benchmarks/history.md,
*Separation*).
"""

import numpy as np

from advin.discovery.clustering.tree import Linkage
from advin.discovery.compute.classes import class_sums, nearest_several
from advin.discovery.selection.plateau import plateau_center


def separation(sums: np.ndarray, sizes: np.ndarray, clusters: np.ndarray, least: int) -> float:
    """Return the mean silhouette of clusters, weighted by their utterances.

    Args:
        sums: (n, d) float64, sums of the unit vectors of groups of utterances.
        sizes: (n,) utterances of each group, at least 1.
        clusters: (n,) cluster of each group.
        least: clusters with fewer utterances, and single utterances, count as 0.

    Returns:
        -1 to 1; 0 if fewer than two clusters are large enough.
    """
    names, index = np.unique(clusters, return_inverse=True)
    size = np.bincount(index, sizes)
    large = (size >= least) & (size > 1)
    if np.count_nonzero(large) < 2:
        return 0.0
    total = class_sums(sums, index, len(names))[large]
    size = size[large]
    # Pairs of an utterance with itself have a similarity of 1.
    pairs = (np.square(total).sum(axis=1) - size) / (size * (size - 1))
    within, between = 1 - pairs, _to_nearest(total / size[:, None])
    largest = np.maximum(np.maximum(within, between), np.finfo(np.float64).tiny)
    return float((size * (between - within) / largest).sum() / sizes.sum())


def separation_curve(
    tree: Linkage, sums: np.ndarray, sizes: np.ndarray, distances: np.ndarray, least: int
) -> np.ndarray:
    """Return the `separation` (g,) of the clusters that a tree has at each distance.

    Args:
        tree: of the groups.
        sums: (n, d) float64, sums of the unit vectors of groups of utterances.
        sizes: (n,) utterances of each group.
        distances: (g,) distances, 1 - cosine, rising.
        least: smallest size of a cluster that counts.
    """
    curve = np.zeros(len(distances))
    before, merges = 0.0, -1
    for i, distance in enumerate(distances.tolist()):
        count = tree.number_of_clusters(1 - distance)
        if count != merges:
            before, merges = separation(sums, sizes, tree.cut(1 - distance), least), count
        curve[i] = before
    return curve


def best_separated(distances: np.ndarray, curve: np.ndarray, plateau: float) -> float | None:
    """Return the center of the distances at which clusters separate best.

    Args:
        distances: (g,) distances, 1 - cosine, rising.
        curve: (g,) by `separation_curve`.
        plateau: share of the best separation that a distance may lack.

    Returns:
        a distance; None if no distance separates any clusters.
    """
    if curve.max(initial=0.0) <= 0:
        return None
    return plateau_center(distances, np.maximum(curve, 0), plateau)


def _to_nearest(means: np.ndarray) -> np.ndarray:
    """Return the (k,) distance of each mean (k, d) to the nearest other one, 1 - inner product."""
    found, distances = nearest_several(means, means, 2)
    # The mean itself need not be the first: means are shorter than unit vectors.
    is_own = found[:, 0] == np.arange(len(means))
    return np.where(is_own, distances[:, 1], distances[:, 0]).astype(np.float64)
