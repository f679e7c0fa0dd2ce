"""Tests of the choice of one cut on a curve."""

import numpy as np
import pytest

from advin.discovery.selection.plateau import plateau_center


def test_the_center_of_a_hill_is_chosen():
    grid = np.linspace(0, 1, 101)
    hill = np.clip(1 - 4 * np.abs(grid - 0.4), 0, None).round(1)
    assert plateau_center(grid, hill, 0.03) == pytest.approx(0.4, abs=0.02)


@pytest.mark.parametrize("level", [0, 1])
def test_a_flat_curve_gives_the_center_of_the_grid(level):
    grid = np.linspace(0, 1, 101)
    assert plateau_center(grid, np.full(101, level), 0.03) == pytest.approx(0.5)
