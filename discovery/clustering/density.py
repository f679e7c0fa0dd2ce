"""Clustering by HDBSCAN, the alternative to linkage.

HDBSCAN (Campello et al., 2013; McInnes et al., 2017) alone leaves most of a log as noise and splits
intents. With the learned distance as `cluster_selection_epsilon` (Malzer and Baum, arXiv
1911.02282), clusters closer than this distance become one. Noise is left unclustered; the rule that
assigns all utterances later gives it to the nearest intent that covers it.
"""

import hdbscan
import numpy as np


def density_clusters(
    vectors: np.ndarray, distance: float, min_size: int, max_points: int
) -> np.ndarray:
    """Cluster unit vectors by density.

    Args:
        vectors: (n, d) unit vectors in the learned space.
        distance: the learned distance, 1 - cosine, 0 to 2.
        min_size: fewest points of a cluster.
        max_points: most points that are accepted; time and memory grow with their square.

    Returns:
        (n,) int64 labels, the smallest row of each cluster; a noise point is a cluster by itself.

    Raises:
        ValueError: if there are more than `max_points` points.
    """
    n = len(vectors)
    if n > max_points:
        raise ValueError(
            f"{n} points, but HDBSCAN takes at most {max_points} here: cluster by linkage"
        )
    fewest = max(min_size, 2)  # HDBSCAN does not accept smaller clusters
    if n <= fewest:
        return np.arange(n)
    found = hdbscan.HDBSCAN(
        min_cluster_size=fewest,
        # For unit vectors, the squared Euclidean distance is twice the cosine distance.
        cluster_selection_epsilon=float(np.sqrt(2 * distance)),
        cluster_selection_method="leaf",
        core_dist_n_jobs=1,
    ).fit_predict(vectors.astype(np.float64))
    labels = np.arange(n)
    for cluster in range(found.max() + 1):
        rows = np.flatnonzero(found == cluster)
        labels[rows] = rows[0]
    return labels
