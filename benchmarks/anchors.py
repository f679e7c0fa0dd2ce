"""Clusters of a split some of whose rows are labeled: known intents are what their labels say.

Average linkage draws near intents together; where both are known, their labels tell them apart.
So the labeled rows of each known intent are one cluster, and of the clusters of linkage those
that are mostly of no known intent, by the labeled rows that they lack, are the novel ones.
"""

import numpy as np

from advin.discovery.compute.classes import class_centroids, nearest_centroids
from advin.discovery.labels import UNLABELED

_MOST_ROUNDS = 100


def novel_clusters(clusters: np.ndarray, labels: np.ndarray, small: int = 1) -> np.ndarray:
    """Return the clusters of `small` rows or more that are mostly novel, largest first.

    That is, they hold less than half of the labeled rows that their size lets expect by the
    clusters that hold any. Without labels and with none that is large enough, all are returned.

    Args:
        clusters: (n,) int.
        labels: (n,) int, 0 or above, or UNLABELED.
        small: smallest size that stands for itself.
    """
    names, index, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    labeled = np.bincount(index[labels >= 0], minlength=len(names))
    rate = labeled.sum() / max(1, sizes[labeled > 0].sum())
    mostly = (labeled == 0) | (labeled < 0.5 * rate * sizes)
    novel = np.flatnonzero(mostly & (sizes >= small))
    if not len(novel) and not labeled.any():
        novel = np.arange(len(names))
    return names[novel[np.argsort(-sizes[novel], kind="stable")]]


def anchored(
    vectors: np.ndarray, labels: np.ndarray, clusters: np.ndarray, novel: np.ndarray
) -> np.ndarray:
    """Return (n,) classes 0, 1, …: the known intents, then the novel ones, of all rows.

    Labeled rows (label 0 … k - 1) and those of novel clusters stay; all others go to the nearest
    centroid of these.

    Args:
        vectors: (n, d) in the learned space, unit norm.
        labels: (n,) int, or UNLABELED.
        clusters: (n,) int.
        novel: clusters that are an intent each; with no labels at least one.
    """
    known = labels.max(initial=UNLABELED) + 1
    classes = np.array(labels)
    for number, cluster in enumerate(novel):
        classes[(clusters == cluster) & (labels < 0)] = known + number
    free = classes < 0
    classes[free] = nearest_centroids(vectors[free], vectors[~free], classes[~free])[0]
    return classes


def seeded_k_means(vectors: np.ndarray, labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return (n,) classes after k-means from these, where labeled rows stay in theirs.

    Constrained k-means (Basu et al., Semi-supervised clustering by seeding, ICML 2002), with cosine
    similarity, as generalized category discovery is scored (Vaze et al., arXiv 2201.02609).
    """
    free = labels < 0
    for _ in range(_MOST_ROUNDS):
        moved = np.array(classes)
        moved[free] = nearest_centroids(vectors[free], vectors, classes)[0]
        if (moved == classes).all():
            break
        classes = moved
    return classes


def tightness(vectors: np.ndarray, classes: np.ndarray) -> float:
    """Return the mean cosine of unit vectors (n, d) to the centroid of their class (n,)."""
    names, index = np.unique(classes, return_inverse=True)
    centroids = class_centroids(vectors, index, len(names))
    return float((vectors * centroids[index]).sum(axis=1).mean())
