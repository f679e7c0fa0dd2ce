"""Measures of a run against the truth: clustering, novelty, and recovered intents.

A row may stand for several utterances, by its count. A measure is nan if it is undefined (accuracy
on novel intents when there are none), and 0 if nothing was found that could be right.
"""

from collections.abc import Collection, Sequence
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
from advin.discovery.evaluation.recovery import known_domains, recovery
from advin.discovery.evaluation.rows import Found, Truth, aligned_counts, novel_ids
from advin.discovery.labels import UNLABELED
from advin.schemas.verdicts import KNOWN

# Recall of novel utterances at which the false-positive rate is reported.
_RECALL = 0.95


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
    counts = aligned_counts(truth, found)
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
        pairs = contingency(truth.domain, found.domain, counts)
        measures |= _clustering("domain_", pairs, known_domains(truth))
        measures["domains_true"] = domains
        measures["domains_found"] = _distinct(found.domain, counts > 0)
    return {name: value for name, value in measures.items() if not np.isnan(value)}


def _intent_measures(
    truth: Truth, found: Found, is_known: np.ndarray, counts: np.ndarray
) -> dict[str, float]:
    """Return numbers of intents, and which kinds of utterances are in novel intents."""
    in_scope = np.array([intent is not None for intent in truth.intent], bool)
    of_novel = novel_ids(found)
    in_novel = np.array([i is not None for i in of_novel], bool)
    assigned = np.array([i is not None for i in found.intent_id], bool)
    present = counts > 0
    recovered = [row.is_recovered for row in recovery(truth, found)]
    n_found = _distinct(of_novel, present)
    return {
        "coverage": _weighted_share(assigned, in_scope, counts),
        "intents_true": _distinct(truth.intent, present),
        "intents_found": _distinct(found.intent_id, present),
        "novel_intents_true": _distinct(truth.intent, present & ~is_known),
        "novel_intents_found": n_found,
        "novel_intents_recovered": float(np.mean(recovered)) if recovered else np.nan,
        "novel_intents_precision": share(sum(recovered), n_found),
        "novel_in_novel": _weighted_share(in_novel, in_scope & ~is_known, counts),
        "known_in_novel": _weighted_share(in_novel, is_known, counts),
        "junk_in_novel": _weighted_share(in_novel, ~in_scope, counts),
        "junk_intents": _junk_intents(in_scope, of_novel, counts),
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


def _junk_intents(in_scope: np.ndarray, of_novel: Sequence[str | None], counts: np.ndarray) -> int:
    labels, codes = codes_of(of_novel)
    inside = codes != UNLABELED
    size = np.bincount(codes[inside], counts[inside], minlength=len(labels))
    junk = inside & ~in_scope
    return int(np.sum(np.bincount(codes[junk], counts[junk], minlength=len(labels)) * 2 > size))


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
