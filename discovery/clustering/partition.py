"""Cells of the learned space, and the merges that are certain inside one cell.

A worker holds the clusters of one cell. Each cluster also visits the next nearest cells, and learns
there how similar the nearest cluster elsewhere is. Two clusters of one cell that are nearer to each
other than to any other cluster would be merged by exact average linkage too, because average
linkage is reducible (RAC, arXiv 2105.11653; TeraHAC, arXiv 2308.03578, with ε = 0). The result
differs from exact linkage only where the nearest cluster is in a cell that was not visited.
"""

import math
from dataclasses import dataclass

import faiss
import numpy as np
import torch

from advin.discovery.clustering.clusters import Clusters, for_intents
from advin.discovery.clustering.config import LinkageConfig
from advin.discovery.clustering.linkage import certain_linkage

# Rows and columns of similarities at once.
_BLOCK = 4_096


@dataclass(frozen=True, slots=True)
class Partition:
    """Cells of the space, one around each centroid; a crowded cell has several parts.

    Attributes:
        centroids: (c, d) float32 unit vectors.
        parts: (c,) int64 number of parts of each cell; the id of a cluster chooses its part.
    """

    centroids: np.ndarray
    parts: np.ndarray

    def homes(self, clusters: Clusters, visits: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the part that each cluster lives in, and the parts that it visits.

        Args:
            clusters: n clusters.
            visits: cells that a cluster is compared in, its own included.

        Returns:
            (n,) int64 number of each cluster's home part; and (v, 2) int64 pairs of a row and a
            visited part, which is never the home of the row.
        """
        cells = _nearest_cells(clusters.means.astype(np.float32), self.centroids, visits)
        draw = np.array([int(i[:8], 16) for i in clusters.ids], np.int64)
        # The number of each cell's first part.
        first = np.cumsum(self.parts) - self.parts
        home = first[cells[:, 0]] + draw % self.parts[cells[:, 0]]
        pairs = []
        for cell in cells.T:
            for part in range(self.parts[cell].max(initial=0)):
                row = np.flatnonzero(self.parts[cell] > part)
                visited = first[cell[row]] + part
                away = visited != home[row]
                pairs.append(np.stack([row[away], visited[away]], axis=1))
        return home, np.concatenate(pairs) if pairs else np.zeros((0, 2), np.int64)


def _nearest_cells(means: np.ndarray, centroids: np.ndarray, visits: int) -> np.ndarray:
    """Return the (n, visits) cells nearest to means (n, d), nearest first."""
    visits = min(visits, len(centroids))
    found: np.ndarray = faiss.knn(means, centroids, visits, metric=faiss.METRIC_INNER_PRODUCT)[1]
    return found


def rows_to_learn(clusters: int, cell_rows: int, config: LinkageConfig) -> int:
    """Return the size of the sample that `learn_partition` should be given.

    Args:
        clusters: number of all clusters.
        cell_rows: clusters that a cell should hold.
        config: sample size per cell and in all.
    """
    cells = max(1, math.ceil(clusters / cell_rows))
    return min(config.max_learned, config.learned_per_cell * cells)


def learn_partition(
    sample: np.ndarray, clusters: int, cell_rows: int, seed: int, config: LinkageConfig
) -> Partition:
    """Learn cells of the space by spherical k-means.

    Args:
        sample: (s, d) means of a random sample of the clusters.
        clusters: number of all clusters.
        cell_rows: clusters that a cell should hold.
        seed: seed of k-means.
        config: k-means iterations, visits, and when a cell is crowded.
    """
    cells = max(1, math.ceil(clusters / cell_rows))
    sample = np.asarray(sample, np.float32)
    means = faiss.Kmeans(
        sample.shape[1],
        min(cells, len(sample)),
        niter=config.iterations,
        seed=seed,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=config.learned_per_cell,
    )
    means.train(sample)
    # Equal vectors give equal centroids, and a cell whose centroid occurs twice would be torn.
    centroids = np.unique(np.asarray(means.centroids), axis=0)
    home = _nearest_cells(sample, centroids, config.visits)[:, 0]
    share = np.bincount(home, minlength=len(centroids)) / len(sample)
    # Near duplicates cannot be separated by position, so only parts bound the size of their cell.
    parts = np.maximum(1, np.ceil(share * clusters / (config.crowded * cell_rows)))
    return Partition(centroids, parts.astype(np.int64))


@dataclass(frozen=True, slots=True)
class Coarse:
    """Vectors rounded to 8 bits per dimension; their inner products are off by about 0.0005.

    Attributes:
        codes: (n, d) int8.
        scales: (n,) float32; a vector is its codes times its scale.
    """

    codes: np.ndarray
    scales: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray) -> "Coarse":
        """Return rounded vectors (n, d)."""
        wide = vectors.astype(np.float32)
        scales = np.maximum(np.abs(wide).max(axis=1, initial=0), 1e-12) / np.float32(127)
        return cls(np.rint(wide / scales[:, None]).astype(np.int8), scales)

    def vectors(self) -> np.ndarray:
        """Return the (n, d) float32 vectors."""
        return self.codes * self.scales[:, None]


def best_outside(residents: np.ndarray, visitors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the similarity of each resident to its nearest visitor, and the other way round.

    Args:
        residents: (r, d) float32 mean vectors.
        visitors: (v, d) float32 mean vectors.

    Returns:
        (r,) and (v,) float32 similarities; -inf if the other side is empty.
    """
    of_residents = np.full(len(residents), -np.inf, np.float32)
    of_visitors = np.full(len(visitors), -np.inf, np.float32)
    for i in range(0, len(residents), _BLOCK):
        # In this product, torch is nearly twice as fast as numpy.
        here = torch.from_numpy(residents[i : i + _BLOCK])
        for j in range(0, len(visitors), _BLOCK):
            similarity = here @ torch.from_numpy(visitors[j : j + _BLOCK]).T
            for best, axis in ((of_residents[i : i + _BLOCK], 1), (of_visitors[j : j + _BLOCK], 0)):
                np.maximum(best, similarity.amax(dim=axis).numpy(), out=best)
    return of_residents, of_visitors


def merge_certain(
    clusters: Clusters, outside: np.ndarray, floor: float
) -> tuple[Clusters, np.ndarray, np.ndarray]:
    """Make all certain merges inside one cell, down to a similarity.

    Args:
        clusters: n clusters of the cell, sorted by id.
        outside: (n,) upper bound of the similarity to any cluster elsewhere.
        floor: least mean similarity of a merge.

    Returns:
        the m merged clusters, sorted by id; (n,) the row of the merged cluster that each cluster is
        part of; and (m,) bool, True if a partner above the floor exists here or elsewhere.
    """
    weights = clusters.weights.astype(np.float64)
    sums = clusters.sums()
    tree, waiting = certain_linkage(sums, weights, floor, outside)
    # The label of a cluster is its smallest row, and rows are sorted by id.
    first, into = np.unique(tree.cut(-np.inf), return_inverse=True)
    order = np.argsort(into, kind="stable")
    start = np.flatnonzero(np.diff(into[order], prepend=-1))

    def total(column: np.ndarray) -> np.ndarray:
        return np.add.reduceat(column[order], start, axis=0)

    weight = total(weights)
    # The last part of each group by size is its largest; ties go to the smaller id.
    by_size = np.lexsort((-np.arange(len(into)), clusters.sizes, into))
    largest = by_size[np.append(start[1:], len(into)) - 1]
    intents = clusters.intents[largest]
    log_odds = for_intents(clusters.log_odds, clusters.intents == intents[into])
    merged = Clusters(
        ids=clusters.ids[first],
        means=(total(sums.astype(np.float64)) / weight[:, None]).astype(np.float16),
        weights=total(clusters.weights),
        sizes=total(clusters.sizes),
        log_odds=total(log_odds),
        label_density=total(clusters.label_density),
        intents=intents,
    )
    return merged, into, np.isin(first, waiting)
