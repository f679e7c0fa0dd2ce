"""Exact average linkage by reciprocal nearest neighbours, on (n, Σx) and inner-product search.

For unit vectors the average-linkage similarity of two clusters is the inner product of their mean
vectors, ⟨Σa, Σb⟩ / (n_a n_b), so the nearest cluster is a maximum-inner-product search. Average
linkage is reducible: a merged cluster is no nearer to a third than the nearer of its parts was.
Hence all pairs that are each other's nearest can be merged at once, in any order, and the tree is
the one that merging a single pair at a time gives (RAC, arXiv 2105.11653).
"""

from dataclasses import dataclass

import faiss
import numpy as np

# Neighbours remembered for each cluster. More cost memory, fewer cost searches.
_NEIGHBOURS = 16
# FAISS works in float32: what it puts last in a list may be this much better than it says.
_SEARCH_ERROR = 1e-5
# Pairs, or rows, whose inner products are taken at once.
_CHUNK = 8192


@dataclass(frozen=True, slots=True)
class Linkage:
    """A tree of merges, best first, down to some similarity.

    Attributes:
        n_leaves: number of leaves, 0 to n_leaves - 1.
        children: (m, 2) int64, the clusters of each merge; merge k makes cluster n_leaves + k.
        similarities: (m,) float64, non-increasing: the mean similarity of the pairs between them.
    """

    n_leaves: int
    children: np.ndarray
    similarities: np.ndarray

    def cut(self, similarity: float) -> np.ndarray:
        """Return (n_leaves,) int64 labels after all merges of at least this similarity.

        A cluster's label is its smallest leaf.
        """
        merges = int(np.searchsorted(-self.similarities, -similarity, side="right"))
        label = np.arange(self.n_leaves + merges)
        for k in range(merges):
            label[self.n_leaves + k] = label[self.children[k]].min()
        for k in reversed(range(merges)):
            label[self.children[k]] = label[self.n_leaves + k]
        return label[: self.n_leaves]


def average_linkage(sums: np.ndarray, weights: np.ndarray, floor: float) -> Linkage:
    """Link clusters given as sums (n, d) of unit vectors and their numbers (n,).

    Merges are found down to a mean similarity of `floor`. Ties break by the smaller leaf. The
    result does not depend on the number of threads.

    Raises:
        ValueError: if there is not one positive weight for each sum.
    """
    weights = np.asarray(weights, np.float64)
    if weights.shape != (len(sums),) or not (weights > 0).all():
        raise ValueError(
            f"{len(sums)} sums, but weights of shape {weights.shape}, the smallest "
            f"{weights.min(initial=np.inf)}: give each cluster one positive weight"
        )
    forest = _Forest(np.array(sums, np.float64), weights.copy(), floor)
    while forest.merge_round():
        pass
    return _in_order(len(sums), forest.merges)


class _Forest:
    """The living clusters. A cluster lives in the slot of its smallest leaf.

    Each row of `near` lists slots and `similarity` how similar they are; whatever is not in the
    list is at most `bound`, which merges cannot break, as linkage is reducible.
    """

    def __init__(self, sums: np.ndarray, weights: np.ndarray, floor: float):
        n = len(sums)
        self.sums, self.weights, self.floor = sums, weights, floor
        self.near = np.full((n, _NEIGHBOURS), -1, np.int64)
        self.similarity = np.full((n, _NEIGHBOURS), -np.inf)
        self.bound = np.full(n, np.inf)
        self.living = np.arange(n)
        self.merges: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def merge_round(self) -> bool:
        """Merge all pairs that are each other's nearest; tell whether there were any."""
        best, value = self._best()
        for search in (self._search, self._search_all):
            bound = self.bound[self.living]
            unproven = (value <= bound) & (bound >= self.floor)
            if unproven.any():
                search(self.living[unproven])
                best, value = self._best()
        # What is nearest to nothing above the floor never will be.
        close = value >= self.floor
        self.living, best, value = self.living[close], best[close], value[close]
        partner = np.full(len(self.bound), -1)
        partner[self.living] = best
        first = (partner[best] == self.living) & (self.living < best)
        if not first.any():
            return False
        keep, drop = self.living[first], best[first]
        self.merges.append((keep, drop, value[first]))
        self._merge(keep, drop)
        return True

    def _best(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the nearest slot of each living cluster, and its similarity; ties by slot."""
        none = len(self.bound)
        similarity = self.similarity[self.living]
        value = similarity.max(axis=1, initial=-np.inf)
        tied = np.where(similarity == value[:, None], self.near[self.living], none)
        return tied.min(axis=1, initial=none), value

    def _means(self, slots: np.ndarray) -> np.ndarray:
        return self.sums[slots] / self.weights[slots, None]

    def _search(self, rows: np.ndarray) -> None:
        """Find the nearest living clusters of some rows anew."""
        index = faiss.IndexFlatIP(self.sums.shape[1])
        for part in _chunks(self.living):
            index.add(self._means(part).astype(np.float32))
        k = min(_NEIGHBOURS + 1, len(self.living))
        for part in _chunks(rows):
            found, at = index.search(self._means(part).astype(np.float32), k)
            near = self.living[at]
            other = near != part[:, None]
            # The row itself leaves the list; where it is not in it, the last one does.
            other[other.all(axis=1), -1] = False
            self.near[part, : k - 1] = near[other].reshape(len(part), k - 1)
            self.near[part, k - 1 :] = -1
            whole = k == len(self.living)
            self.bound[part] = -np.inf if whole else found[:, -1] + _SEARCH_ERROR
            columns = np.arange(_NEIGHBOURS)
            self._recompute(np.repeat(part, len(columns)), np.tile(columns, len(part)))

    def _search_all(self, rows: np.ndarray) -> None:
        """Find the nearest living clusters of rows with many equally near, one by one."""
        means = self._means(self.living)
        for row in rows:
            # The same elementwise products as elsewhere, so that ties are ties.
            similarity = np.einsum("ij,j->i", means, self._means(np.array([row]))[0])
            similarity[self.living == row] = -np.inf
            order = np.lexsort((self.living, -similarity))[: _NEIGHBOURS + 1]
            kept = order[:_NEIGHBOURS]
            self.near[row] = -1
            self.near[row, : len(kept)] = self.living[kept]
            self._recompute(np.full(_NEIGHBOURS, row), np.arange(_NEIGHBOURS))
            # What was left out is no better than the last in the list, ties included.
            self.bound[row] = similarity[order[-1]] if len(order) > len(kept) else -np.inf

    def _recompute(self, rows: np.ndarray, columns: np.ndarray) -> None:
        """Take the similarities of some list entries from the sums."""
        for start in range(0, len(rows), _CHUNK):
            row, column = rows[start : start + _CHUNK], columns[start : start + _CHUNK]
            near = self.near[row, column]
            product = np.einsum("ij,ij->i", self._means(row), self._means(near))
            self.similarity[row, column] = np.where(near < 0, -np.inf, product)

    def _merge(self, keep: np.ndarray, drop: np.ndarray) -> None:
        """Merge slots `drop` into slots `keep`, and bring all lists up to date."""
        share = self.weights[keep] / (self.weights[keep] + self.weights[drop])
        bound = share * self.bound[keep] + (1 - share) * self.bound[drop]
        self.sums[keep] += self.sums[drop]
        self.weights[keep] += self.weights[drop]

        now_in = np.arange(len(self.bound) + 1)  # the last one keeps -1 where it is
        now_in[drop], now_in[-1] = keep, -1
        changed = np.zeros(len(self.bound) + 1, bool)
        changed[keep] = True
        dropped = np.zeros(len(self.bound), bool)
        dropped[drop] = True
        self.living = self.living[~dropped[self.living]]

        # Lists of others: a merged neighbour has a new similarity.
        others = self.living[~changed[self.living]]
        near = now_in[self.near[others]]
        stale = changed[near]
        self.near[others] = near
        touched = stale.any(axis=1)
        at_row, at_column = np.nonzero(stale[touched])
        self._recompute(others[touched][at_row], at_column)
        self._forget_repeats(others[touched])

        # A merged cluster takes both lists; what was in neither is no nearer than their bounds say.
        pairs = now_in[np.concatenate([self.near[keep], self.near[drop]], axis=1)]
        for start in range(0, len(keep), _CHUNK // _NEIGHBOURS):
            part = slice(start, start + _CHUNK // _NEIGHBOURS)
            self._take_lists(keep[part], pairs[part], bound[part])

    def _take_lists(self, rows: np.ndarray, near: np.ndarray, bound: np.ndarray) -> None:
        """Give rows the best of the listed slots; the bound rises to what is left out."""
        near = np.where(near == rows[:, None], -1, near)
        near = np.sort(near, axis=1)
        near[:, 1:][near[:, 1:] == near[:, :-1]] = -1
        others = self._means(near.ravel()).reshape(*near.shape, -1)
        product = np.einsum("ij,ikj->ik", self._means(rows), others)
        similarity = np.where(near < 0, -np.inf, product)
        order = np.lexsort((near, -similarity), axis=1)
        near = np.take_along_axis(near, order, axis=1)
        similarity = np.take_along_axis(similarity, order, axis=1)
        self.near[rows] = near[:, :_NEIGHBOURS]
        self.similarity[rows] = similarity[:, :_NEIGHBOURS]
        self.bound[rows] = np.maximum(bound, similarity[:, _NEIGHBOURS])

    def _forget_repeats(self, rows: np.ndarray) -> None:
        """Drop second entries of a slot, which a merge of two neighbours leaves behind."""
        near = self.near[rows]
        order = np.argsort(near, axis=1, kind="stable")
        ordered = np.take_along_axis(near, order, axis=1)
        repeat = np.zeros_like(ordered, bool)
        repeat[:, 1:] = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
        at_row, at = np.nonzero(repeat)
        column = order[at_row, at]
        self.near[rows[at_row], column] = -1
        self.similarity[rows[at_row], column] = -np.inf


def _in_order(n: int, rounds: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Linkage:
    """Number the merges best first, as scipy does."""
    if not rounds:
        return Linkage(n, np.zeros((0, 2), np.int64), np.zeros(0))
    keep, drop, similarity = (np.concatenate(part) for part in zip(*rounds, strict=True))
    # Rounding may put a merge above one that it rests on.
    last = np.full(n, np.inf)
    for k in range(len(keep)):
        similarity[k] = min(similarity[k], last[keep[k]], last[drop[k]])
        last[keep[k]] = similarity[k]
    order = np.argsort(-similarity, kind="stable")
    cluster = np.arange(n)
    children = np.empty((len(order), 2), np.int64)
    for number, k in enumerate(order):
        children[number] = sorted((cluster[keep[k]], cluster[drop[k]]))
        cluster[keep[k]] = n + number
    return Linkage(n, children, similarity[order])


def _chunks(rows: np.ndarray):
    for start in range(0, len(rows), _CHUNK):
        yield rows[start : start + _CHUNK]
