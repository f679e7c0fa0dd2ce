"""The tree that linkage makes: its merges, and the clusters at any cut."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Slots that stay, slots that merge into them, and their similarity: arrays of one length.
Merges = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True)
class Linkage:
    """A tree of merges, most similar first.

    Attributes:
        n_leaves: number of leaves, which are 0 to n_leaves - 1.
        children: (m, 2) int64, the two clusters of each merge; merge k makes cluster n_leaves + k.
        similarities: (m,) float64, non-increasing, mean similarity of the pairs of each merge.
    """

    n_leaves: int
    children: np.ndarray
    similarities: np.ndarray

    def number_of_clusters(self, similarity: float) -> int:
        """Return the number of clusters that `cut` gives."""
        return self.n_leaves - self._merges(similarity)

    def cut(self, similarity: float) -> np.ndarray:
        """Return (n_leaves,) int64 labels after all merges of at least this similarity.

        The label of a cluster is its smallest leaf.
        """
        return self._after(self._merges(similarity))

    def cut_to(self, similarity: float, most: int) -> tuple[np.ndarray, float]:
        """Cut, and make further merges while there are too many clusters and the tree has any.

        Args:
            similarity: as in `cut`.
            most: number of clusters to reach.

        Returns:
            labels as `cut` returns them, and the smallest similarity of a merge, or `similarity` if
            that is smaller.
        """
        further = min(max(0, self.n_leaves - most), len(self.similarities))
        merges = max(self._merges(similarity), further)
        return self._after(merges), float(self.similarities[:merges].min(initial=similarity))

    def _after(self, merges: int) -> np.ndarray:
        parent = np.arange(self.n_leaves + merges)
        parent[self.children[:merges]] = self.n_leaves + np.arange(merges)[:, None]
        while True:
            grandparent = parent[parent]
            if np.array_equal(grandparent, parent):
                break
            parent = grandparent
        _, first, cluster = np.unique(
            parent[: self.n_leaves], return_index=True, return_inverse=True
        )
        return first[cluster].astype(np.int64)

    def _merges(self, similarity: float) -> int:
        return int(np.searchsorted(-self.similarities, -similarity, side="right"))

    @classmethod
    def of_rounds(cls, n_leaves: int, rounds: Sequence[Merges]) -> "Linkage":
        """Return the tree of merges that were made in rounds.

        Args:
            n_leaves: number of leaves; a cluster is in the slot of its smallest leaf.
            rounds: merges of each round; inside a round, no slot occurs twice.
        """
        if not rounds:
            return cls(n_leaves, np.zeros((0, 2), np.int64), np.zeros(0))
        last = np.full(n_leaves, np.inf)
        merge_of = np.full(n_leaves, -1)  # the merge that made the cluster of a slot
        parts: list[np.ndarray] = []
        similarities: list[np.ndarray] = []
        done = 0
        for keep, drop, similarity in rounds:
            # Rounding may put a merge above one of its own parts.
            last[keep] = np.minimum(similarity, np.minimum(last[keep], last[drop]))
            similarities.append(last[keep])
            parts += [
                np.where(merge_of[slot] < 0, slot, n_leaves + merge_of[slot])
                for slot in (keep, drop)
            ]
            merge_of[keep] = done + np.arange(len(keep))
            done += len(keep)
        found = np.concatenate(similarities)
        order = np.argsort(-found, kind="stable")
        number = np.arange(n_leaves + done)
        number[n_leaves + order] = n_leaves + np.arange(done)
        children = np.stack([np.concatenate(parts[0::2]), np.concatenate(parts[1::2])], axis=1)
        return cls(n_leaves, np.sort(number[children[order]], axis=1), found[order])
