"""The forest of living clusters that linkage merges round by round.

Most of the time goes into one search of all vectors among all. Its results are kept as upper
bounds, which merges can only lower, so that few similarities are computed exactly.
"""

import faiss
import numpy as np

from advin.discovery.clustering.sums import ClusterSums, chunks
from advin.discovery.clustering.tree import Merges

# Length of a neighbor list. Longer lists cost memory, shorter ones more searches.
_NEIGHBORS = 16
# FAISS works in float32; a similarity may exceed its result by this.
_SEARCH_ERROR = 1e-5
# Similarities this close are ties when one comes from another worker, which used coarse vectors.
_TIE_TOLERANCE = 5e-4
# Error of a few sums in float64.
_ROUNDING = 1e-12
# Largest deviation from unit norm of vectors stored as float16.
_NORM_ERROR = 2e-3
# Rows that are searched, or whose lists are updated, at once.
_SEARCH_ROWS = 16_384
# Similarities that are held in float64 at once.
_SIMILARITIES = 2**22


class Forest:
    """The living clusters; a cluster lives in the slot of its smallest leaf.

    Each slot has a list of neighbors: `near` holds their slots, `most` upper bounds of their
    similarities, and `exact` is True where the bound is the similarity. `bound` is an upper bound
    for clusters that are not in the list, and `outside` one for clusters of other workers.

    Attributes:
        merges: merges of each round so far.
    """

    def __init__(self, sums: ClusterSums, floor: float, outside: np.ndarray):
        """Start with one cluster for each sum.

        Args:
            sums: n sums with weights; changed by merges.
            floor: least mean similarity of a merge.
            outside: (n,) upper bound of the similarity to any cluster elsewhere.
        """
        n = len(sums.weights)
        self.sums, self.floor = sums, floor
        self.outside = np.array(outside, np.float64)
        self.near = np.full((n, _NEIGHBORS), -1, np.int32)
        self.most = np.full((n, _NEIGHBORS), -np.inf)
        self.exact = np.zeros((n, _NEIGHBORS), bool)
        self.bound = np.full(n, np.inf)
        self.living = np.arange(n)
        self.dropped = np.zeros(n, bool)
        self.merges: list[Merges] = []

    def waiting(self) -> np.ndarray:
        """Return the slots of clusters that have a partner, or may have one elsewhere."""
        elsewhere = np.flatnonzero(~self.dropped & (self.outside >= self.floor))
        return np.union1d(self.living, elsewhere)

    def merge_equal(self) -> None:
        """Merge equal vectors if nothing can be nearer; they may be too many for a list."""
        n, d = self.sums.leaves.shape
        norm, key = np.empty(n), np.empty(n)
        for part in chunks(n):
            means = self.sums.of(self.living[part]) / self.sums.weights[part, None]
            norm[part] = np.sqrt(np.einsum("ij,ij->i", means, means))
            key[part] = np.einsum("ij,j->i", means, np.sqrt(np.arange(1, d + 1)))
        order = np.lexsort((self.living, key))
        again = np.flatnonzero(np.diff(key[order]) == 0)
        for part in chunks(len(again)):
            a, b = order[again[part]], order[again[part] + 1]
            means = [self.sums.of(s) / self.sums.weights[s, None] for s in (a, b)]
            again[part][(means[0] != means[1]).any(axis=1)] = -1
        again = again[again >= 0]
        # Equal vectors are adjacent in this order; each gets its place in the run.
        starts = np.ones(n, bool)
        starts[again + 1] = False
        start = np.flatnonzero(starts)[np.cumsum(starts) - 1]
        place = np.arange(n) - start
        # Nothing is nearer to a unit vector than its equal, and nothing is near to zero.
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
        """Merge all reciprocal nearest neighbors; return True if there were any."""
        best, value = self._best()
        for search in (self._search, self._search_double, self._search_ties):
            bound = self.bound[self.living]
            unproven = (value <= bound) & (bound >= self.floor)
            if unproven.any():
                search(self.living[unproven])
                best, value = self._best()
        # A cluster without a neighbor above the floor never gets one.
        close = value >= self.floor
        self.living, best, value = self.living[close], best[close], value[close]
        partner = np.full(len(self.bound), -1)
        # A cluster with a nearer neighbor elsewhere waits, unless both are equally near.
        certain = value + _TIE_TOLERANCE >= self.outside[self.living]
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
        """Return the nearest slot and its similarity for each living cluster; ties by slot."""
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
        """Replace the bounds of some list entries by exact similarities."""
        self.most[rows, columns] = self.sums.similarity(rows, self.near[rows, columns])
        self.exact[rows, columns] = True

    def _search(self, rows: np.ndarray) -> None:
        """Search the nearest living clusters of some slots in float32."""
        everything = self.sums.means(self.living)
        k = min(_NEIGHBORS + 1, len(self.living))
        queries = np.searchsorted(self.living, rows)
        for part in chunks(len(rows), _SEARCH_ROWS):
            found, at = faiss.knn(
                everything[queries[part]], everything, k, metric=faiss.METRIC_INNER_PRODUCT
            )
            self._remember(rows[part], self.living[at], found.astype(np.float64) + _SEARCH_ERROR)

    def _search_double(self, rows: np.ndarray) -> None:
        """Search them in float64, where float32 cannot separate the candidates."""
        k = min(_NEIGHBORS + 1, len(self.living))
        for part in chunks(len(rows), max(1, _SIMILARITIES // len(self.living))):
            means = self.sums.of(rows[part]) / self.sums.weights[rows[part], None]
            found = np.empty((len(means), len(self.living)))
            for other in chunks(len(self.living)):
                slots = self.living[other]
                found[:, other] = means @ self.sums.of(slots).T / self.sums.weights[slots]
            at = np.argpartition(-found, k - 1, axis=1)[:, :k]
            at = np.take_along_axis(
                at, np.argsort(-np.take_along_axis(found, at, axis=1), axis=1), axis=1
            )
            found = np.take_along_axis(found, at, axis=1) + _ROUNDING
            self._remember(rows[part], self.living[at], found)

    def _remember(self, rows: np.ndarray, near: np.ndarray, most: np.ndarray) -> None:
        """Store the neighbor lists that a search of all living clusters returned."""
        other = near != rows[:, None]
        # The row itself leaves its list; if it is not in the list, the last entry does.
        other[other.all(axis=1), -1] = False
        shape = (len(near), near.shape[1] - 1)
        self._forget(rows)
        self.near[rows, : shape[1]] = near[other].reshape(shape)
        self.most[rows, : shape[1]] = most[other].reshape(shape)
        self.bound[rows] = -np.inf if near.shape[1] == len(self.living) else most[:, -1]

    def _search_ties(self, rows: np.ndarray) -> None:
        """Compare slots with all others exactly, where ties do not fit into a list."""
        for row in rows:
            similarity = self.sums.similarity(np.full(len(self.living), row), self.living)
            similarity[self.living == row] = -np.inf
            order = np.lexsort((self.living, -similarity))[: _NEIGHBORS + 1]
            kept = order[:_NEIGHBORS]
            self._forget(np.array([row]))
            self.near[row, : len(kept)] = self.living[kept]
            self.most[row, : len(kept)] = similarity[kept]
            self.exact[row, : len(kept)] = True
            # Clusters outside the list are no better than its last entry, ties included.
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
        """Update all lists for a merge; to be called before the sums are merged.

        The similarity to a merged cluster is the weighted mean of the similarities to its parts.
        So the weighted mean of their bounds is a bound; a part that is not in a list has the bound
        of the list.
        """
        moved_to = np.arange(len(self.bound) + 1)  # the last entry maps -1 to itself
        moved_to[drop], moved_to[-1] = keep, -1
        weights = self.sums.weights
        # Each slot's share of the weight of its merged cluster; 1 if it does not merge.
        share = np.ones(len(weights) + 1)
        share[keep] = weights[keep] / (weights[keep] + weights[drop])
        share[drop] = 1 - share[keep]
        others = self.living[share[self.living] == 1]
        others = others[(share[self.near[others]] < 1).any(axis=1)]
        for part in chunks(len(others), _SEARCH_ROWS):
            self._update_lists(others[part], moved_to, share)
        for part in chunks(len(keep), _SEARCH_ROWS // 2):
            self._join_lists(keep[part], drop[part], moved_to, share)

    def _update_lists(self, rows: np.ndarray, moved_to: np.ndarray, share: np.ndarray) -> None:
        """Update the lists of clusters that do not merge, but have a neighbor that does."""
        stale = share[self.near[rows]] < 1
        excess = self._excess(rows, share)
        order, near, most = _combine(moved_to[self.near[rows]], excess, self._finite_bound(rows))
        stale = np.take_along_axis(stale, order, axis=1)
        same = np.take_along_axis(self.most[rows], order, axis=1)
        self.most[rows] = np.where(stale, most, same)
        self.near[rows] = near
        self.exact[rows] = np.take_along_axis(self.exact[rows], order, axis=1) & ~stale

    def _join_lists(
        self, a: np.ndarray, b: np.ndarray, moved_to: np.ndarray, share: np.ndarray
    ) -> None:
        """Give the clusters of slots `a`, which slots `b` merge into, one list from both lists."""
        near = moved_to[np.concatenate([self.near[a], self.near[b]], axis=1)]
        near[near == a[:, None]] = -1
        excess = np.concatenate(
            [self._excess(rows, share) * share[rows, None] for rows in (a, b)], axis=1
        )
        base = share[a] * self._finite_bound(a) + share[b] * self._finite_bound(b)
        bound = share[a] * self.bound[a] + share[b] * self.bound[b] + _ROUNDING
        _, near, most = _combine(near, excess, base)
        best = np.argsort(-most, axis=1, kind="stable")[:, : _NEIGHBORS + 1]
        most = np.take_along_axis(most, best, axis=1)
        self.near[a] = np.take_along_axis(near, best, axis=1)[:, :_NEIGHBORS]
        self.most[a] = most[:, :_NEIGHBORS]
        self.exact[a] = False
        self.bound[a] = np.maximum(bound, most[:, _NEIGHBORS])

    def _finite_bound(self, rows: np.ndarray) -> np.ndarray:
        """Return finite bounds of rows; a complete list gets a number below any similarity."""
        return np.maximum(self.bound[rows], -2)

    def _excess(self, rows: np.ndarray, share: np.ndarray) -> np.ndarray:
        """Return by how much each list entry may raise a merged cluster above the list's bound."""
        near = self.near[rows]
        above = np.where(near < 0, 0, self.most[rows] - self._finite_bound(rows)[:, None])
        return above * share[near]


def _combine(
    near: np.ndarray, excess: np.ndarray, base: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Merge the entries of each row that belong to the same slot.

    Args:
        near: (r, m) slots, -1 for none.
        excess: (r, m) what each entry adds to the base.
        base: (r,) bound without any entry.

    Returns:
        (r, m) order of the entries by slot; and in this order (r, m) slots, only at their first
        entry and -1 elsewhere, and (r, m) bounds, -inf elsewhere.
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
