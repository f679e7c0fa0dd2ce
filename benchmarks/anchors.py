"""Clusters of a partly labeled split, where labels define the known intents.

Average linkage merges similar intents. Labels separate them where both are known, so the labeled
rows of each known intent form one cluster. A cluster of the linkage is novel if it has far fewer
labeled rows than its size suggests.
"""

import numpy as np

from advin.discovery.compute.classes import class_centroids, nearest_centroids
from advin.discovery.labels import UNLABELED

_MOST_ROUNDS = 100


def novel_clusters(clusters: np.ndarray, labels: np.ndarray, small: int = 1) -> np.ndarray:
    """Return the novel clusters of at least `small` rows, largest first.

    A cluster is novel if it has less than half the labeled rows expected for its size. The expected
    rate is that of the clusters with labels. If there are no labels and no cluster is large enough,
    all clusters are returned.

    Args:
        clusters: (n,) int, the cluster of each row.
        labels: (n,) int, 0 or above, or UNLABELED.
        small: minimum size of a novel cluster.
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
    """Return the class of each row (n,): 0 … k - 1 are known intents, novel ones follow.

    Labeled rows and rows of novel clusters keep their class. All other rows get the class of the
    nearest centroid.

    Args:
        vectors: (n, d) in the learned space, unit norm.
        labels: (n,) int, 0 … k - 1, or UNLABELED.
        clusters: (n,) int, the cluster of each row.
        novel: clusters that are one novel intent each; at least one if there are no labels.
    """
    known = labels.max(initial=UNLABELED) + 1
    classes = np.array(labels)
    for number, cluster in enumerate(novel):
        classes[(clusters == cluster) & (labels < 0)] = known + number
    free = classes < 0
    classes[free] = nearest_centroids(vectors[free], vectors[~free], classes[~free])[0]
    return classes


def seeded_k_means(vectors: np.ndarray, labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Run k-means from the given classes and return the new ones (n,); labeled rows never move.

    This is constrained k-means (Basu et al., Semi-supervised clustering by seeding, ICML 2002) with
    cosine similarity, as used in generalized category discovery (Vaze et al., arXiv 2201.02609).
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
    """Return the mean cosine between unit vectors (n, d) and the centroid of their class (n,)."""
    names, index = np.unique(classes, return_inverse=True)
    centroids = class_centroids(vectors, index, len(names))
    return float((vectors * centroids[index]).sum(axis=1).mean())
