"""Rows by their class: samples that are even over classes, and what a class is on average.

A class is an intent, known or true, or a cluster; labels run over 0 … classes - 1.
"""

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
