"""Decisions about rounds of linkage, for logs that one worker cannot link.

A round merges clusters inside the cells of a partition, across workers. The first rounds merge only
down to small distances, later ones down to the learned distance. Rounds end when one worker can
link the rest, or when they stop making progress.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from advin.discovery.clustering.clusters import Clusters
from advin.discovery.clustering.config import LinkageConfig


@dataclass(frozen=True, slots=True)
class LinkageRound:
    """One round of linkage.

    Attributes:
        number: 1, 2, …; also the seed of the round's cells.
        clusters: number of clusters before the round.
        cell_rows: clusters that a cell should hold.
        waves: passes that the round takes, each over some of the cells.
        floor: least mean similarity of a merge.
        is_final: True if no later round has a lower floor.
    """

    number: int
    clusters: int
    cell_rows: int
    waves: int
    floor: float
    is_final: bool


def premerge_cuts(refinement_cuts: Sequence[float]) -> tuple[float, ...]:
    """Return the shares of the learned distance that rounds merge down to, in order.

    A premerged cluster cannot be refined below its cut, so premerging starts at the smallest one.
    The largest refinement cut is left out: it is too close to the whole distance for a round.

    Args:
        refinement_cuts: shares at which known clusters are refined later, falling.
    """
    return (*reversed(refinement_cuts[1:]), 1.0)


def premerge_floors(distance: float, refinement_cuts: Sequence[float]) -> tuple[float, ...]:
    """Return the least similarity of a merge in each round; the last one holds for all others.

    Args:
        distance: the learned distance, 1 - cosine.
        refinement_cuts: shares at which known clusters are refined later, falling.
    """
    return tuple(1 - share * distance for share in premerge_cuts(refinement_cuts))


def next_round(
    previous: LinkageRound | None,
    clusters: int,
    floors: Sequence[float],
    config: LinkageConfig,
    in_waves: bool = False,
) -> LinkageRound | None:
    """Return the next round, or None if rounds end here.

    Rounds end when one worker can link the clusters, after `config.max_rounds` rounds, or when a
    final round with the largest cells made little progress.

    Args:
        previous: the last round, or None before the first.
        clusters: number of clusters that are left.
        floors: least similarity of a merge by round, falling (see `premerge_floors`).
        config: sizes of cells and waves, and when a round counts as slow.
        in_waves: True if the engine keeps shuffled data in memory, so that large rounds are split.
    """
    number = previous.number + 1 if previous else 1
    if clusters <= config.max_clusters or number > config.max_rounds:
        return None
    cell_rows = previous.cell_rows if previous else config.cell_rows
    if previous and previous.is_final and clusters > config.slow * previous.clusters:
        if cell_rows >= config.max_cell_rows:
            return None
        cell_rows = config.max_cell_rows
    floor = floors[min(number, len(floors)) - 1]
    return LinkageRound(
        number=number,
        clusters=clusters,
        cell_rows=cell_rows,
        waves=-(-clusters // config.wave_clusters) if in_waves else 1,
        floor=floor,
        is_final=floor == floors[-1],
    )


def split_finished(
    clusters: Clusters, has_partner: np.ndarray, is_final: bool, min_size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort the clusters of a cell into remaining, finished and dropped ones.

    A cluster without a partner in a final round never merges again. It is finished if a novel
    intent may be as small, and dropped otherwise.

    Args:
        clusters: n clusters after a round.
        has_partner: (n,) bool, True if another cluster is as similar as the floor of the round.
        is_final: True if no later round has a lower floor.
        min_size: distinct utterances of the smallest novel intent.

    Returns:
        (n,) bool masks of the clusters that remain, are finished, and are dropped.
    """
    remaining = has_partner | (not is_final)
    is_large = clusters.sizes >= min_size
    return remaining, ~remaining & is_large, ~remaining & ~is_large
