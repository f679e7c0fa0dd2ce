"""Average linkage of more clusters than one worker holds: partition, merge the certain, repeat.

A worker holds the clusters of one cell of the space. Each cluster visits the cells that are next
nearest to it, which tells it, and those who live there, how near the nearest cluster elsewhere is.
Two clusters of a cell that are nearer to each other than to anything, here or elsewhere, are merged
by exact average linkage too, now or later: average linkage is reducible (RAC, arXiv 2105.11653;
TeraHAC, arXiv 2308.03578, with ε = 0). What is left is partitioned anew, until one worker can take
it. The answer differs from the exact one only where a nearest cluster lives in a cell that was not
visited.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import faiss
import numpy as np
import torch

from advin.discovery.clustering.linkage import certain_linkage

# Clusters that a cell should hold; and in the last rounds, when what still waits is near to those
# of many cells.
CELL_ROWS = 4_096
MAX_CELL_ROWS = 4 * CELL_ROWS
# Cells that a cluster is in touch with, its own included.
VISITS = 4
# Clusters that the cells of a partition are learned from: so many for each cell, but no more.
_LEARNED_PER_CELL = 256
_MAX_LEARNED = 262_144
_ITERATIONS = 10
# A cell that is expected to hold more than this many times what it should is dealt out to several
# workers: nothing else bounds it, as near duplicates cannot be told apart by where they are.
_FULL = 4
# Rows and columns of similarities at once.
_BLOCK = 4_096


@dataclass(frozen=True, slots=True)
class Clusters:
    """Clusters of the log's utterances; single utterances to begin with.

    Attributes:
        ids: (n,) S32, the smallest utterance id in each.
        means: (n, d) float16, mean vectors in the learned space, by the weights.
        weights: (n,) int64, sums of the `repetition_weights` of its utterances.
        sizes: (n,) int64, distinct utterances.
        novelty: (n,) float64, sum of their novelty scores.
        kept: (n,) int64, how many of them are not flagged.
    """

    ids: np.ndarray
    means: np.ndarray
    weights: np.ndarray
    sizes: np.ndarray
    novelty: np.ndarray
    kept: np.ndarray

    def columns(self) -> tuple[np.ndarray, ...]:
        """Return the attributes in their order."""
        return self.ids, self.means, self.weights, self.sizes, self.novelty, self.kept

    def sums(self) -> np.ndarray:
        """Return (n, d) float32, the sums that the means are of."""
        return self.means.astype(np.float32) * self.weights.astype(np.float32)[:, None]

    def take(self, rows: np.ndarray) -> "Clusters":
        """Return some of the clusters."""
        return Clusters(*(c[rows] for c in self.columns()))

    @classmethod
    def joined(cls, parts: Sequence["Clusters"]) -> "Clusters":
        """Put clusters together, sorted by id: the same order whatever the parts."""
        columns = zip(*(p.columns() for p in parts), strict=True)
        everything = cls(*(np.concatenate(c) for c in columns))
        return everything.take(np.argsort(everything.ids, kind="stable"))


@dataclass(frozen=True, slots=True)
class Partition:
    """Cells of the space, each the surroundings of a centroid, in one or several parts.

    Attributes:
        centroids: (c, d) float32, unit norm.
        parts: (c,) int64, into how many parts the cell's clusters are dealt, by their ids.
    """

    centroids: np.ndarray
    parts: np.ndarray

    def homes(self, clusters: Clusters) -> tuple[np.ndarray, np.ndarray]:
        """Tell where clusters live, and which parts they visit.

        Returns:
            (n,) number of each cluster's own part; and (v, 2) int64 pairs of a row and a part, the
            row's own one not among them.
        """
        cells = _nearest_cells(clusters.means.astype(np.float32), self.centroids)
        dealt = np.array([int(i[:8], 16) for i in clusters.ids], np.int64)
        # The number of each cell's first part.
        first = np.cumsum(self.parts) - self.parts
        home = first[cells[:, 0]] + dealt % self.parts[cells[:, 0]]
        pairs = []
        for cell in cells.T:
            for part in range(self.parts[cell].max(initial=0)):
                row = np.flatnonzero(self.parts[cell] > part)
                there = first[cell[row]] + part
                away = there != home[row]
                pairs.append(np.stack([row[away], there[away]], axis=1))
        return home, np.concatenate(pairs) if pairs else np.zeros((0, 2), np.int64)


def _nearest_cells(means: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Return (n, VISITS) the cells that clusters are in touch with, nearest first."""
    visits = min(VISITS, len(centroids))
    return faiss.knn(means, centroids, visits, metric=faiss.METRIC_INNER_PRODUCT)[1]


def rows_to_learn(clusters: int, cell_rows: int) -> int:
    """Return how large a sample of so many clusters `learn_partition` should be given."""
    return min(_MAX_LEARNED, _LEARNED_PER_CELL * max(1, math.ceil(clusters / cell_rows)))


def learn_partition(sample: np.ndarray, clusters: int, cell_rows: int, seed: int) -> Partition:
    """Learn cells of the space by spherical k-means.

    Args:
        sample: (s, d) means of a random sample of the clusters.
        clusters: how many there are.
        cell_rows: how many a cell should hold.
        seed: another one gives other cells.
    """
    cells = max(1, math.ceil(clusters / cell_rows))
    sample = np.asarray(sample, np.float32)
    means = faiss.Kmeans(
        sample.shape[1],
        min(cells, len(sample)),
        niter=_ITERATIONS,
        seed=seed,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=_LEARNED_PER_CELL,
    )
    means.train(sample)
    # Equal vectors give equal centroids, among which those of their kind would be lost.
    centroids = np.unique(np.asarray(means.centroids), axis=0)
    home = _nearest_cells(sample, centroids)[:, 0]
    share = np.bincount(home, minlength=len(centroids)) / len(sample)
    parts = np.maximum(1, np.ceil(share * clusters / (_FULL * cell_rows))).astype(np.int64)
    return Partition(centroids, parts)


@dataclass(frozen=True, slots=True)
class Coarse:
    """Vectors that are good enough to ask how near they are: inner products are off by some 0.0005.

    Attributes:
        codes: (n, d) int8.
        scales: (n,) float32; a vector is its codes times its scale.
    """

    codes: np.ndarray
    scales: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray) -> "Coarse":
        """Round (n, d) vectors."""
        wide = vectors.astype(np.float32)
        scales = np.maximum(np.abs(wide).max(axis=1, initial=0), 1e-12) / np.float32(127)
        return cls(np.rint(wide / scales[:, None]).astype(np.int8), scales)

    def vectors(self) -> np.ndarray:
        """Return (n, d) float32."""
        return self.codes * self.scales[:, None]


def best_outside(residents: np.ndarray, visitors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how similar each resident's nearest visitor is, and each visitor's nearest resident.

    Args:
        residents: (r, d) float32 mean vectors.
        visitors: (v, d) float32 mean vectors.

    Returns:
        (r,) and (v,) float32; -inf where there is none.
    """
    of_residents = np.full(len(residents), -np.inf, np.float32)
    of_visitors = np.full(len(visitors), -np.inf, np.float32)
    for i in range(0, len(residents), _BLOCK):
        # Here torch is nearly twice as fast as numpy.
        here = torch.from_numpy(residents[i : i + _BLOCK])
        for j in range(0, len(visitors), _BLOCK):
            similarity = here @ torch.from_numpy(visitors[j : j + _BLOCK]).T
            for best, axis in ((of_residents[i : i + _BLOCK], 1), (of_visitors[j : j + _BLOCK], 0)):
                np.maximum(best, similarity.amax(dim=axis).numpy(), out=best)
    return of_residents, of_visitors


def merge_certain(
    clusters: Clusters, outside: np.ndarray, floor: float
) -> tuple[Clusters, np.ndarray, np.ndarray]:
    """Make all merges inside one cell that are certain, down to a similarity.

    Args:
        clusters: those of the cell, sorted by id.
        outside: (n,) how similar the nearest cluster elsewhere is to each, at most.
        floor: the least similarity of a merge.

    Returns:
        the clusters after it, sorted by id; (n,) the row there of what each became part of; and
        (m,) whether there is another one, here or elsewhere, that is as similar as the floor.
    """
    weights = clusters.weights.astype(np.float64)
    sums = clusters.sums()
    tree, waiting = certain_linkage(sums, weights, floor, outside)
    # A label is the smallest row of a cluster, and rows are sorted by id.
    first, into = np.unique(tree.cut(-np.inf), return_inverse=True)
    order = np.argsort(into, kind="stable")
    start = np.flatnonzero(np.diff(into[order], prepend=-1))

    def total(column: np.ndarray) -> np.ndarray:
        return np.add.reduceat(column[order], start, axis=0)

    weight = total(weights)
    merged = Clusters(
        ids=clusters.ids[first],
        means=(total(sums.astype(np.float64)) / weight[:, None]).astype(np.float16),
        weights=total(clusters.weights),
        sizes=total(clusters.sizes),
        novelty=total(clusters.novelty),
        kept=total(clusters.kept),
    )
    return merged, into, np.isin(first, waiting)
