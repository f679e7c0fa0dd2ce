"""Relative Mahalanobis distance, from class sums alone.

The score of an utterance is its Mahalanobis distance to the nearest class, with the covariance
pooled within classes, less its distance to all classes together, with the global covariance (Ren et
al., arXiv 2106.09022). Both follow from (n, Σx) of each class and the pooled Σxxᵀ, which add up.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from advin.discovery.compute.classes import class_sums

# Second moments are taken of vectors rounded to this: their float64 sums are exact, so equal in
# any order, up to 5e8 rows.
_GRID = 2.0**-12
# Variances below this are rounding.
_LEAST_VARIANCE = 1e-6


@dataclass(frozen=True, slots=True)
class ClassMoments:
    """Sums over labeled vectors: a commutative monoid under +.

    Attributes:
        counts: (k,) float64 rows of each class.
        sums: (k, d) float64 Σx of each class.
        second: (d, d) float64 Σxxᵀ of all rows, on the grid.
    """

    counts: np.ndarray
    sums: np.ndarray
    second: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray, labels: np.ndarray, classes: int) -> Self:
        """Sum vectors (n, d) with labels (n,) in 0 … classes - 1."""
        rounded = np.rint(vectors.astype(np.float64) / _GRID) * _GRID
        counts = np.bincount(labels, minlength=classes).astype(np.float64)
        return cls(counts, class_sums(vectors, labels, classes), rounded.T @ rounded)

    def __add__(self, other: Self) -> Self:
        """Return the moments of both sets of rows together."""
        return type(self)(
            self.counts + other.counts, self.sums + other.sums, self.second + other.second
        )


@dataclass(frozen=True, slots=True)
class RelativeMahalanobis:
    """Fitted means and whitenings.

    Attributes:
        means: (k, d) class means.
        mean: (d,) mean of all rows.
        within: (d, d) whitening of the covariance within classes.
        overall: (d, d) whitening of the covariance of all rows.
    """

    means: np.ndarray
    mean: np.ndarray
    within: np.ndarray
    overall: np.ndarray

    @classmethod
    def fit(cls, moments: ClassMoments, shrinkage: float) -> Self:
        """Fit to the moments of classes that have at least one row each.

        Args:
            moments: of the labeled vectors.
            shrinkage: 0 to 1, weight of the mean variance on the diagonal of each covariance: the
                fewer rows, the more.

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
        """Return (n, k) squared distances to each class, less the one to all classes together."""
        x = vectors.astype(np.float64)
        white, centers = x @ self.within, self.means @ self.within
        squared = (white**2).sum(axis=1)[:, None] - 2 * white @ centers.T + (centers**2).sum(axis=1)
        return squared - (((x - self.mean) @ self.overall) ** 2).sum(axis=1)[:, None]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the state as named arrays."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Self:
        """Restore what `to_arrays` returned."""
        return cls(**{f.name: arrays[f.name] for f in fields(cls)})


def _whitening(covariance: np.ndarray, shrinkage: float) -> np.ndarray:
    """Return W with W Wᵀ the inverse of the shrunk covariance."""
    values, directions = np.linalg.eigh(covariance)
    # Of one row a class, or of rows that are all equal, there is no variance at all.
    level = max(values.mean(), _LEAST_VARIANCE)
    shrunk = (1 - shrinkage) * np.maximum(values, 0) + shrinkage * level
    return directions / np.sqrt(np.maximum(shrunk, _LEAST_VARIANCE * level))
