"""Tests of the decisions about rounds of linkage."""

import numpy as np
import pytest

from advin.discovery.clustering.clusters import Clusters
from advin.discovery.clustering.config import LinkageConfig
from advin.discovery.clustering.rounds import (
    LinkageRound,
    next_round,
    premerge_cuts,
    premerge_floors,
    split_finished,
)

CONFIG = LinkageConfig(max_clusters=100, cell_rows=50, max_cell_rows=200, max_rounds=9)
FLOORS = (0.8, 0.6, 0.4)


def run(left: list[int], config: LinkageConfig = CONFIG) -> list[LinkageRound]:
    """Return the rounds when these numbers of clusters are left, one number for each round."""
    rounds: list[LinkageRound] = []
    for clusters in left:
        this = next_round(rounds[-1] if rounds else None, clusters, FLOORS, config)
        if this is None:
            break
        rounds.append(this)
    return rounds


def test_premerging_goes_from_the_smallest_cut_to_the_whole_distance():
    assert premerge_cuts((0.85, 0.7, 0.5, 0.35)) == (0.35, 0.5, 0.7, 1.0)
    assert premerge_floors(0.5, (0.85, 0.7, 0.5)) == (0.75, 0.65, 0.5)


def test_a_log_that_one_worker_can_link_takes_no_round():
    assert run([100]) == [] and len(run([101, 100])) == 1


def test_floors_fall_to_the_last_one_and_stay_there():
    rounds = run([1000, 800, 600, 400, 200])
    assert [r.number for r in rounds] == [1, 2, 3, 4, 5]
    assert [r.floor for r in rounds] == [0.8, 0.6, 0.4, 0.4, 0.4]
    assert [r.is_final for r in rounds] == [False, False, True, True, True]


def test_slow_rounds_above_the_last_floor_do_not_change_the_cells():
    assert [r.cell_rows for r in run([1000, 1000, 1000])] == [50, 50, 50]


def test_a_slow_final_round_enlarges_the_cells_and_a_second_one_ends_the_rounds():
    rounds = run([1000, 800, 600, 590, 580])
    assert [r.cell_rows for r in rounds] == [50, 50, 50, 200]
    # Exactly at the limit is not slow.
    assert [r.cell_rows for r in run([1000, 800, 600, 510, 430])] == [50] * 5


def test_rounds_end_after_the_largest_number_of_rounds():
    assert len(run([1000 - i for i in range(20)], LinkageConfig(max_rounds=2, max_clusters=1))) == 2


@pytest.mark.parametrize(("in_waves", "waves"), [(False, 1), (True, 4)])
def test_a_round_takes_several_waves_only_if_shuffles_stay_in_memory(in_waves, waves):
    config = LinkageConfig(max_clusters=100, wave_clusters=300)
    this = next_round(None, 1000, FLOORS, config, in_waves)
    assert this is not None and this.waves == waves


@pytest.mark.parametrize("is_final", [False, True])
def test_only_a_final_round_finishes_or_drops_clusters_without_a_partner(is_final):
    ones = np.ones(4, np.int64)
    sizes = np.array([9, 9, 2, 2])
    clusters = Clusters(
        np.array(list("abcd"), "S32"), np.eye(4), ones, sizes, ones * 0.0, ones, ones
    )
    has_partner = np.array([True, False, True, False])
    remaining, finished, dropped = split_finished(clusters, has_partner, is_final, min_size=5)
    assert remaining.tolist() == ([True, False, True, False] if is_final else [True] * 4)
    assert finished.tolist() == [False, is_final, False, False]
    assert dropped.tolist() == [False, False, False, is_final]
