"""Other tools on the same vectors: each returns the clusters of unit vectors, -1 for noise.

Each runs with its default settings. Needs the extra `bench`
(`pip install -c constraints.txt -e '.[bench]'`).
"""

import numpy as np

# Numbers of clusters that `k_means` tries.
_K_GRID = (5, 7, 10, 14, 20, 28, 40, 57, 80, 113, 160, 226)


def bertopic(vectors: np.ndarray, seed: int) -> np.ndarray:
    """Cluster like BERTopic 0.17 by default: UMAP to 5 dimensions, then HDBSCAN.

    Its settings (Grootendorst, arXiv 2203.05794): 15 neighbors, min_dist 0, cosine;
    min_cluster_size 10, Euclidean, excess of mass.
    """
    import umap
    from hdbscan import HDBSCAN

    space = umap.UMAP(
        n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", random_state=seed
    ).fit_transform(vectors)
    return HDBSCAN(min_cluster_size=10, metric="euclidean").fit_predict(space)


def hdbscan(vectors: np.ndarray, seed: int) -> np.ndarray:
    """Cluster the vectors with HDBSCAN, min_cluster_size 10; deterministic."""
    from hdbscan import HDBSCAN

    del seed
    return HDBSCAN(min_cluster_size=10, metric="euclidean").fit_predict(vectors.astype(np.float64))


def evoc(vectors: np.ndarray, seed: int) -> np.ndarray:
    """Cluster with EVoC (Tutte Institute); return the layer that it selects.

    EVoC embeds a graph of neighbors and cuts it by density.
    """
    from evoc import EVoC

    return EVoC(random_state=seed).fit_predict(np.ascontiguousarray(vectors, np.float32))


def fast_hdbscan(vectors: np.ndarray, seed: int) -> np.ndarray:
    """Cluster the vectors with fast_hdbscan (Tutte Institute), min_cluster_size 10."""
    from fast_hdbscan import HDBSCAN

    del seed
    return HDBSCAN(min_cluster_size=10).fit_predict(np.ascontiguousarray(vectors, np.float32))


def k_means(vectors: np.ndarray, seed: int) -> np.ndarray:
    """Cluster with k-means; K is the one of a grid with the best silhouette (cosine)."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    found = [KMeans(k, n_init=1, random_state=seed).fit_predict(vectors) for k in _K_GRID]
    silhouettes = [silhouette_score(vectors, labels, metric="cosine") for labels in found]
    return found[int(np.argmax(silhouettes))]


PEERS = {
    "k_means": k_means,
    "bertopic": bertopic,
    "hdbscan": hdbscan,
    "evoc": evoc,
    "fast_hdbscan": fast_hdbscan,
}
