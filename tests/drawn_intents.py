"""Intents that are drawn at random, for tests of stage I."""

import numpy as np

DIMENSION = 24


def draw(intents, rows, seed=0, spread=0.7, dimension=DIMENSION):
    """Unit vectors around random centres: (vectors, labels)."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(intents, dimension))
    labels = np.repeat(np.arange(intents), rows)
    x = centres[labels] + spread * rng.normal(size=(len(labels), dimension))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float16), labels
