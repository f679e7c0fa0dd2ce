"""The choice of one cut on a curve of agreement."""

import numpy as np

# Keeps the weights of a flat curve positive.
_TINY = 1e-12


def plateau_center(grid: np.ndarray, agreement: np.ndarray, tolerance: float) -> float:
    """Return the center of the cuts that agree about as well as the best one.

    A single peak of a curve over few utterances is chance; the plateau around it is not.

    Args:
        grid: (g,) cuts that were tried.
        agreement: (g,) agreement of each cut, at least 0.
        tolerance: share of the best agreement that a cut of the plateau may lack, 0 to 1.

    Returns:
        the mean cut of the plateau, weighted by agreement above its edge, to four decimals.
    """
    excess = agreement - agreement.max() * (1 - tolerance)
    weights = np.where(excess >= 0, excess + _TINY, 0.0)
    return round(float(np.average(grid, weights=weights)), 4)
