"""Exact average linkage by reciprocal nearest neighbors.

The average-linkage similarity of two clusters of unit vectors is the inner product of their means,
⟨Σa, Σb⟩ / (n_a n_b), so the nearest cluster is the result of a maximum-inner-product search.
Average linkage is reducible: a merged cluster is no nearer to a third one than the nearer of its
parts was. So all reciprocal nearest neighbors can merge at once, in any order, and the tree is the
same as with one merge at a time (RAC, arXiv 2105.11653).

With only a part of all clusters at hand, the certain merges can still be made (TeraHAC, arXiv
2308.03578). It suffices to know how similar the nearest cluster elsewhere is.
"""

import numpy as np

from advin.discovery.clustering.forest import Forest
from advin.discovery.clustering.sums import ClusterSums
from advin.discovery.clustering.tree import Linkage

__all__ = ["Linkage", "average_linkage", "certain_linkage"]


def average_linkage(sums: np.ndarray, weights: np.ndarray, floor: float) -> Linkage:
    """Link clusters, given as sums of unit vectors, down to a mean similarity.

    Ties break by the smaller leaf, except that equal unit vectors merge first. The result does not
    depend on the number of threads. `sums` is not copied; other memory is at most twice its
    float32 size, and 0.2 kB per row.

    Args:
        sums: (n, d) sums of unit vectors, any float type.
        weights: (n,) number of vectors in each sum, positive.
        floor: least mean similarity of a merge, a mean cosine.

    Returns:
        the tree of merges.

    Raises:
        ValueError: if there is not one positive weight for each sum.
    """
    return certain_linkage(sums, weights, floor, np.full(np.shape(sums)[:1], -np.inf))[0]


def certain_linkage(
    sums: np.ndarray, weights: np.ndarray, floor: float, outside: np.ndarray
) -> tuple[Linkage, np.ndarray]:
    """Make the merges that `average_linkage` of all clusters would also make.

    Args:
        sums: (n, d) sums of unit vectors, any float type.
        weights: (n,) number of vectors in each sum, positive.
        floor: least mean similarity of a merge, a mean cosine.
        outside: (n,) upper bound of the similarity to any cluster that is not among these; may be
            5e-4 too low.

    Returns:
        the tree of merges; and int64 smallest leaves of the clusters that may still merge, because
        a partner above the floor exists here or elsewhere.

    Raises:
        ValueError: if there is not one positive weight for each sum.
    """
    sums, weights = np.asarray(sums), np.array(weights, np.float64)
    if sums.ndim != 2 or weights.shape != (len(sums),) or not (weights > 0).all():
        raise ValueError(
            f"sums of shape {sums.shape}, but weights of shape {weights.shape}, the smallest "
            f"{weights.min(initial=np.inf)}: give each cluster one positive weight"
        )
    forest = Forest(ClusterSums(sums, weights), floor, outside)
    forest.merge_equal()
    while forest.merge_round():
        pass
    return Linkage.of_rounds(len(sums), forest.merges), forest.waiting()
