"""Rows by their class: even samples, what a class is on average, and which one is nearest.

A class is an intent, known or true, or a cluster; labels run over 0 … classes - 1.
"""

import faiss
import numpy as np

_SHORTEST = 1e-12


def sample_evenly(labels: np.ndarray, most: int, random: np.random.Generator) -> np.ndarray:
    """Return at most `most` row numbers, sorted: small classes whole, large ones in part."""
    order = random.permutation(len(labels))
    sorted_by_class = order[np.argsort(labels[order], kind="stable")]
    starts = np.searchsorted(labels[sorted_by_class], labels[sorted_by_class])
    rank = np.arange(len(labels)) - starts
    return np.sort(sorted_by_class[np.argsort(rank, kind="stable")[:most]])


def class_sums(vectors: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Return the (classes, d) float64 sums of vectors (n, d) with labels (n,), zero without any."""
    sums = np.zeros((classes, vectors.shape[1]))
    np.add.at(sums, labels, vectors)
    return sums


def class_means(vectors: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Return the (classes, d) float64 means of vectors (n, d), zero without any."""
    counts = np.bincount(labels, minlength=classes)
    return class_sums(vectors, labels, classes) / np.maximum(counts, 1)[:, None]


def class_centroids(vectors: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Return the (classes, d) float32 directions of the means, unit norm; zero without any."""
    sums = class_sums(vectors, labels, classes)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return (sums / np.maximum(lengths, _SHORTEST)).astype(np.float32)


def nearest(queries: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest of at least one centroid (c, d) for each query (m, d), by cosine.

    Returns:
        (m,) int64 indices, and (m,) float32 distances, 1 - cosine.
    """
    similarity, found = faiss.knn(
        np.ascontiguousarray(queries, np.float32),
        np.ascontiguousarray(centroids, np.float32),
        1,
        metric=faiss.METRIC_INNER_PRODUCT,
    )
    return found[:, 0], 1 - similarity[:, 0]


def nearest_centroids(
    queries: np.ndarray, vectors: np.ndarray, clusters: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest cluster of each query (m, d), clusters given as labels of vectors (n, d).

    Returns:
        (m,) labels, and (m,) distances to the centroids, 1 - cosine.
    """
    names, index = np.unique(clusters, return_inverse=True)
    found, distances = nearest(queries, class_centroids(vectors, index, len(names)))
    return names[found], distances
