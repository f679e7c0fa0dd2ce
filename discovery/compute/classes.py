"""Rows grouped by class: even samples, means, centroids and the nearest class.

A class is an intent or a cluster. Labels are the integers 0 … classes - 1.
"""

import faiss
import numpy as np

# Shorter sums are zero but for rounding.
_LEAST_LENGTH = 1e-12


def sample_evenly(labels: np.ndarray, most: int, random: np.random.Generator) -> np.ndarray:
    """Sample rows as evenly over classes as possible: small classes are kept whole.

    Args:
        labels: (n,) class of each row.
        most: largest number of rows in the sample.
        random: source of randomness.

    Returns:
        sorted row numbers.
    """
    order = random.permutation(len(labels))
    sorted_by_class = order[np.argsort(labels[order], kind="stable")]
    starts = np.searchsorted(labels[sorted_by_class], labels[sorted_by_class])
    rank = np.arange(len(labels)) - starts
    return np.sort(sorted_by_class[np.argsort(rank, kind="stable")[:most]])


def class_sums(vectors: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Return sums of vectors (n, d) by label (n,): (classes, d) float64, 0 for empty classes."""
    sums = np.zeros((classes, vectors.shape[1]))
    np.add.at(sums, labels, vectors)
    return sums


def class_means(vectors: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Return means of vectors (n, d) by label (n,): (classes, d) float64, 0 for empty classes."""
    counts = np.bincount(labels, minlength=classes)
    return class_sums(vectors, labels, classes) / np.maximum(counts, 1)[:, None]


def class_centroids(vectors: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Return normalized means by label: (classes, d) float32, unit norm, 0 for empty classes."""
    return unit_rows(class_sums(vectors, labels, classes)).astype(np.float32)


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Scale vectors (d,) or (n, d) to unit norm; zero vectors stay zero."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(lengths, _LEAST_LENGTH)


def nearest(queries: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest centroid of each query by cosine.

    Args:
        queries: (m, d) unit vectors.
        centroids: (c, d) unit vectors, at least one.

    Returns:
        (m,) int64 indices of centroids, and (m,) float32 distances, 1 - cosine.
    """
    found, distances = nearest_several(queries, centroids, 1)
    return found[:, 0], distances[:, 0]


def nearest_several(
    queries: np.ndarray, centroids: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest centroids of each query by cosine.

    Args:
        queries: (m, d) unit vectors.
        centroids: (c, d) unit vectors, at least one.
        most: number of centroids to find.

    Returns:
        (m, k) int64 indices of the k = min(most, c) nearest centroids, the nearest first, and
        (m, k) float32 distances, 1 - cosine.
    """
    similarity, found = faiss.knn(
        np.ascontiguousarray(queries, np.float32),
        np.ascontiguousarray(centroids, np.float32),
        min(most, len(centroids)),
        metric=faiss.METRIC_INNER_PRODUCT,
    )
    return found, 1 - similarity


def nearest_centroids(
    queries: np.ndarray, vectors: np.ndarray, clusters: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find the cluster with the nearest centroid for each query.

    Args:
        queries: (m, d) unit vectors.
        vectors: (n, d) unit vectors.
        clusters: (n,) cluster label of each vector.

    Returns:
        (m,) cluster labels, and (m,) float32 distances to the centroids, 1 - cosine.
    """
    names, index = np.unique(clusters, return_inverse=True)
    found, distances = nearest(queries, class_centroids(vectors, index, len(names)))
    return names[found], distances
