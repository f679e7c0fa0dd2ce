"""How likely an intent is a real one, as a number that ranks intents.

A real intent is far from other intents in the learned space, compared with its spread, and its
utterances resemble each other in the encoder's space (benchmarks/history.md, *Confidence of an
intent*). The number is no calibrated probability.
"""

import numpy as np

from advin.discovery.intents.coherence import coherence


def silhouettes(own: np.ndarray, is_nearest: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Return how clearly each utterance belongs to its intent.

    This is Rousseeuw's silhouette (J. Comput. Appl. Math. 20, 1987) with distances to centroids.

    Args:
        own: (n,) distances to the intent of each utterance.
        is_nearest: (n,) bool, True if that intent is the nearest one.
        distances: (n, k) distances to the nearest intents, sorted.

    Returns:
        (n,) float64, -1 to 1: below 0 if another intent is nearer; 0 halfway between two intents;
        1 if there is no other intent.
    """
    second = distances[:, 1] if distances.shape[1] > 1 else np.full(len(own), np.inf)
    other = np.where(is_nearest, second, distances[:, 0]).astype(np.float64).clip(min=0)
    result = np.ones(len(own))
    compared = np.isfinite(other)
    a, b = own[compared].astype(np.float64).clip(min=0), other[compared]
    larger = np.maximum(a, b)
    result[compared] = np.divide(b - a, larger, out=np.zeros(len(a)), where=larger > 0)
    return result


def confidence(silhouette: float | None, vectors: np.ndarray) -> float | None:
    """Return how likely an intent is a real one: silhouette times coherence.

    Args:
        silhouette: mean of its utterances, -1 to 1; None without utterances.
        vectors: (n, d) unit vectors of its utterances in the encoder's space.

    Returns:
        0 to 1, and 0 for fewer than two vectors; None without utterances.
    """
    if silhouette is None:
        return None
    return float(np.clip(silhouette * np.nan_to_num(coherence(vectors)), 0, 1))
