"""Clusters of utterances, as linkage across workers passes them on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


def for_intents(log_odds: np.ndarray, agrees: np.ndarray) -> np.ndarray:
    """Return log-odds of belonging to the intents of a cluster.

    Args:
        log_odds: (n,) log-odds of belonging to one's own best known intent.
        agrees: (n,) bool, True if that is an intent of the cluster.

    Returns:
        (n,) the same log-odds; at most 0 where the best known intent is another one.
    """
    return np.where(agrees, log_odds, -np.abs(log_odds))


@dataclass(frozen=True, slots=True)
class Clusters:
    """Clusters of the log's utterances; at first, each utterance is a cluster.

    Attributes:
        ids: (n,) S32, smallest utterance id of each cluster.
        means: (n, d) float16, mean vectors in the learned space, weighted.
        weights: (n,) int64, summed `repetition_weights` of the utterances.
        sizes: (n,) int64, number of distinct utterances.
        log_odds: (n,) float64, summed log-odds that an utterance belongs to its best known intent.
        label_density: (n,) float64, summed `Model.label_density` of these intents.
        intents: (n,) int64, the best known intent of the largest part; -1 without labels.
    """

    ids: np.ndarray
    means: np.ndarray
    weights: np.ndarray
    sizes: np.ndarray
    log_odds: np.ndarray
    label_density: np.ndarray
    intents: np.ndarray

    def columns(self) -> tuple[np.ndarray, ...]:
        """Return the attributes in their order."""
        return (
            self.ids,
            self.means,
            self.weights,
            self.sizes,
            self.log_odds,
            self.label_density,
            self.intents,
        )

    def sums(self) -> np.ndarray:
        """Return the (n, d) float32 sums, means times weights."""
        return self.means.astype(np.float32) * self.weights.astype(np.float32)[:, None]

    def take(self, rows: np.ndarray) -> "Clusters":
        """Return the clusters of some rows."""
        return Clusters(*(c[rows] for c in self.columns()))

    @classmethod
    def joined(cls, parts: Sequence["Clusters"]) -> "Clusters":
        """Return the clusters of all parts, sorted by id, so that the split has no effect."""
        columns = zip(*(p.columns() for p in parts), strict=True)
        everything = cls(*(np.concatenate(c) for c in columns))
        return everything.take(np.argsort(everything.ids, kind="stable"))
