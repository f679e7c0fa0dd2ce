"""How well a partition agrees with the truth: measures from the table of both.

The unassigned count as errors; each measure says how. Of many partitions that a tree can be cut
into, `plateau_center` says which one to take.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

NONE = -1


@dataclass(frozen=True, slots=True)
class Contingency:
    """How often each pair of a true and a found label occurs.

    Attributes:
        truth_labels: the true labels, sorted.
        found_labels: the found labels, sorted.
        truth: (p,) int64, index of each pair's true label.
        found: (p,) int64, index of its found label, -1 for unassigned.
        count: (p,) float64, above 0; whole numbers.
    """

    truth_labels: list
    found_labels: list
    truth: np.ndarray
    found: np.ndarray
    count: np.ndarray

    @property
    def total(self) -> float:
        """Number of utterances."""
        return float(self.count.sum())

    def truth_sizes(self) -> np.ndarray:
        """Return the utterances of each true label."""
        return np.bincount(self.truth, self.count, minlength=len(self.truth_labels))

    def found_sizes(self) -> np.ndarray:
        """Return the utterances of each found label, and last of the unassigned."""
        n = len(self.found_labels)
        return np.bincount(self.found % (n + 1), self.count, minlength=n + 1)


def contingency(
    truth: Sequence | np.ndarray, found: Sequence | np.ndarray, counts: np.ndarray | None = None
) -> Contingency:
    """Count the pairs of a true and a found label; rows without a true label are left out.

    Args:
        truth: (n,) labels, strings or integers; None or -1 for none.
        found: (n,) labels; None or -1 for unassigned.
        counts: (n,) whole numbers, how many utterances a row stands for; None for one each.

    Raises:
        ValueError: if the lengths differ, or a count is negative or no whole number.
    """
    counts = checked_counts(counts, len(truth))
    if len(found) != len(truth):
        raise ValueError(f"{len(truth)} true labels, but {len(found)} found ones: give one each")
    truth_labels, truth_codes = codes_of(truth)
    found_labels, found_codes = codes_of(found)
    keep = (truth_codes != NONE) & (counts > 0)
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
    """Normalized mutual information, arithmetic mean of the entropies; 0 to 1.

    The unassigned form one more cluster. 1 when truth and found are one cluster each, nan without
    rows.
    """
    if not pairs.total:
        return np.nan
    truth, found = pairs.truth_sizes(), pairs.found_sizes()
    mean_entropy = (_entropy(truth) + _entropy(found)) / 2
    if mean_entropy == 0:
        return 1.0
    # Counts first: their quotient is exact for independent labels, and its logarithm 0.
    ratio = pairs.count * pairs.total / (truth[pairs.truth] * found[pairs.found])
    information = float(np.sum(pairs.count / pairs.total * np.log(ratio)))
    return min(1.0, max(0.0, information / mean_entropy))


def ari(pairs: Contingency) -> float:
    """Adjusted Rand index (Hubert and Arabie, 1985); at most 1, around 0 by chance.

    The unassigned form one more cluster. 1 when both partitions are equal, trivial ones among
    them; nan without rows.
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
    """Return how many utterances of each true label are in the found label matched with it.

    Labels are matched one to one, so that the most utterances agree (the Hungarian method); the
    unassigned are matched with nothing. Of equally good matchings the order of the labels decides.
    """
    n = len(pairs.truth_labels)
    inside = pairs.found != NONE
    truth, found, count = pairs.truth[inside], pairs.found[inside], pairs.count[inside]
    if not n:
        return np.zeros(0)
    # Each true label can also stay alone, in a column of its own. The solver takes no weights of 0:
    # one more on every edge changes nothing, since each true label takes exactly one.
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
    """Share of utterances in the found label that is matched with their true one (see `matched`).

    The unassigned are wrong. nan without rows.
    """
    return share(float(matched(pairs).sum()), pairs.total)


def known_novel_accuracy(pairs: Contingency, known: Collection) -> tuple[float, float, float]:
    """Accuracy on known and on novel true labels, and their harmonic mean (the H-score).

    The matching is over all labels at once, as in generalized category discovery (Vaze et al.,
    CVPR 2022). The unassigned are wrong. nan where there are no known, or no novel, utterances.
    """
    is_known = np.array([label in known for label in pairs.truth_labels], bool)
    right, sizes = matched(pairs), pairs.truth_sizes()
    on_known, on_novel = (share(right[s].sum(), sizes[s].sum()) for s in (is_known, ~is_known))
    return on_known, on_novel, harmonic_mean(on_known, on_novel)


def b_cubed(pairs: Contingency) -> tuple[float, float, float]:
    """B-cubed precision, recall and F1 (Bagga and Baldwin, 1998).

    Precision is the mean over the assigned utterances, 0 if there are none; recall is the mean
    over all, 0 for the unassigned. nan without rows.
    """
    inside = pairs.found != NONE
    count = pairs.count[inside]
    assigned = count.sum()
    precision = np.sum(count**2 / pairs.found_sizes()[pairs.found[inside]])
    recall = np.sum(count**2 / pairs.truth_sizes()[pairs.truth[inside]])
    precision, recall = precision / assigned if assigned else 0.0, share(recall, pairs.total)
    return float(precision) if pairs.total else np.nan, recall, harmonic_mean(precision, recall)


def pairwise_f1(pairs: Contingency) -> tuple[float, float, float]:
    """Precision, recall and F1 of putting two utterances together, over all pairs of them.

    The unassigned are together with nothing. Without two utterances that belong together, or were
    put together, the shares are 1 if neither was the case, else 0. nan without rows.
    """
    if not pairs.total:
        return np.nan, np.nan, np.nan
    inside = pairs.found != NONE
    right = _pairs_of(pairs.count[inside])
    claimed, true = _pairs_of(pairs.found_sizes()[:-1]), _pairs_of(pairs.truth_sizes())
    if claimed == true == 0:
        return 1.0, 1.0, 1.0
    precision, recall = (right / n if n else 0.0 for n in (claimed, true))
    return precision, recall, harmonic_mean(precision, recall)


def codes_of(labels: Sequence | np.ndarray) -> tuple[list, np.ndarray]:
    """Return the distinct labels, sorted, and each row's index among them, NONE for none."""
    values = labels.tolist() if isinstance(labels, np.ndarray) else labels
    distinct = set(values) - {None, NONE}
    code: dict = {label: i for i, label in enumerate(sorted(distinct))}
    ordered = list(code)
    code[None] = code[NONE] = NONE
    return ordered, np.fromiter((code[v] for v in values), np.int64, len(values))


def checked_counts(counts: np.ndarray | None, n: int) -> np.ndarray:
    """Return counts (n,) as floats, ones for None; raises ValueError if they cannot be."""
    if counts is None:
        return np.ones(n)
    values = np.asarray(counts, np.float64)
    if values.shape != (n,):
        raise ValueError(f"{n} rows, but counts of shape {values.shape}: give one count a row")
    wrong = values[~((values >= 0) & (values == np.floor(values)))]
    if len(wrong):
        raise ValueError(f"a count is {wrong[0]}, but counts are whole numbers of at least 0")
    return values


def share(part: float, whole: float) -> float:
    """Return part of whole, nan of nothing."""
    return float(part / whole) if whole else np.nan


def harmonic_mean(a: float, b: float) -> float:
    """Return the harmonic mean, 0 if both are."""
    # With nan in either, nan.
    return float(2 * a * b / (a + b)) if a + b != 0 else 0.0


def _entropy(sizes: np.ndarray) -> float:
    share = sizes[sizes > 0] / sizes.sum()
    return float(-np.sum(share * np.log(share)))


def _pairs_of(sizes: np.ndarray) -> float:
    """Return how many pairs of two can be taken inside groups of these sizes."""
    return float(np.sum(sizes * (sizes - 1)) / 2)
