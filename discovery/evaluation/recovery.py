"""Which true intents and domains were found, and which found novel intents match no true one."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from advin.discovery.evaluation.agreement import contingency
from advin.discovery.evaluation.rows import Found, Truth, aligned_counts, novel_ids
from advin.discovery.labels import UNLABELED


@dataclass(frozen=True, slots=True)
class Recovery:
    """How well one true intent or domain was found.

    Attributes:
        label: the true intent or domain.
        is_known: True for a known intent, and for a domain of a known intent.
        size: number of its utterances.
        found_id: the found intent or domain that fits best; None if none holds any of its
            utterances.
        found_name: its name.
        recall: share of the true group's utterances that are in the found group, 0 to 1.
        purity: share of the found group's utterances that have the true label, 0 to 1;
            out-of-scope utterances lower it.
    """

    label: str
    is_known: bool
    size: int
    found_id: str | None
    found_name: str | None
    recall: float
    purity: float

    @property
    def is_recovered(self) -> bool:
        """True if each of the two groups holds more than half of the other."""
        return self.recall > 0.5 and self.purity > 0.5


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A found novel intent that recovers no true novel intent.

    Attributes:
        found_id: id of the found intent.
        found_name: its name.
        size: number of its utterances that have a true label, out-of-scope ones included.
        label: its most frequent true intent; None for out of scope.
        is_known: True if that intent is known.
        share: share of its utterances that have that intent, 0 to 1.
    """

    found_id: str
    found_name: str
    size: int
    label: str | None
    is_known: bool
    share: float


def recovery(truth: Truth, found: Found, names: Mapping[str, str] | None = None) -> list[Recovery]:
    """Return how well each true novel intent was found, largest intent first.

    The best found novel intent has the highest harmonic mean of recall and purity; ties break by
    id.

    Args:
        truth: the true labels of n rows.
        found: the results for the same rows.
        names: from ids to names of found intents; an intent without a name has its id as name.
    """
    counts = aligned_counts(truth, found)
    rows = _best_matches(truth.intent, novel_ids(found), counts, set(truth.known), names or {})
    return [row for row in rows if not row.is_known]


def domain_recovery(
    truth: Truth, found: Found, names: Mapping[str, str] | None = None
) -> list[Recovery]:
    """Return how well each true domain was found, the largest first; as `recovery` does.

    Args:
        truth: the true labels of n rows.
        found: the results for the same rows.
        names: from ids to names of found domains; a domain without a name has its id as name.
    """
    counts = aligned_counts(truth, found)
    return _best_matches(truth.domain, found.domain, counts, known_domains(truth), names or {})


def known_domains(truth: Truth) -> set[str]:
    """Return the domains that have a known intent."""
    pairs = zip(truth.intent, truth.domain, strict=True)
    return {domain for intent, domain in pairs if domain is not None and intent in truth.known}


def unmatched_intents(
    truth: Truth, found: Found, names: Mapping[str, str] | None = None
) -> list[Unmatched]:
    """Return the found novel intents that recover no true novel intent, the largest first.

    Args:
        truth: the true labels of n rows.
        found: the results for the same rows.
        names: from ids to names of found intents; an intent without a name has its id as name.
    """
    names = names or {}
    matched = {row.found_id for row in recovery(truth, found) if row.is_recovered}
    pairs = contingency(
        _with_out_of_scope(truth.intent), novel_ids(found), aligned_counts(truth, found)
    )
    sizes = pairs.found_sizes()
    rows = []
    for code, found_id in enumerate(pairs.found_labels):
        own = np.flatnonzero(pairs.found == code)
        if found_id in matched or not len(own):
            continue
        top = own[np.argmax(pairs.count[own])]
        label = pairs.truth_labels[pairs.truth[top]][0] or None
        share = float(pairs.count[top] / sizes[code])
        size, name = int(sizes[code]), names.get(found_id, found_id)
        rows.append(Unmatched(found_id, name, size, label, label in truth.known, share))
    return sorted(rows, key=lambda row: (-row.size, row.found_id))


def _best_matches(
    labels: Sequence[str | None],
    groups: Sequence[str | None],
    counts: np.ndarray,
    known: set[str],
    names: Mapping[str, str],
) -> list[Recovery]:
    """Return the found group that fits each true label best, the most frequent label first."""
    pairs = contingency(_with_out_of_scope(labels), groups, counts)
    sizes, found_sizes = pairs.truth_sizes(), pairs.found_sizes()
    purity = pairs.count / found_sizes[pairs.found]
    # Harmonic mean of recall and purity.
    fit = 2 * pairs.count / (sizes[pairs.truth] + found_sizes[pairs.found])
    fit[pairs.found == UNLABELED] = -1
    rows = []
    bounds = np.searchsorted(pairs.truth, np.arange(len(sizes) + 1))
    for code, (label, in_scope) in enumerate(pairs.truth_labels):
        start, stop = bounds[code], bounds[code + 1]
        if not in_scope or start == stop:
            continue
        best = start + int(np.argmax(fit[start:stop]))
        size, is_known = int(sizes[code]), label in known
        if pairs.found[best] == UNLABELED:
            rows.append(Recovery(label, is_known, size, None, None, recall=0.0, purity=0.0))
            continue
        found_id = pairs.found_labels[pairs.found[best]]
        recall = float(pairs.count[best] / size)
        name = names.get(found_id, found_id)
        rows.append(Recovery(label, is_known, size, found_id, name, recall, float(purity[best])))
    return sorted(rows, key=lambda row: (-row.size, row.label))


def _with_out_of_scope(labels: Sequence[str | None]) -> list[Hashable]:
    """Return the labels as pairs; rows out of scope have a label that no intent has."""
    return [("", 0) if label is None else (label, 1) for label in labels]
