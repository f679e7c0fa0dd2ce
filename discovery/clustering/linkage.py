"""Exact average linkage by reciprocal nearest neighbors, on (n, Σx) and inner-product search.

For unit vectors the average-linkage similarity of two clusters is the inner product of their mean
vectors, ⟨Σa, Σb⟩ / (n_a n_b), so the nearest cluster is a maximum-inner-product search. Average
linkage is reducible: a merged cluster is no nearer to a third than the nearer of its parts was.
Hence all pairs that are each other's nearest can be merged at once, in any order, and the tree is
the one that merging a single pair at a time gives (RAC, arXiv 2105.11653).

Nearly all the time goes into one search of all vectors among all. What it found is kept as upper
bounds, which merges only lower, and few similarities are ever computed exactly.

Of a part of all clusters, those merges can be made that are certain (TeraHAC, arXiv 2308.03578): it
is enough to know for each how near the nearest cluster elsewhere is. That, too, merges only lower.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import faiss
import numpy as np

# Neighbors remembered for each cluster. More cost memory, fewer cost searches.
_NEIGHBORS = 16
# FAISS works in float32: a similarity may be this much above what it says.
_SEARCH_ERROR = 1e-5
# Similarities that differ by less are ties, where one of them comes from another worker, who had
# coarse vectors.
_TIED = 5e-4
# How far off a few sums in float64 may be.
_ROUNDING = 1e-12
# Vectors stored as float16 are this far from unit norm at most.
_NORM_ERROR = 2e-3
# Rows whose vectors are at hand in float64 at once.
_CHUNK = 2048
# Similarities in float64 at once.
_DOUBLES = 2**22


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

    def number_of_clusters(self, similarity: float) -> int:
        """Return how many clusters `cut` gives."""
        return self.n_leaves - self._merges(similarity)

    def cut(self, similarity: float) -> np.ndarray:
        """Return (n_leaves,) int64 labels after all merges of at least this similarity.

        A cluster's label is its smallest leaf.
        """
        merges = self._merges(similarity)
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


def average_linkage(sums: np.ndarray, weights: np.ndarray, floor: float) -> Linkage:
    """Link clusters given as sums (n, d) of unit vectors and their numbers (n,).

    Merges are found down to a mean similarity of `floor`. Ties break by the smaller leaf, but equal
    unit vectors are merged first. The result does not depend on the number of threads. `sums` is
    not copied: what is needed beside it is at most twice its float32 size, and 0.2 kB a row.

    Args:
        sums: (n, d) of any float type.
        weights: (n,) positive.
        floor: the least similarity of a merge.

    Raises:
        ValueError: if there is not one positive weight for each sum.
    """
    return certain_linkage(sums, weights, floor, np.full(np.shape(sums)[:1], -np.inf))[0]


def certain_linkage(
    sums: np.ndarray, weights: np.ndarray, floor: float, outside: np.ndarray
) -> tuple[Linkage, np.ndarray]:
    """Make those merges of `average_linkage` that would be made with all others at hand, too.

    Args:
        sums: (n, d) of any float type.
        weights: (n,) positive.
        floor: the least similarity of a merge.
        outside: (n,) how similar each is at most to a cluster that is not among these, to 5e-4.

    Returns:
        the tree; and the smallest leaves of clusters that have a partner, here or elsewhere, down
        to the floor, and wait for it.

    Raises:
        ValueError: if there is not one positive weight for each sum.
    """
    sums, weights = np.asarray(sums), np.array(weights, np.float64)
    if sums.ndim != 2 or weights.shape != (len(sums),) or not (weights > 0).all():
        raise ValueError(
            f"sums of shape {sums.shape}, but weights of shape {weights.shape}, the smallest "
            f"{weights.min(initial=np.inf)}: give each cluster one positive weight"
        )
    forest = _Forest(_Sums(sums, weights), floor, outside)
    forest.merge_equal()
    while forest.merge_round():
        pass
    return _in_order(len(sums), forest.merges), forest.waiting()


class _Sums:
    """Sums and weights by slot. Leaves stay where they are; only merged sums take new room."""

    def __init__(self, leaves: np.ndarray, weights: np.ndarray):
        self.leaves, self.weights = leaves, weights
        # Half as many rows as leaves are enough, and the system hands out only those in use.
        self.merged = np.empty((len(leaves) // 2, leaves.shape[1]))
        self.at = np.full(len(leaves), -1)
        self.free = np.arange(len(self.merged))

    def of(self, slots: np.ndarray) -> np.ndarray:
        """Return (len(slots), d) float64 sums."""
        sums = self.leaves[slots].astype(np.float64)
        at = self.at[slots]
        sums[at >= 0] = self.merged[at[at >= 0]]
        return sums

    def means(self, slots: np.ndarray) -> np.ndarray:
        """Return (len(slots), d) float32 mean vectors."""
        means = np.empty((len(slots), self.leaves.shape[1]), np.float32)
        for part in _chunks(len(slots)):
            means[part] = self.of(slots[part]) / self.weights[slots[part], None]
        return means

    def similarity(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Return the exact similarities of pairs of slots.

        From the sums, so that they do not depend on the order of merges where sums are exact, and
        in one order of additions, so that they do not depend on what else is computed.
        """
        result = np.empty(len(one))
        for part in _chunks(len(one)):
            product = np.einsum("ij,ij->i", self.of(one[part]), self.of(other[part]))
            result[part] = product / (self.weights[one[part]] * self.weights[other[part]])
        return result

    def add(self, keep: np.ndarray, drop: np.ndarray) -> None:
        """Add the slots `drop` to the slots `keep`."""
        for part in _chunks(len(keep)):
            a, b = keep[part], drop[part]
            at = np.maximum(self.at[a], self.at[b])
            left = np.minimum(self.at[a], self.at[b])
            new = np.flatnonzero(at < 0)
            at[new] = self.free[: len(new)]
            self.free = np.concatenate([left[left >= 0], self.free[len(new) :]])
            self.merged[at] = self.of(a) + self.of(b)
            self.at[a], self.at[b] = at, -1
            self.weights[a] += self.weights[b]


class _Forest:
    """The living clusters. A cluster lives in the slot of its smallest leaf.

    Each row of `near` lists slots, each row of `most` how similar they are at most; where `exact`,
    they are just that. Whatever is not in the list is at most `bound`, and what is in another
    worker's hands at most `outside`.
    """

    def __init__(self, sums: _Sums, floor: float, outside: np.ndarray):
        n = len(sums.weights)
        self.sums, self.floor = sums, floor
        self.outside = np.array(outside, np.float64)
        self.near = np.full((n, _NEIGHBORS), -1, np.int32)
        self.most = np.full((n, _NEIGHBORS), -np.inf)
        self.exact = np.zeros((n, _NEIGHBORS), bool)
        self.bound = np.full(n, np.inf)
        self.living = np.arange(n)
        self.dropped = np.zeros(n, bool)
        self.merges: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def waiting(self) -> np.ndarray:
        """Return the slots of clusters that have a partner here, or may have one elsewhere."""
        elsewhere = np.flatnonzero(~self.dropped & (self.outside >= self.floor))
        return np.union1d(self.living, elsewhere)

    def merge_equal(self) -> None:
        """Merge equal vectors that nothing can be nearer to: no list would hold all of them."""
        n, d = self.sums.leaves.shape
        norm, key = np.empty(n), np.empty(n)
        for part in _chunks(n):
            means = self.sums.of(self.living[part]) / self.sums.weights[part, None]
            norm[part] = np.sqrt(np.einsum("ij,ij->i", means, means))
            key[part] = np.einsum("ij,j->i", means, np.sqrt(np.arange(1, d + 1)))
        order = np.lexsort((self.living, key))
        again = np.flatnonzero(np.diff(key[order]) == 0)
        for part in _chunks(len(again)):
            a, b = order[again[part]], order[again[part] + 1]
            means = [self.sums.of(s) / self.sums.weights[s, None] for s in (a, b)]
            again[part][(means[0] != means[1]).any(axis=1)] = -1
        again = again[again >= 0]
        # Neighbors in that order are equal: their place within the run of equal ones.
        starts = np.ones(n, bool)
        starts[again + 1] = False
        start = np.flatnonzero(starts)[np.cumsum(starts) - 1]
        place = np.arange(n) - start
        # With vectors of unit norm nothing is nearer than what is equal; to zero nothing is.
        fit = ((norm >= norm.max(initial=0) - _NORM_ERROR) | (norm == 0))[order]
        step = 1
        while (place >= step).any():
            drop = np.flatnonzero(fit & (place % (2 * step) == step))
            keep, drop = order[drop - step], order[drop]
            similarity = self.sums.similarity(keep, drop)
            close = similarity >= self.floor
            self._unite(keep[close], drop[close], similarity[close])
            step *= 2

    def merge_round(self) -> bool:
        """Merge all pairs that are each other's nearest; tell whether there were any."""
        best, value = self._best()
        for search in (self._search, self._search_double, self._search_ties):
            bound = self.bound[self.living]
            unproven = (value <= bound) & (bound >= self.floor)
            if unproven.any():
                search(self.living[unproven])
                best, value = self._best()
        # What is nearest to nothing above the floor never will be.
        close = value >= self.floor
        self.living, best, value = self.living[close], best[close], value[close]
        partner = np.full(len(self.bound), -1)
        # One that has a nearer one elsewhere waits, and so does what it is nearest to; where they
        # are equally near, nobody does.
        certain = value + _TIED >= self.outside[self.living]
        partner[self.living] = np.where(certain, best, -1)
        first = (partner[best] == self.living) & (partner[self.living] == best)
        first &= self.living < best
        if not first.any():
            return False
        keep, drop = self.living[first], best[first]
        self._merge_lists(keep, drop)
        self._unite(keep, drop, value[first])
        return True

    def _best(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the nearest slot of each living cluster, and how near; ties by slot."""
        rows = self.living
        while len(rows):
            most = self.most[rows]
            row, column = np.nonzero(
                (most == most.max(axis=1)[:, None]) & ~self.exact[rows] & (most >= self.floor)
            )
            self._compute(rows[row], column)
            rows = rows[np.unique(row)]
        most = self.most[self.living]
        value = most.max(axis=1, initial=-np.inf)
        none = len(self.bound)
        tied = np.where(most == value[:, None], self.near[self.living], none)
        return tied.min(axis=1, initial=none), value

    def _compute(self, rows: np.ndarray, columns: np.ndarray) -> None:
        """Make some list entries exact."""
        self.most[rows, columns] = self.sums.similarity(rows, self.near[rows, columns])
        self.exact[rows, columns] = True

    def _search(self, rows: np.ndarray) -> None:
        """Find the nearest living clusters of some rows anew."""
        everything = self.sums.means(self.living)
        k = min(_NEIGHBORS + 1, len(self.living))
        queries = np.searchsorted(self.living, rows)
        for part in _chunks(len(rows), 8 * _CHUNK):
            found, at = faiss.knn(
                everything[queries[part]], everything, k, metric=faiss.METRIC_INNER_PRODUCT
            )
            self._remember(rows[part], self.living[at], found.astype(np.float64) + _SEARCH_ERROR)

    def _search_double(self, rows: np.ndarray) -> None:
        """Find them in float64: many are nearer to each other than float32 can tell."""
        k = min(_NEIGHBORS + 1, len(self.living))
        for part in _chunks(len(rows), max(1, _DOUBLES // len(self.living))):
            means = self.sums.of(rows[part]) / self.sums.weights[rows[part], None]
            found = np.empty((len(means), len(self.living)))
            for other in _chunks(len(self.living)):
                slots = self.living[other]
                found[:, other] = means @ self.sums.of(slots).T / self.sums.weights[slots]
            at = np.argpartition(-found, k - 1, axis=1)[:, :k]
            at = np.take_along_axis(
                at, np.argsort(-np.take_along_axis(found, at, axis=1), axis=1), axis=1
            )
            found = np.take_along_axis(found, at, axis=1) + _ROUNDING
            self._remember(rows[part], self.living[at], found)

    def _remember(self, rows: np.ndarray, near: np.ndarray, most: np.ndarray) -> None:
        """Give rows the lists that a search of all living clusters found, nearest first."""
        other = near != rows[:, None]
        # The row itself leaves the list; where it is not in it, the last one does.
        other[other.all(axis=1), -1] = False
        shape = (len(near), near.shape[1] - 1)
        self._forget(rows)
        self.near[rows, : shape[1]] = near[other].reshape(shape)
        self.most[rows, : shape[1]] = most[other].reshape(shape)
        self.bound[rows] = -np.inf if near.shape[1] == len(self.living) else most[:, -1]

    def _search_ties(self, rows: np.ndarray) -> None:
        """Find them one by one: more are equally near than a list holds."""
        for row in rows:
            similarity = self.sums.similarity(np.full(len(self.living), row), self.living)
            similarity[self.living == row] = -np.inf
            order = np.lexsort((self.living, -similarity))[: _NEIGHBORS + 1]
            kept = order[:_NEIGHBORS]
            self._forget(np.array([row]))
            self.near[row, : len(kept)] = self.living[kept]
            self.most[row, : len(kept)] = similarity[kept]
            self.exact[row, : len(kept)] = True
            # What was left out is no better than the last in the list, ties included.
            self.bound[row] = similarity[order[-1]] if len(order) > len(kept) else -np.inf

    def _forget(self, rows: np.ndarray) -> None:
        self.near[rows], self.most[rows], self.exact[rows] = -1, -np.inf, False

    def _unite(self, keep: np.ndarray, drop: np.ndarray, similarity: np.ndarray) -> None:
        """Merge slots `drop` into slots `keep`."""
        self.merges.append((keep, drop, similarity))
        weights = self.sums.weights
        total = weights[keep] * self.outside[keep] + weights[drop] * self.outside[drop]
        self.outside[keep] = total / (weights[keep] + weights[drop])
        self.sums.add(keep, drop)
        self.dropped[drop] = True
        self.living = self.living[~self.dropped[self.living]]

    def _merge_lists(self, keep: np.ndarray, drop: np.ndarray) -> None:
        """Bring all lists to the state after a merge, before the sums are.

        The similarity to a merged cluster is the mean of those to its parts, by weight: bounds on
        the parts, which for a part that is not in the list is the list's bound, bound the whole.
        """
        now_in = np.arange(len(self.bound) + 1)  # the last one keeps -1 where it is
        now_in[drop], now_in[-1] = keep, -1
        weights = self.sums.weights
        share = np.ones(len(weights) + 1)
        share[keep] = weights[keep] / (weights[keep] + weights[drop])
        share[drop] = 1 - share[keep]

        others = self.living[share[self.living] == 1]
        others = others[(share[self.near[others]] < 1).any(axis=1)]
        for part in _chunks(len(others), 8 * _CHUNK):
            rows = others[part]
            stale = share[self.near[rows]] < 1
            excess = self._excess(rows, share)
            order, near, most = _combine(now_in[self.near[rows]], excess, self._bound(rows))
            stale = np.take_along_axis(stale, order, axis=1)
            same = np.take_along_axis(self.most[rows], order, axis=1)
            self.most[rows] = np.where(stale, most, same)
            self.near[rows] = near
            self.exact[rows] = np.take_along_axis(self.exact[rows], order, axis=1) & ~stale

        for part in _chunks(len(keep), 4 * _CHUNK):
            a, b = keep[part], drop[part]
            near = now_in[np.concatenate([self.near[a], self.near[b]], axis=1)]
            near[near == a[:, None]] = -1
            excess = np.concatenate(
                [self._excess(rows, share) * share[rows, None] for rows in (a, b)], axis=1
            )
            base = share[a] * self._bound(a) + share[b] * self._bound(b)
            bound = share[a] * self.bound[a] + share[b] * self.bound[b] + _ROUNDING
            _, near, most = _combine(near, excess, base)
            best = np.argsort(-most, axis=1, kind="stable")[:, : _NEIGHBORS + 1]
            most = np.take_along_axis(most, best, axis=1)
            self.near[a] = np.take_along_axis(near, best, axis=1)[:, :_NEIGHBORS]
            self.most[a] = most[:, :_NEIGHBORS]
            self.exact[a] = False
            self.bound[a] = np.maximum(bound, most[:, _NEIGHBORS])

    def _bound(self, rows: np.ndarray) -> np.ndarray:
        """Return the bounds of rows, finite; where nothing is left out, any number will do."""
        return np.maximum(self.bound[rows], -2)

    def _excess(self, rows: np.ndarray, share: np.ndarray) -> np.ndarray:
        """Return how much each list entry may raise a merged cluster above the list's bound."""
        near = self.near[rows]
        above = np.where(near < 0, 0, self.most[rows] - self._bound(rows)[:, None])
        return above * share[near]


def _combine(
    near: np.ndarray, excess: np.ndarray, base: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sum the excess over `base` of entries of one slot, in each row.

    Returns:
        the order of entries (r, m), by slot; and in this order the slots, each in its first entry
        only, and -1 in others, and their sums, -inf where there is none.
    """
    order = np.argsort(near, axis=1, kind="stable")
    near = np.take_along_axis(near, order, axis=1)
    excess = np.take_along_axis(excess, order, axis=1)
    first = np.ones(near.shape, bool)
    first[:, 1:] = near[:, 1:] != near[:, :-1]
    total = np.full(near.shape, -np.inf)
    total[first] = np.add.reduceat(excess.ravel(), np.flatnonzero(first))
    most = base[:, None] + total + _ROUNDING
    keep = first & (near >= 0)
    return order, np.where(keep, near, -1), np.where(keep, most, -np.inf)


def _in_order(n: int, rounds: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Linkage:
    """Number the merges best first, as scipy does."""
    if not rounds:
        return Linkage(n, np.zeros((0, 2), np.int64), np.zeros(0))
    last = np.full(n, np.inf)
    merge_of = np.full(n, -1)  # the merge that made what is in a slot
    parts, similarities, done = [], [], 0
    for keep, drop, similarity in rounds:
        # Rounding may put a merge above one that it rests on.
        last[keep] = np.minimum(similarity, np.minimum(last[keep], last[drop]))
        similarities.append(last[keep])
        for slot in (keep, drop):
            parts.append(np.where(merge_of[slot] < 0, slot, n + merge_of[slot]))
        merge_of[keep] = done + np.arange(len(keep))
        done += len(keep)
    similarity = np.concatenate(similarities)
    order = np.argsort(-similarity, kind="stable")
    number = np.arange(n + done)
    number[n + order] = n + np.arange(done)
    children = np.stack([np.concatenate(parts[0::2]), np.concatenate(parts[1::2])], axis=1)
    return Linkage(n, np.sort(number[children[order]], axis=1), similarity[order])


def _chunks(n: int, size: int = _CHUNK) -> Iterator[slice]:
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))
