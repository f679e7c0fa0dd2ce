"""Measures of agreement between found and true groups.

All measures work on a `Contingency`, the distinct pairs of a true and a found label with their
counts, so that their cost grows with the number of pairs, not of rows. Unassigned rows count as
errors.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from advin.discovery.labels import UNLABELED

Labels = Sequence[Any] | np.ndarray


@dataclass(frozen=True, slots=True)
class Contingency:
    """Counts of the distinct pairs of a true and a found label.

    Attributes:
        truth_labels: true labels, sorted.
        found_labels: found labels, sorted.
        truth: (p,) int64, index of each pair's true label.
        found: (p,) int64, index of each pair's found label, -1 for unassigned.
        count: (p,) float64, positive whole numbers.
    """

    truth_labels: list[Any]
    found_labels: list[Any]
    truth: np.ndarray
    found: np.ndarray
    count: np.ndarray

    @property
    def total(self) -> float:
        """Number of utterances."""
        return float(self.count.sum())

    def truth_sizes(self) -> np.ndarray:
        """Return the number of utterances of each true label."""
        return np.bincount(self.truth, self.count, minlength=len(self.truth_labels))

    def found_sizes(self) -> np.ndarray:
        """Return the number of utterances of each found label; the last is for unassigned ones."""
        n = len(self.found_labels)
        return np.bincount(self.found % (n + 1), self.count, minlength=n + 1)


def contingency(truth: Labels, found: Labels, counts: np.ndarray | None = None) -> Contingency:
    """Count the pairs of a true and a found label; rows without a true label are left out.

    Args:
        truth: (n,) labels, strings or integers; None or -1 for rows without a label.
        found: (n,) labels; None or -1 for unassigned.
        counts: (n,) whole numbers of utterances of each row; None for one each.

    Raises:
        ValueError: if the lengths differ, or a count is negative or not a whole number.
    """
    counts = checked_counts(counts, len(truth))
    if len(found) != len(truth):
        raise ValueError(f"{len(truth)} true labels, but {len(found)} found ones: give one per row")
    truth_labels, truth_codes = codes_of(truth)
    found_labels, found_codes = codes_of(found)
    keep = (truth_codes != UNLABELED) & (counts > 0)
    width = len(found_labels) + 1
    pairs = truth_codes[keep] * width + found_codes[keep] + 1
    distinct, inverse = np.unique(pairs, return_inverse=True)
    return Contingency(
        truth_labels=truth_labels,
        found_labels=found_labels,
        truth=distinct // width,
        found=distinct % width - 1,
        count=np.bincount(inverse, counts[keep], minlength=len(distinct)),
    )


def nmi(pairs: Contingency) -> float:
    """Return the normalized mutual information (arithmetic mean of the entropies), 0 to 1.

    Unassigned rows form one more cluster. The value is 1 if truth and found have one cluster each,
    and nan without rows.
    """
    if not pairs.total:
        return np.nan
    truth, found = pairs.truth_sizes(), pairs.found_sizes()
    mean_entropy = (_entropy(truth) + _entropy(found)) / 2
    if mean_entropy == 0:
        return 1.0
    # The quotient of counts is exact for independent labels, so its logarithm is exactly 0.
    ratio = pairs.count * pairs.total / (truth[pairs.truth] * found[pairs.found])
    information = float(np.sum(pairs.count / pairs.total * np.log(ratio)))
    return min(1.0, max(0.0, information / mean_entropy))


def ari(pairs: Contingency) -> float:
    """Return the adjusted Rand index (Hubert and Arabie, 1985), at most 1, about 0 by chance.

    Unassigned rows form one more cluster. The value is 1 if both partitions are equal, also trivial
    ones, and nan without rows.
    """
    if not pairs.total:
        return np.nan
    together = _pairs_of(pairs.count)
    in_truth, in_found = _pairs_of(pairs.truth_sizes()), _pairs_of(pairs.found_sizes())
    if together == in_truth == in_found:
        return 1.0
    by_chance = in_truth * in_found / _pairs_of(np.array([pairs.total]))
    return (together - by_chance) / ((in_truth + in_found) / 2 - by_chance)


def matched(pairs: Contingency) -> np.ndarray:
    """Return the number of utterances of each true label that are in its matched found label.

    Labels are matched one to one so that the most utterances agree (the Hungarian method).
    Unassigned rows match nothing. Ties break by the order of the labels.
    """
    n = len(pairs.truth_labels)
    inside = pairs.found != UNLABELED
    truth, found, count = pairs.truth[inside], pairs.found[inside], pairs.count[inside]
    if not n:
        return np.zeros(0)
    # A column for each true label lets it stay unmatched. The solver rejects weights of 0, so all
    # weights are raised by 1; that changes nothing, as each true label takes exactly one edge.
    weight = np.concatenate([count, np.zeros(n)]) + 1
    rows = np.concatenate([truth, np.arange(n)])
    columns = np.concatenate([found, len(pairs.found_labels) + np.arange(n)])
    edges = csr_array((weight, (rows, columns)), shape=(n, len(pairs.found_labels) + n))
    taken = np.empty(n, np.int64)
    rows, columns = min_weight_full_bipartite_matching(edges, maximize=True)
    taken[rows] = columns
    agree = found == taken[truth]
    return np.bincount(truth[agree], count[agree], minlength=n)


def hungarian_accuracy(pairs: Contingency) -> float:
    """Return the share of utterances whose found label is matched with their true one.

    See `matched`. Unassigned rows are errors. The value is nan without rows.
    """
    return share(float(matched(pairs).sum()), pairs.total)


def known_novel_accuracy(pairs: Contingency, known: Collection[Any]) -> tuple[float, float, float]:
    """Return the accuracy on known and on novel labels, and their harmonic mean (H-score).

    The matching is over all labels at once, as in generalized category discovery (Vaze et al.,
    CVPR 2022). Unassigned rows are errors. A value is nan without known or novel utterances.
    """
    is_known = np.array([label in known for label in pairs.truth_labels], bool)
    right, sizes = matched(pairs), pairs.truth_sizes()
    on_known, on_novel = (share(right[s].sum(), sizes[s].sum()) for s in (is_known, ~is_known))
    return on_known, on_novel, harmonic_mean(on_known, on_novel)


def b_cubed(pairs: Contingency) -> tuple[float, float, float]:
    """Return B-cubed precision, recall and F1 (Bagga and Baldwin, 1998).

    Precision is the mean over assigned utterances, 0 without any. Recall is the mean over all
    utterances, and 0 for unassigned ones. Values are nan without rows.
    """
    inside = pairs.found != UNLABELED
    count = pairs.count[inside]
    assigned = count.sum()
    precision = np.sum(count**2 / pairs.found_sizes()[pairs.found[inside]])
    recall = np.sum(count**2 / pairs.truth_sizes()[pairs.truth[inside]])
    precision, recall = precision / assigned if assigned else 0.0, share(recall, pairs.total)
    return float(precision) if pairs.total else np.nan, recall, harmonic_mean(precision, recall)


def pairwise_f1(pairs: Contingency) -> tuple[float, float, float]:
    """Return precision, recall and F1 over pairs of utterances that are in one group.

    Unassigned utterances are in no pair. If neither truth nor result has a pair, all values are 1;
    if only one has, they are 0. Values are nan without rows.
    """
    if not pairs.total:
        return np.nan, np.nan, np.nan
    inside = pairs.found != UNLABELED
    right = _pairs_of(pairs.count[inside])
    claimed, true = _pairs_of(pairs.found_sizes()[:-1]), _pairs_of(pairs.truth_sizes())
    if claimed == true == 0:
        return 1.0, 1.0, 1.0
    precision, recall = (right / n if n else 0.0 for n in (claimed, true))
    return precision, recall, harmonic_mean(precision, recall)


def codes_of(labels: Labels) -> tuple[list[Any], np.ndarray]:
    """Return the distinct labels, sorted, and the (n,) int64 index of each label or UNLABELED."""
    values = labels.tolist() if isinstance(labels, np.ndarray) else labels
    distinct = set(values) - {None, UNLABELED}
    code: dict[Any, int] = {label: i for i, label in enumerate(sorted(distinct))}
    ordered = list(code)
    code[None] = code[UNLABELED] = UNLABELED
    return ordered, np.fromiter((code[v] for v in values), np.int64, len(values))


def checked_counts(counts: np.ndarray | None, n: int) -> np.ndarray:
    """Return counts (n,) as float64, ones for None; raise ValueError if they are invalid."""
    if counts is None:
        return np.ones(n)
    values = np.asarray(counts, np.float64)
    if values.shape != (n,):
        raise ValueError(f"{n} rows, but counts of shape {values.shape}: give one count per row")
    wrong = values[~((values >= 0) & (values == np.floor(values)))]
    if len(wrong):
        raise ValueError(f"a count is {wrong[0]}, but counts are whole numbers of at least 0")
    return values


def share(part: float, whole: float) -> float:
    """Return part / whole, nan if whole is 0."""
    return float(part / whole) if whole else np.nan


def harmonic_mean(a: float, b: float) -> float:
    """Return the harmonic mean; 0 if both are 0, nan if one is nan."""
    return float(2 * a * b / (a + b)) if a + b != 0 else 0.0


def _entropy(sizes: np.ndarray) -> float:
    share = sizes[sizes > 0] / sizes.sum()
    return float(-np.sum(share * np.log(share)))


def _pairs_of(sizes: np.ndarray) -> float:
    """Return the number of pairs inside groups of these sizes."""
    return float(np.sum(sizes * (sizes - 1)) / 2)
