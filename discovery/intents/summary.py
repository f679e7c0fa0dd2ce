"""What describes an intent: its sizes, its silhouette, and a bounded sample of its utterances."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from advin.discovery.intents.assignment import Assigned
from advin.discovery.intents.confidence import silhouettes

# Silhouettes are summed in these units: sums of integers do not depend on the order, as sums of
# floats do.
_UNIT = 2.0**-24


@dataclass(frozen=True, slots=True)
class IntentSize:
    """How much of the log an intent contains; the numbers of two parts of a log add up.

    Attributes:
        distinct: distinct utterances.
        rows: rows of the log.
        silhouette: summed silhouettes of distinct utterances, in units of 2^-24.
    """

    distinct: int = 0
    rows: int = 0
    silhouette: int = 0

    def __add__(self, other: "IntentSize") -> "IntentSize":
        """Return the size of both together."""
        return IntentSize(
            self.distinct + other.distinct,
            self.rows + other.rows,
            self.silhouette + other.silhouette,
        )

    @property
    def mean_silhouette(self) -> float | None:
        """Mean silhouette of distinct utterances, -1 to 1; None without utterances."""
        return self.silhouette * _UNIT / self.distinct if self.distinct else None


def summarize(
    assigned: Assigned, leaves: np.ndarray, counts: np.ndarray, n_sampled: int
) -> Iterator[tuple[int, IntentSize, np.ndarray]]:
    """Summarize the leaves of a log, or of a part of it, whose utterances are sorted by id.

    The sample of a leaf holds its lowest ids. As ids are hashes, it is random, but the same
    however the log is split: the lowest ids of all samples are the sample of the whole.

    Args:
        assigned: the clusters of n utterances, which their silhouettes compare.
        leaves: (n,) the leaf of each utterance, -1 for none.
        counts: (n,) int64, occurrences.
        n_sampled: most utterances of a sample.

    Yields:
        for each leaf with utterances, by row: the row, its size, and the (s,) rows of its sample.
    """
    if not len(leaves):
        return
    is_nearest = assigned.nearest[:, 0] == assigned.cluster
    shares = silhouettes(assigned.distance, is_nearest, assigned.distances)
    units = np.rint(shares / _UNIT).astype(np.int64)
    order = np.argsort(leaves, kind="stable")
    bounds = np.flatnonzero(np.diff(leaves[order], prepend=-2))
    for rows in np.split(order, bounds[1:]):
        if leaves[rows[0]] < 0:
            continue
        size = IntentSize(len(rows), int(counts[rows].sum()), int(units[rows].sum()))
        yield int(leaves[rows[0]]), size, rows[:n_sampled]
