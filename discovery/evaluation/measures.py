"""Comparing found intents and domains with the true ones: every measure of the benchmarks.

Clustering measures work on a `Contingency`, the distinct pairs of a true and a found label with
their counts, so that their cost follows the number of pairs and not of rows. A row may stand for
several, by its count. A measure is nan where its question does not arise (accuracy on novel intents
when there are none) and 0 where nothing was found that could be right.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import auc, roc_curve

from advin.discovery.evaluation.agreement import (
    NONE,
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

# Recall of novel utterances at which the false-positive rate is reported.
_RECALL = 0.95


@dataclass(frozen=True, slots=True)
class Truth:
    """The true labels of n rows.

    Attributes:
        intent: (n,) intent, None for rows that belong to no intent (out of scope).
        domain: (n,) domain, None where there is none.
        known: the intents that labels were given for; all others are novel.
        counts: (n,) int, how many utterances a row stands for; None for one each.
    """

    intent: Sequence[str | None]
    domain: Sequence[str | None]
    known: Collection[str]
    counts: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a run says of the same n rows.

    Attributes:
        intent_id: (n,) the intent a row was assigned to, None if to none.
        is_novel: (n,) bool, the verdict on the row.
        known_intent: (n,) the known intent that fits best; None counts as novel.
        novelty_score: (n,) float, higher is more novel; nan or None when there are no scores.
        domain: (n,) the domain a row was assigned to, None if to none.
    """

    intent_id: Sequence[str | None]
    is_novel: Sequence[bool | None] | np.ndarray
    known_intent: Sequence[str | None]
    novelty_score: Sequence[float | None] | np.ndarray
    domain: Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of one novel intent of the truth.

    Attributes:
        intent: the true intent.
        size: its utterances.
        found_id: the novel intent found that fits best, None if none holds any of its utterances.
        found_name: what that one is called.
        recall: share of the true intent's utterances that are in it.
        purity: share of its utterances, out-of-scope ones among them, that are the true intent's.
    """

    intent: str
    size: int
    found_id: str | None
    found_name: str | None
    recall: float
    purity: float


def open_intent_scores(
    truth: Sequence, predicted: Sequence, counts: np.ndarray | None = None
) -> dict[str, float]:
    """Accuracy and macro F1 of classifying into the known intents and one open class.

    As in TEXTOIR (Zhang et al., ACL 2021): `open_f1` is the mean over all classes, `f1_known` over
    the known intents, `f1_open` that of the open class. Classes are those that occur in truth or
    prediction; F1 is 0 where one of the two lacks the class, nan where both do.

    Args:
        truth: (n,) known intents, None for the open class.
        predicted: (n,) the same.
        counts: (n,) how many utterances a row stands for; None for one each.
    """
    counts = checked_counts(counts, len(truth))
    if len(predicted) != len(truth):
        raise ValueError(f"{len(truth)} true labels, but {len(predicted)} predicted: give one each")
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
    """Area under the ROC curve: how probably a novel utterance scores above a known one.

    Ties count half. nan unless there are both kinds, or if a score is not finite.
    """
    false_positives, true_positives = _roc(is_novel, scores, counts)
    return float(auc(false_positives, true_positives)) if len(true_positives) else np.nan


def fpr_at_recall(
    is_novel: np.ndarray, scores: np.ndarray, recall: float, counts: np.ndarray | None = None
) -> float:
    """Share of known utterances flagged at the highest threshold that flags `recall` of the novel.

    nan unless there are both kinds, or if a score is not finite.
    """
    false_positives, true_positives = _roc(is_novel, scores, counts)
    enough = np.flatnonzero(true_positives >= recall - 1e-12)
    return float(false_positives[enough[0]]) if len(enough) else np.nan


def recovery(truth: Truth, found: Found, names: Mapping[str, str] | None = None) -> list[Recovery]:
    """Return what became of each novel intent of the truth, largest first.

    Of the novel intents found, the best has the highest harmonic mean of recall and purity; ties
    break by id.

    Args:
        truth: the true labels.
        found: what a run says.
        names: what the intents found are called, by id; those without a name go by their id.
    """
    counts = _check(truth, found)
    names = names or {}
    novel_ids = _novel_ids(found)
    # Out-of-scope rows belong to the purity: they stand under a label that no intent has.
    labels = [("", 0) if intent is None else (intent, 1) for intent in truth.intent]
    pairs = contingency(labels, novel_ids, counts)
    sizes, found_sizes = pairs.truth_sizes(), pairs.found_sizes()
    purity = pairs.count / found_sizes[pairs.found]
    # The harmonic mean of recall and purity.
    fit = 2 * pairs.count / (sizes[pairs.truth] + found_sizes[pairs.found])
    fit[pairs.found == NONE] = -1
    rows = []
    bounds = np.searchsorted(pairs.truth, np.arange(len(sizes) + 1))
    for code, (intent, in_scope) in enumerate(pairs.truth_labels):
        start, stop = bounds[code], bounds[code + 1]
        if not in_scope or intent in truth.known or start == stop:
            continue
        best = start + int(np.argmax(fit[start:stop]))
        size = int(sizes[code])
        if pairs.found[best] == NONE:
            rows.append(Recovery(intent, size, None, None, recall=0.0, purity=0.0))
            continue
        found_id = pairs.found_labels[pairs.found[best]]
        recall = float(pairs.count[best] / size)
        name = names.get(found_id, found_id)
        rows.append(Recovery(intent, size, found_id, name, recall, purity=float(purity[best])))
    return sorted(rows, key=lambda row: (-row.size, row.intent))


def evaluate_discovery(truth: Truth, found: Found) -> dict[str, float]:
    """Compare what a run found with the truth, by every measure; flat, and fit for JSON.

    Measures whose question does not arise (no novel intent in the truth, no domains, …) are left
    out. Shares are 0 to 1, over utterances, that is, rows times their counts.

    - `rows`: utterances, with and without a true intent.
    - `nmi`, `ari`, `accuracy`, `b_cubed_precision`, `b_cubed_recall`, `b_cubed_f1`,
      `pairwise_precision`, `pairwise_recall`, `pairwise_f1`, `known_accuracy`, `novel_accuracy`,
      `h_score`: found against true intents, on utterances that have a true one.
    - `coverage`: share of those that were assigned to an intent.
    - `intents_true`, `intents_found`, `novel_intents_true`, `novel_intents_found`: their numbers; a
      found intent counts when an utterance is assigned to it.
    - `novel_intents_recovered`: share of the novel intents of which a novel intent found holds more
      than half and consists of it by more than half.
    - `novel_in_novel`, `known_in_novel`, `junk_in_novel`: shares of the utterances of novel
      intents, of known intents, and of none (out of scope) that were put into a novel intent.
    - `junk_intents`: novel intents found of which more than half is out of scope.
    - `open_accuracy`, `open_f1`, `f1_known`, `f1_open`: each utterance's verdict, a known intent
      or novel, out of scope being novel (see `open_intent_scores`).
    - `auroc`, `fpr95`: the novelty score, known against all others; `fpr95` at 95 % recall.
    - `domain_…`, `domains_true`, `domains_found`: the clustering measures for domains; a domain is
      known when it has a known intent.

    Raises:
        ValueError: if the lengths differ, or a count is negative or no whole number.
    """
    counts = _check(truth, found)
    known = frozenset(truth.known)
    in_scope = np.array([intent is not None for intent in truth.intent], bool)
    is_known = np.array([intent in known for intent in truth.intent], bool)
    known_domains = {d for d, k in zip(truth.domain, is_known, strict=True) if k and d is not None}
    novel_ids = _novel_ids(found)
    in_novel = np.array([i is not None for i in novel_ids], bool)
    assigned = np.array([i is not None for i in found.intent_id], bool)
    present = counts > 0

    recovered = [r.recall > 0.5 and r.purity > 0.5 for r in recovery(truth, found)]
    measures: dict[str, float] = {
        "rows": int(counts.sum()),
        **_clustering("", contingency(truth.intent, found.intent_id, counts), known),
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
    if known:
        true = [i if k else None for i, k in zip(truth.intent, is_known, strict=True)]
        verdicts = zip(found.is_novel, found.known_intent, strict=True)
        measures |= open_intent_scores(true, [None if n else i for n, i in verdicts], counts)
        scores = np.array(found.novelty_score, np.float64)
        measures["auroc"] = auroc(~is_known, scores, counts)
        measures["fpr95"] = fpr_at_recall(~is_known, scores, _RECALL, counts)
    if (domains := _distinct(truth.domain, present)) > 0:
        measures |= _clustering(
            "domain_", contingency(truth.domain, found.domain, counts), known_domains
        )
        measures |= {"domains_true": domains, "domains_found": _distinct(found.domain, present)}
    return {name: value for name, value in measures.items() if not np.isnan(value)}


def _clustering(prefix: str, pairs: Contingency, known: Collection[str]) -> dict[str, float]:
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
    inside = codes != NONE
    size = np.bincount(codes[inside], counts[inside], minlength=len(labels))
    junk = inside & ~in_scope
    return int(np.sum(np.bincount(codes[junk], counts[junk], minlength=len(labels)) * 2 > size))


def _novel_ids(found: Found) -> list[str | None]:
    """Return the intent of the rows that are in a novel one, None for all others."""
    return [i if n else None for i, n in zip(found.intent_id, found.is_novel, strict=True)]


def _check(truth: Truth, found: Found) -> np.ndarray:
    """Return the counts after checking that all columns have the same length."""
    n = len(truth.intent)
    columns = {"truth.domain": truth.domain} | {
        f"found.{name}": getattr(found, name) for name in Found.__dataclass_fields__
    }
    for name, column in columns.items():
        if len(column) != n:
            raise ValueError(
                f"truth.intent has {n} rows, but {name} has {len(column)}: give one of each a row"
            )
    return checked_counts(truth.counts, n)


def _roc(
    is_novel: np.ndarray, scores: np.ndarray, counts: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return false and true positive rates at falling thresholds, empty if there are none."""
    is_novel, scores = np.asarray(is_novel, bool), np.asarray(scores, np.float64)
    if is_novel.shape != scores.shape:
        raise ValueError(f"{len(is_novel)} rows, but scores of shape {scores.shape}: give one each")
    counts = checked_counts(counts, len(is_novel))
    novel = counts[is_novel].sum()
    if not 0 < novel < counts.sum() or not np.isfinite(scores).all():
        return np.zeros(0), np.zeros(0)
    return roc_curve(is_novel, scores, sample_weight=counts, drop_intermediate=False)[:2]


def _distinct(labels: Sequence, rows: np.ndarray) -> int:
    return len({label for label, row in zip(labels, rows, strict=True) if row} - {None})


def _weighted_share(chosen: np.ndarray, of: np.ndarray, counts: np.ndarray) -> float:
    return share(counts[chosen & of].sum(), counts[of].sum())


def _mean(values: np.ndarray) -> float:
    """Return the mean of what is not nan."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else np.nan
