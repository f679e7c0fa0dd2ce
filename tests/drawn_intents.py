"""Intents that are drawn at random, for tests of stage I."""

import numpy as np

DIMENSION = 24


def draw(intents, rows, seed=0, spread=0.7, dimension=DIMENSION):
    """Unit vectors around random centers: (vectors, labels)."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(intents, dimension))
    labels = np.repeat(np.arange(intents), rows)
    x = centers[labels] + spread * rng.normal(size=(len(labels), dimension))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float16), labels
