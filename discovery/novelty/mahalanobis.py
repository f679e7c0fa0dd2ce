"""Relative Mahalanobis distance (Ren et al., arXiv 2106.09022), computed from sums.

It is the Mahalanobis distance to a class, with the covariance pooled within classes, minus the
distance to all classes together, with the global covariance. Both follow from n and Σx of each
class and from Σxxᵀ of all rows, which can be added over parts of the data.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from advin.discovery.compute.classes import class_sums

# For second moments, vectors are rounded to this step. Then float64 sums of up to 5e8 rows are
# exact and do not depend on the order.
_STEP = 2.0**-12
# Smaller variances are rounding errors.
_LEAST_VARIANCE = 1e-6


@dataclass(frozen=True, slots=True)
class ClassMoments:
    """Sums over labeled vectors, which can be added over parts of the data.

    Attributes:
        counts: (k,) float64 number of rows of each class.
        sums: (k, d) float64 Σx of each class.
        second: (d, d) float64 Σxxᵀ of all rows, rounded.
    """

    counts: np.ndarray
    sums: np.ndarray
    second: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray, labels: np.ndarray, classes: int) -> Self:
        """Return the sums of vectors (n, d) with labels (n,) in 0 … classes - 1."""
        rounded = np.rint(vectors.astype(np.float64) / _STEP) * _STEP
        counts = np.bincount(labels, minlength=classes).astype(np.float64)
        return cls(counts, class_sums(vectors, labels, classes), rounded.T @ rounded)

    def __add__(self, other: Self) -> Self:
        """Return the sums over the rows of both."""
        return type(self)(
            self.counts + other.counts, self.sums + other.sums, self.second + other.second
        )


@dataclass(frozen=True, slots=True)
class RelativeMahalanobis:
    """A fitted relative Mahalanobis distance.

    Attributes:
        means: (k, d) float64 means of the classes.
        mean: (d,) float64 mean of all rows.
        within: (d, d) whitening by the covariance within classes.
        overall: (d, d) whitening by the covariance of all rows.
    """

    means: np.ndarray
    mean: np.ndarray
    within: np.ndarray
    overall: np.ndarray

    @classmethod
    def fit(cls, moments: ClassMoments, shrinkage: float) -> Self:
        """Fit the distance to classes with at least one row each.

        Args:
            moments: sums over the labeled vectors.
            shrinkage: 0 to 1, weight of the mean variance on the diagonal of each covariance.

        Raises:
            ValueError: if a class has no rows.
        """
        if not (moments.counts > 0).all():
            empty = int(np.flatnonzero(moments.counts == 0)[0])
            raise ValueError(f"class {empty} has no rows: leave it out or label some")
        n = moments.counts.sum()
        means = moments.sums / moments.counts[:, None]
        mean = moments.sums.sum(axis=0) / n
        between = (means * moments.counts[:, None]).T @ means
        within = (moments.second - between) / max(n - len(means), 1)
        overall = moments.second / n - np.outer(mean, mean)
        return cls(means, mean, _whitening(within, shrinkage), _whitening(overall, shrinkage))

    def distances(self, vectors: np.ndarray) -> np.ndarray:
        """Return the relative distances of vectors (n, d) to the classes: (n, k) float64."""
        x = vectors.astype(np.float64)
        white, centers = x @ self.within, self.means @ self.within
        squared = (white**2).sum(axis=1)[:, None] - 2 * white @ centers.T + (centers**2).sum(axis=1)
        return squared - (((x - self.mean) @ self.overall) ** 2).sum(axis=1)[:, None]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the state as named arrays."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Self:
        """Restore a distance from the arrays of `to_arrays`."""
        return cls(**{f.name: arrays[f.name] for f in fields(cls)})


def _whitening(covariance: np.ndarray, shrinkage: float) -> np.ndarray:
    """Return (d, d) W such that W Wᵀ is the inverse of the shrunk covariance."""
    values, directions = np.linalg.eigh(covariance)
    # Classes of a single row, or of equal rows, have no variance.
    level = max(values.mean(), _LEAST_VARIANCE)
    shrunk = (1 - shrinkage) * np.maximum(values, 0) + shrinkage * level
    return directions / np.sqrt(np.maximum(shrunk, _LEAST_VARIANCE * level))
