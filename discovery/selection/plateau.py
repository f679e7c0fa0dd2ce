"""One rule for choosing on a curve: take what is about as good as the best.

The single best value of a curve that few utterances make is chance; the plateau around it is not.
Callers choose on the plateau: its center, its median, its first value, or the one nearest to a
default.
"""

import numpy as np

# Weight of a value whose excess is zero.
_LEAST_WEIGHT = 1e-12


def near_best(curve: np.ndarray, tolerance: float) -> np.ndarray:
    """True where a curve (n,) is at most `tolerance` below its largest value."""
    return curve >= curve.max() - tolerance


def plateau_ends(
    grid: np.ndarray, curve: np.ndarray, share: float, value: float
) -> tuple[float, float]:
    """Return the ends of the plateau around a value.

    Args:
        grid: (n,) values that were tried, rising.
        curve: (n,) how good each is, 0 or above.
        share: share of the best that a value may lack, 0 to 1.
        value: a value on the plateau.

    Returns:
        the smallest and the largest value of the grid that can be reached from `value` without
        leaving the plateau; `value` if there is none.
    """
    near = near_best(curve, curve.max() * share)
    below, above = grid[~near & (grid < value)], grid[~near & (grid > value)]
    inside = grid[(grid > below.max(initial=-np.inf)) & (grid < above.min(initial=np.inf))]
    return float(inside.min(initial=value)), float(inside.max(initial=value))


def plateau_center(grid: np.ndarray, curve: np.ndarray, share: float) -> float:
    """Return the mean of the values on the plateau, weighted by how far they exceed its edge.

    Args:
        grid: (n,) values that were tried.
        curve: (n,) how good each is, 0 or above.
        share: share of the best that a value may lack, 0 to 1.

    Returns:
        the center, rounded to four decimals.
    """
    excess = curve - curve.max() * (1 - share)
    weights = np.where(excess >= 0, excess + _LEAST_WEIGHT, 0.0)
    return round(float(np.average(grid, weights=weights)), 4)
