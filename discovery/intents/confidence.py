"""How likely an intent is a real one, as a number that ranks intents.

A real intent is far from other intents in the learned space, compared with its spread, and its
utterances resemble each other in the encoder's space (benchmarks/history.md, *Confidence of an
intent*). The number is no calibrated probability.
"""

import numpy as np

from advin.discovery.intents.coherence import coherence


def silhouettes(distances: np.ndarray) -> np.ndarray:
    """Return how clearly each utterance belongs to its nearest intent.

    This is Rousseeuw's silhouette (J. Comput. Appl. Math. 20, 1987) with distances to centroids.

    Args:
        distances: (n, k) distances to the nearest intents, sorted.

    Returns:
        (n,) float64, 0 to 1: 0 halfway between two intents; 1 if there is no second intent.
    """
    if distances.shape[1] < 2:
        return np.ones(len(distances))
    first, second = distances[:, :2].astype(np.float64).clip(min=0).T
    return np.divide(second - first, second, out=np.zeros(len(first)), where=second > 0)


def confidence(silhouette: float | None, vectors: np.ndarray) -> float | None:
    """Return how likely an intent is a real one: silhouette times coherence.

    Args:
        silhouette: mean of its utterances, 0 to 1; None without utterances.
        vectors: (n, d) unit vectors of its utterances in the encoder's space.

    Returns:
        0 to 1, and 0 for fewer than two vectors; None without utterances.
    """
    if silhouette is None:
        return None
    return float(np.clip(silhouette * np.nan_to_num(coherence(vectors)), 0, 1))
