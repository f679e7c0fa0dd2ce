"""The other way to cluster: HDBSCAN, with the learned distance as its smallest scale.

HDBSCAN (Campello et al., 2013; McInnes et al., 2017) on its own calls most of a log noise, and
splits intents at whim. The distance that labeled intents taught is `cluster_selection_epsilon`
(Malzer and Baum, arXiv 1911.02282): clusters closer than that are one. What is noise still is left
alone here, and handed to the nearest intent in its radius by the rule that assigns all utterances.
"""

import hdbscan
import numpy as np

# In hundreds of dimensions its trees do not help: time and memory grow with the square.
MAX_POINTS = 30_000


def density_clusters(vectors: np.ndarray, distance: float, min_size: int) -> np.ndarray:
    """Cluster unit vectors by density.

    Args:
        vectors: (n, d) unit vectors in the learned space.
        distance: the learned cosine distance, 0 to 2.
        min_size: fewest points of a cluster.

    Returns:
        (n,) int64 labels, the smallest row of each cluster; noise is a cluster by itself.

    Raises:
        ValueError: if there are more than MAX_POINTS points.
    """
    n = len(vectors)
    if n > MAX_POINTS:
        raise ValueError(
            f"{n} points, but HDBSCAN takes at most {MAX_POINTS} here: cluster by linkage"
        )
    if n <= max(min_size, 2):
        return np.arange(n)
    found = hdbscan.HDBSCAN(
        min_cluster_size=max(min_size, 2),
        # Between unit vectors, euclidean distance² = 2 × cosine distance.
        cluster_selection_epsilon=float(np.sqrt(2 * distance)),
        cluster_selection_method="leaf",
        core_dist_n_jobs=1,
    ).fit_predict(vectors.astype(np.float64))
    labels = np.arange(n)
    for cluster in range(found.max() + 1):
        rows = np.flatnonzero(found == cluster)
        labels[rows] = rows[0]
    return labels
