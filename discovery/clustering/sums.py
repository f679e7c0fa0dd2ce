"""Sums and weights of clusters, and their exact similarities."""

from collections.abc import Iterator

import numpy as np

# Rows that are held in float64 at once.
CHUNK_ROWS = 2048


class ClusterSums:
    """Sums and weights by slot. Sums of leaves are not copied; merged sums are stored apart."""

    def __init__(self, leaves: np.ndarray, weights: np.ndarray):
        """Start with one cluster for each leaf.

        Args:
            leaves: (n, d) sums of unit vectors, any float type.
            weights: (n,) float64 number of vectors in each sum; changed by merges.
        """
        self.leaves, self.weights = leaves, weights
        # At most n / 2 merged clusters exist at once; the system allocates only the rows in use.
        self._merged = np.empty((len(leaves) // 2, leaves.shape[1]))
        self._row_of = np.full(len(leaves), -1)
        self._free = np.arange(len(self._merged))

    def of(self, slots: np.ndarray) -> np.ndarray:
        """Return the (s, d) float64 sums of slots (s,)."""
        sums = self.leaves[slots].astype(np.float64)
        row = self._row_of[slots]
        sums[row >= 0] = self._merged[row[row >= 0]]
        return sums

    def means(self, slots: np.ndarray) -> np.ndarray:
        """Return the (s, d) float32 mean vectors of slots (s,)."""
        means = np.empty((len(slots), self.leaves.shape[1]), np.float32)
        for part in chunks(len(slots)):
            means[part] = self.of(slots[part]) / self.weights[slots[part], None]
        return means

    def similarity(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Return the (p,) float64 similarities of pairs of slots.

        They are computed from sums and in a fixed order of additions. So they do not depend on the
        order of merges where sums are exact, nor on other pairs.
        """
        result = np.empty(len(one))
        for part in chunks(len(one)):
            product = np.einsum("ij,ij->i", self.of(one[part]), self.of(other[part]))
            result[part] = product / (self.weights[one[part]] * self.weights[other[part]])
        return result

    def add(self, keep: np.ndarray, drop: np.ndarray) -> None:
        """Add the clusters of slots `drop` to those of slots `keep`."""
        for part in chunks(len(keep)):
            a, b = keep[part], drop[part]
            row = np.maximum(self._row_of[a], self._row_of[b])
            unused = np.minimum(self._row_of[a], self._row_of[b])
            new = np.flatnonzero(row < 0)
            row[new] = self._free[: len(new)]
            self._free = np.concatenate([unused[unused >= 0], self._free[len(new) :]])
            self._merged[row] = self.of(a) + self.of(b)
            self._row_of[a], self._row_of[b] = row, -1
            self.weights[a] += self.weights[b]


def chunks(n: int, size: int = CHUNK_ROWS) -> Iterator[slice]:
    """Yield slices that cover n rows in order."""
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))
