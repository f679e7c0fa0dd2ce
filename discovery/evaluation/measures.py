"""Measures of a run against the truth: clustering, novelty, and recovered intents.

A row may stand for several utterances, by its count. A measure is nan if it is undefined (accuracy
on novel intents when there are none), and 0 if nothing was found that could be right.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import auc, roc_curve

from advin.discovery.evaluation.agreement import (
    Contingency,
    ari,
    b_cubed,
    checked_counts,
    codes_of,
    contingency,
    hungarian_accuracy,
    known_novel_accuracy,
    nmi,
    pairwise_f1,
    share,
)
from advin.discovery.labels import UNLABELED
from advin.schemas.verdicts import KNOWN, NOVEL

# Recall of novel utterances at which the false-positive rate is reported.
_RECALL = 0.95


@dataclass(frozen=True, slots=True)
class Truth:
    """The true labels of n rows.

    Attributes:
        intent: (n,) intents, None for rows without an intent (out of scope).
        domain: (n,) domains, None for rows without a domain.
        known: the intents that labels were given for; all others are novel.
        counts: (n,) int, number of utterances of each row; None for one each.
    """

    intent: Sequence[str | None]
    domain: Sequence[str | None]
    known: Collection[str]
    counts: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The results of a run for the same n rows.

    Attributes:
        intent_id: (n,) intent that a row was assigned to, or None.
        kind: (n,) verdict on each row, a kind of `schemas.verdicts.KINDS`.
        known_intent: (n,) known intent that fits best; read for rows of kind known.
        novelty_score: (n,) float, higher is more novel; nan or None without scores.
        domain: (n,) domain that a row was assigned to, or None.
    """

    intent_id: Sequence[str | None]
    kind: Sequence[str]
    known_intent: Sequence[str | None]
    novelty_score: Sequence[float | None] | np.ndarray
    domain: Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Recovery:
    """How well one true novel intent was found.

    Attributes:
        intent: the true intent.
        size: number of its utterances.
        found_id: the found novel intent that fits best; None if none holds any of its utterances.
        found_name: name of the found intent.
        recall: share of the true intent's utterances that are in the found intent, 0 to 1.
        purity: share of the found intent's utterances that have the true intent, 0 to 1;
            out-of-scope utterances lower it.
    """

    intent: str
    size: int
    found_id: str | None
    found_name: str | None
    recall: float
    purity: float


def open_intent_scores(
    truth: Sequence[str | None], predicted: Sequence[str | None], counts: np.ndarray | None = None
) -> dict[str, float]:
    """Return accuracy and macro F1 of classification into known intents and one open class.

    As in TEXTOIR (Zhang et al., ACL 2021), `open_f1` is the mean over all classes, `f1_known` the
    mean over the known intents, and `f1_open` the F1 of the open class. Only classes that occur in
    truth or prediction count; F1 is 0 if only one of the two has the class.

    Args:
        truth: (n,) known intents, None for the open class.
        predicted: (n,) predicted intents, None for the open class.
        counts: (n,) number of utterances of each row; None for one each.

    Returns:
        from "open_accuracy", "open_f1", "f1_known" and "f1_open" to values of 0 to 1, or nan.

    Raises:
        ValueError: if the lengths differ, or a count is negative or not a whole number.
    """
    counts = checked_counts(counts, len(truth))
    if len(predicted) != len(truth):
        raise ValueError(
            f"{len(truth)} true labels, but {len(predicted)} predicted: give one per row"
        )
    labels, codes = codes_of([*truth, *predicted])
    true, given = np.split(codes % (len(labels) + 1), 2)  # the open class comes last
    right = true == given
    both = np.bincount(true[right], counts[right], minlength=len(labels) + 1)
    codes, weights = np.concatenate([true, given]), np.concatenate([counts, counts])
    either = np.bincount(codes, weights, minlength=len(labels) + 1)
    f1 = np.divide(2 * both, either, out=np.full(len(either), np.nan), where=either > 0)
    return {
        "open_accuracy": share(both.sum(), counts.sum()),
        "open_f1": _mean(f1),
        "f1_known": _mean(f1[:-1]),
        "f1_open": float(f1[-1]),
    }


def auroc(is_novel: np.ndarray, scores: np.ndarray, counts: np.ndarray | None = None) -> float:
    """Return the area under the ROC curve: the probability that a novel score is higher.

    Ties count half. The area is nan without novel or known utterances, and if a score is not
    finite.
    """
    false_positives, true_positives = _roc(is_novel, scores, counts)
    return float(auc(false_positives, true_positives)) if len(true_positives) else np.nan


def fpr_at_recall(
    is_novel: np.ndarray, scores: np.ndarray, recall: float, counts: np.ndarray | None = None
) -> float:
    """Return the share of known utterances above the threshold that flags most novel ones.

    The threshold is the highest one that flags at least a share of `recall` of the novel
    utterances. The result is nan without novel or known utterances, and if a score is not finite.
    """
    false_positives, true_positives = _roc(is_novel, scores, counts)
    enough = np.flatnonzero(true_positives >= recall - 1e-12)
    return float(false_positives[enough[0]]) if len(enough) else np.nan


def recovery(truth: Truth, found: Found, names: Mapping[str, str] | None = None) -> list[Recovery]:
    """Return how well each true novel intent was found, largest intent first.

    The best found intent has the highest harmonic mean of recall and purity; ties break by id.

    Args:
        truth: the true labels of n rows.
        found: the results for the same rows.
        names: from ids to names of found intents; an intent without a name has its id as name.
    """
    counts = _check(truth, found)
    names = names or {}
    novel_ids = _novel_ids(found)
    # Out-of-scope rows lower the purity; they get a label that no intent has.
    labels = [("", 0) if intent is None else (intent, 1) for intent in truth.intent]
    pairs = contingency(labels, novel_ids, counts)
    sizes, found_sizes = pairs.truth_sizes(), pairs.found_sizes()
    purity = pairs.count / found_sizes[pairs.found]
    # Harmonic mean of recall and purity.
    fit = 2 * pairs.count / (sizes[pairs.truth] + found_sizes[pairs.found])
    fit[pairs.found == UNLABELED] = -1
    rows = []
    bounds = np.searchsorted(pairs.truth, np.arange(len(sizes) + 1))
    for code, (intent, in_scope) in enumerate(pairs.truth_labels):
        start, stop = bounds[code], bounds[code + 1]
        if not in_scope or intent in truth.known or start == stop:
            continue
        best = start + int(np.argmax(fit[start:stop]))
        size = int(sizes[code])
        if pairs.found[best] == UNLABELED:
            rows.append(Recovery(intent, size, None, None, recall=0.0, purity=0.0))
            continue
        found_id = pairs.found_labels[pairs.found[best]]
        recall = float(pairs.count[best] / size)
        name = names.get(found_id, found_id)
        rows.append(Recovery(intent, size, found_id, name, recall, purity=float(purity[best])))
    return sorted(rows, key=lambda row: (-row.size, row.intent))


def evaluate_discovery(truth: Truth, found: Found) -> dict[str, float]:
    """Compare the results of a run with the truth, by every measure.

    Shares are 0 to 1, over utterances, that is, rows times their counts. A measure is left out if
    it is undefined, for instance accuracy on novel intents when the truth has none.

    Args:
        truth: the true labels of n rows.
        found: the results for the same rows.

    Returns:
        from the name of each measure (see `meanings.MEANINGS`) to its value; fit for JSON.

    Raises:
        ValueError: if the lengths differ, or a count is negative or not a whole number.
    """
    counts = _check(truth, found)
    known = frozenset(truth.known)
    is_known = np.array([intent in known for intent in truth.intent], bool)
    measures: dict[str, float] = {
        "rows": int(counts.sum()),
        **_clustering("", contingency(truth.intent, found.intent_id, counts), known),
        **_intent_measures(truth, found, is_known, counts),
    }
    if known:
        measures |= _verdict_measures(truth, found, is_known, counts)
    if (domains := _distinct(truth.domain, counts > 0)) > 0:
        # A domain is known if it has a known intent.
        known_domains = {d for d, k in zip(truth.domain, is_known, strict=True) if k} - {None}
        pairs = contingency(truth.domain, found.domain, counts)
        measures |= _clustering("domain_", pairs, known_domains)
        measures["domains_true"] = domains
        measures["domains_found"] = _distinct(found.domain, counts > 0)
    return {name: value for name, value in measures.items() if not np.isnan(value)}


def _intent_measures(
    truth: Truth, found: Found, is_known: np.ndarray, counts: np.ndarray
) -> dict[str, float]:
    """Return numbers of intents, and which kinds of utterances are in novel intents."""
    in_scope = np.array([intent is not None for intent in truth.intent], bool)
    novel_ids = _novel_ids(found)
    in_novel = np.array([i is not None for i in novel_ids], bool)
    assigned = np.array([i is not None for i in found.intent_id], bool)
    present = counts > 0
    recovered = [r.recall > 0.5 and r.purity > 0.5 for r in recovery(truth, found)]
    return {
        "coverage": _weighted_share(assigned, in_scope, counts),
        "intents_true": _distinct(truth.intent, present),
        "intents_found": _distinct(found.intent_id, present),
        "novel_intents_true": _distinct(truth.intent, present & ~is_known),
        "novel_intents_found": _distinct(novel_ids, present),
        "novel_intents_recovered": float(np.mean(recovered)) if recovered else np.nan,
        "novel_in_novel": _weighted_share(in_novel, in_scope & ~is_known, counts),
        "known_in_novel": _weighted_share(in_novel, is_known, counts),
        "junk_in_novel": _weighted_share(in_novel, ~in_scope, counts),
        "junk_intents": _junk_intents(in_scope, novel_ids, counts),
    }


def _verdict_measures(
    truth: Truth, found: Found, is_known: np.ndarray, counts: np.ndarray
) -> dict[str, float]:
    """Return how well single utterances are classified as a known intent or as novel."""
    true = [i if known else None for i, known in zip(truth.intent, is_known, strict=True)]
    verdicts = zip(found.kind, found.known_intent, strict=True)
    predicted = [intent if kind == KNOWN else None for kind, intent in verdicts]
    scores = np.array(found.novelty_score, np.float64)
    return {
        **open_intent_scores(true, predicted, counts),
        "auroc": auroc(~is_known, scores, counts),
        "fpr95": fpr_at_recall(~is_known, scores, _RECALL, counts),
    }


def _clustering(prefix: str, pairs: Contingency, known: Collection[Any]) -> dict[str, float]:
    names = ("precision", "recall", "f1")
    groups = ("known_accuracy", "novel_accuracy", "h_score")
    measures = {
        "nmi": nmi(pairs),
        "ari": ari(pairs),
        "accuracy": hungarian_accuracy(pairs),
        **{f"b_cubed_{n}": v for n, v in zip(names, b_cubed(pairs), strict=True)},
        **{f"pairwise_{n}": v for n, v in zip(names, pairwise_f1(pairs), strict=True)},
        **dict(zip(groups, known_novel_accuracy(pairs, known), strict=True)),
    }
    return {prefix + name: value for name, value in measures.items()}


def _junk_intents(in_scope: np.ndarray, novel_ids: Sequence[str | None], counts: np.ndarray) -> int:
    labels, codes = codes_of(novel_ids)
    inside = codes != UNLABELED
    size = np.bincount(codes[inside], counts[inside], minlength=len(labels))
    junk = inside & ~in_scope
    return int(np.sum(np.bincount(codes[junk], counts[junk], minlength=len(labels)) * 2 > size))


def _novel_ids(found: Found) -> list[str | None]:
    """Return (n,) the intent of each row if it is novel, else None."""
    return [i if k == NOVEL else None for i, k in zip(found.intent_id, found.kind, strict=True)]


def _check(truth: Truth, found: Found) -> np.ndarray:
    """Return the (n,) counts; raise ValueError if columns differ in length."""
    n = len(truth.intent)
    columns = {"truth.domain": truth.domain} | {
        f"found.{name}": getattr(found, name) for name in Found.__dataclass_fields__
    }
    for name, column in columns.items():
        if len(column) != n:
            raise ValueError(
                f"truth.intent has {n} rows, but {name} has {len(column)}: give one value per row"
            )
    return checked_counts(truth.counts, n)


def _roc(
    is_novel: np.ndarray, scores: np.ndarray, counts: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return false and true positive rates at falling thresholds; empty if undefined."""
    is_novel, scores = np.asarray(is_novel, bool), np.asarray(scores, np.float64)
    if is_novel.shape != scores.shape:
        raise ValueError(
            f"{len(is_novel)} rows, but scores of shape {scores.shape}: give one per row"
        )
    counts = checked_counts(counts, len(is_novel))
    novel = counts[is_novel].sum()
    if not 0 < novel < counts.sum() or not np.isfinite(scores).all():
        return np.zeros(0), np.zeros(0)
    return roc_curve(is_novel, scores, sample_weight=counts, drop_intermediate=False)[:2]


def _distinct(labels: Sequence[Any], rows: np.ndarray) -> int:
    return len({label for label, row in zip(labels, rows, strict=True) if row} - {None})


def _weighted_share(chosen: np.ndarray, of: np.ndarray, counts: np.ndarray) -> float:
    return share(counts[chosen & of].sum(), counts[of].sum())


def _mean(values: np.ndarray) -> float:
    """Return the mean without nan values."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else np.nan
