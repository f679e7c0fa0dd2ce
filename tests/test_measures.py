"""Tests of the measures of a run, against their definitions and scikit-learn."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from advin.discovery.evaluation import measures as ev
from advin.discovery.evaluation.meanings import MEANINGS
from advin.discovery.evaluation.measures import evaluate_discovery
from advin.discovery.evaluation.recovery import (
    Recovery,
    Unmatched,
    domain_recovery,
    recovery,
    unmatched_intents,
)
from advin.discovery.evaluation.rows import Found, Truth
from advin.discovery.text.config import MaskingConfig
from advin.pipelines.evaluate import _read_truth
from advin.pipelines.reading.columns import Columns
from advin.runners.console import console, new_table

LABELS = st.sampled_from([None, "a", "b", "c", "d"])
ROWS = st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=30)


def check(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-12, equal_nan=True)


@settings(deadline=None)
@given(ROWS)
def test_open_intent_scores_equal_sklearn(rows):
    truth, predicted = ([x or "~open" for x in column] for column in zip(*rows, strict=True))
    labels = sorted({*truth, *predicted})
    by_class = dict(
        zip(labels, metrics.f1_score(truth, predicted, labels=labels, average=None), strict=True)
    )
    known = [v for k, v in by_class.items() if k != "~open"]
    found = ev.open_intent_scores(*zip(*rows, strict=True))
    check(found["open_accuracy"], metrics.accuracy_score(truth, predicted))
    check(found["open_f1"], metrics.f1_score(truth, predicted, average="macro"))
    check(found["f1_known"], np.mean(known) if known else np.nan)
    check(found["f1_open"], by_class.get("~open", np.nan))


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=25))
def test_auroc_and_fpr_equal_their_definition(rows):
    is_novel, scores = (np.array(column) for column in zip(*rows, strict=True))
    novel, known = scores[is_novel], scores[~is_novel]
    if len(novel) and len(known):
        above = np.mean([[(a > b) + (a == b) / 2 for b in known] for a in novel])
        cut = max(c for c in scores if np.mean(novel >= c) >= 0.95)
        expected = above, np.mean(known >= cut)
    else:
        expected = np.nan, np.nan
    check((ev.auroc(is_novel, scores), ev.fpr_at_recall(is_novel, scores, 0.95)), expected)


def test_missing_scores_have_no_auroc():
    assert math.isnan(ev.auroc(np.array([True, False]), np.array([1.0, np.nan])))
    with pytest.raises(ValueError, match="2 rows, but scores of shape"):
        ev.auroc(np.array([True, False]), np.array([1.0]))


def random_run(n=400, seed=0):
    """Return a log with known intents k0 to k3, novel ones n0 to n2, and a tenth out of scope."""
    rng = np.random.default_rng(seed)
    intents = [*(f"k{i}" for i in range(4)), *(f"n{i}" for i in range(3))]
    intent = [str(rng.choice(intents)) if rng.random() < 0.9 else None for _ in range(n)]
    found = [
        None if rng.random() < 0.1 else i if i and rng.random() < 0.7 else str(rng.choice(intents))
        for i in intent
    ]
    truth = Truth(
        intent=intent,
        domain=[None if i is None else "D" + i[0] + str(int(i[1]) % 2) for i in intent],
        known={f"k{i}" for i in range(4)},
        counts=rng.integers(1, 5, n),
    )
    return truth, Found(
        intent_id=[None if f is None else "id-" + f for f in found],
        kind=[{"k": "known", "n": "novel"}[f[0]] if f else "unassigned" for f in found],
        known_intent=[f if f and f[0] == "k" else "k0" for f in found],
        novelty_score=rng.normal(size=n) + [i is None or i[0] == "n" for i in intent],
        domain=[None if f is None else "D" + f[0] for f in found],
    )


def take(rows, *, truth, found):
    """Return some rows of a run, each for one utterance."""

    def column(values):
        return [values[i] for i in rows]

    return (
        Truth(column(truth.intent), column(truth.domain), truth.known),
        Found(*(column(getattr(found, name)) for name in Found.__dataclass_fields__)),
    )


def test_counts_equal_repeated_rows():
    truth, found = random_run()
    rows = np.repeat(np.arange(len(truth.intent)), truth.counts)
    repeated = take(rows, truth=truth, found=found)
    counted = evaluate_discovery(truth, found)
    expected = evaluate_discovery(*repeated)
    assert counted.keys() == expected.keys()
    for name in counted:
        assert counted[name] == pytest.approx(expected[name], abs=1e-12), name
    assert recovery(truth, found) == recovery(*repeated)


def test_the_order_of_rows_and_the_names_of_clusters_have_no_effect():
    truth, found = random_run()
    order = np.random.default_rng(1).permutation(len(truth.intent))
    counts = truth.counts[order]
    moved_truth, moved = take(order, truth=truth, found=found)
    moved_truth = Truth(moved_truth.intent, moved_truth.domain, truth.known, counts)
    moved = Found(
        [i and f"other {i[::-1]}" for i in moved.intent_id],
        moved.kind,
        moved.known_intent,
        moved.novelty_score,
        moved.domain,
    )
    assert evaluate_discovery(moved_truth, moved) == pytest.approx(evaluate_discovery(truth, found))


def test_a_perfect_run_has_perfect_measures():
    truth, _ = random_run()
    is_novel = np.array([i is None or i not in truth.known for i in truth.intent])
    kind = np.where(is_novel, "novel", "known").tolist()
    perfect = Found(truth.intent, kind, truth.intent, is_novel * 1.0, truth.domain)
    found = evaluate_discovery(truth, perfect)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    counts = {k: v for k, v in found.items() if isinstance(v, int)}
    assert counts == {
        "rows": int(truth.counts.sum()),
        "intents_true": 7,
        "intents_found": 7,
        "novel_intents_true": 3,
        "novel_intents_found": 3,
        "junk_intents": 0,
        "domains_true": 4,
        "domains_found": 4,
    }
    zero = {"known_in_novel", "junk_in_novel", "fpr95"}
    for name in found.keys() - counts.keys():
        assert found[name] == pytest.approx(0 if name in zero else 1), name


def test_unassigned_and_out_of_scope_rows_count_in_the_right_measures():
    truth = Truth(
        intent=["k", "k", "n", "n", "n", None, None, None],
        domain=["D", "D", None, None, None, None, None, None],
        known={"k"},
        counts=np.array([1, 1, 2, 1, 1, 3, 1, 1]),
    )
    found = Found(
        intent_id=["1", "2", "2", "2", None, "3", "1", None],
        kind=["known", "novel", "novel", "novel", "junk", "novel", "known", "unassigned"],
        known_intent=["k"] * 8,
        novelty_score=[None] * 8,
        domain=["x", "x", None, None, None, None, None, None],
    )
    measures = evaluate_discovery(truth, found)
    expected = {
        "rows": 11,
        "coverage": 5 / 6,
        "accuracy": 4 / 6,
        "known_in_novel": 1 / 2,
        "novel_in_novel": 3 / 4,
        "junk_in_novel": 3 / 5,
        "junk_intents": 1,
        "novel_intents_found": 2,
        "novel_intents_recovered": 1.0,
        "novel_intents_precision": 1 / 2,
        "open_accuracy": 9 / 11,
        "domains_true": 1,
        "domain_accuracy": 1.0,
    }
    assert {name: measures[name] for name in expected} == pytest.approx(expected)
    assert not {"auroc", "fpr95", "domain_novel_accuracy"} & measures.keys()


def test_recovery_prefers_the_best_fit_to_the_largest_cluster():
    # The largest cluster holds more of n but is impure; out-of-scope rows lower its purity.
    intent = ["n"] * 10 + ["m"] * 3 + [None] * 31
    giant, own = "giant", "own"
    intent_id = [giant] * 6 + [own] * 4 + [None] * 3 + [giant] * 30 + [own]
    truth = Truth(intent, [None] * 44, {"k"})
    found = Found(intent_id, ["novel"] * 44, [None] * 44, [None] * 44, [None] * 44)
    n, m = recovery(truth, found, {"own": "own name"})
    assert (n.label, n.size, n.found_id, n.found_name) == ("n", 10, own, "own name")
    assert (n.recall, n.purity) == (0.4, 0.8)
    assert m == Recovery("m", False, 3, None, None, 0.0, 0.0)
    assert recovery(truth, found)[0].found_name == own


def test_a_novel_intent_that_matches_no_true_one_is_reported_with_its_most_frequent_label():
    truth = Truth(["n"] * 4 + ["k"] * 3 + [None] * 4, [None] * 11, {"k"}, np.arange(11))
    intent_id = ["good"] * 4 + ["copy"] * 3 + ["junk"] * 3 + ["copy"]
    found = Found(intent_id, ["novel"] * 11, [None] * 11, [None] * 11, [None] * 11)
    copy, junk = unmatched_intents(truth, found, {"copy": "k again"})
    assert copy == Unmatched("copy", "k again", 25, "k", True, 15 / 25)
    assert junk == Unmatched("junk", "junk", 24, None, False, 1.0)
    assert evaluate_discovery(truth, found)["novel_intents_precision"] == 1 / 3


def test_each_true_domain_is_compared_with_the_found_domain_that_fits_best():
    truth = Truth(["k", "k", "n", "m", None], ["A", "A", "A", "B", None], {"k"})
    found = Found(
        ["1", "1", "2", None, "2"],
        ["known", "known", "novel", "unassigned", "novel"],
        ["k"] * 5,
        [None] * 5,
        ["a", "a", "b", None, "b"],
    )
    a, b = domain_recovery(truth, found, {"a": "first"})
    assert (a.label, a.is_known, a.size, a.found_name) == ("A", True, 3, "first")
    assert (a.recall, a.purity, a.is_recovered) == (2 / 3, 1.0, True)
    assert (b.label, b.is_known, b.found_id, b.is_recovered) == ("B", False, None, False)


def test_a_known_intent_does_not_recover_a_novel_one():
    truth = Truth(["n"] * 4, [None] * 4, {"k"})
    found = Found(["k-1"] * 4, ["known"] * 4, ["k"] * 4, [0.0] * 4, [None] * 4)
    assert recovery(truth, found)[0].found_id is None
    assert evaluate_discovery(truth, found)["novel_in_novel"] == 0


def test_without_labels_measures_of_known_intents_are_left_out():
    truth, found = random_run()
    truth = Truth(truth.intent, truth.domain, frozenset(), truth.counts)
    measures = evaluate_discovery(truth, found)
    gone = {"open_accuracy", "f1_open", "f1_known", "auroc", "fpr95", "known_accuracy", "h_score"}
    assert not gone & measures.keys()
    assert measures["novel_accuracy"] == measures["accuracy"]


def test_a_log_without_intents_or_without_rows_has_few_measures():
    junk = Truth([None, None], [None, None], {"k"})
    found = Found(["1", None], ["novel", "unassigned"], ["k", "k"], [1.0, 2.0], [None, None])
    measures = evaluate_discovery(junk, found)
    assert measures["junk_in_novel"] == 0.5 and measures["intents_true"] == 0
    assert not {"nmi", "accuracy", "coverage", "h_score", "domain_nmi"} & measures.keys()
    assert evaluate_discovery(Truth([], [], set()), Found([], [], [], [], []))["rows"] == 0


def test_columns_of_different_lengths_raise_an_error():
    with pytest.raises(ValueError, match=r"truth.intent has 2 rows, but found.domain has 1"):
        evaluate_discovery(
            Truth(["a", "b"], [None, None], {"a"}),
            Found(["1", "2"], [True, True], ["a", "a"], [0.0, 0.0], [None]),
        )


def test_every_measure_of_a_run_has_a_meaning_in_one_sentence():
    names = evaluate_discovery(*random_run()).keys()
    assert names <= MEANINGS.keys()
    assert MEANINGS.keys() - names == {"distinct_texts"}
    for name, meaning in MEANINGS.items():
        assert len(meaning.split()) >= 2 and "{" not in meaning and not meaning.endswith("."), name


def test_true_labels_are_cleaned_as_the_labels_of_a_run_are(tmp_path):
    path = tmp_path / "truth.jsonl"
    row = {"text": "a card", "intent": " lost\u200b  \x1b[31mcard ", "domain": "bank\n"}
    path.write_text(json.dumps(row) + "\n")
    labels = _read_truth(str(path), Columns("text", "intent", "domain"), MaskingConfig())
    assert list(labels.values()) == [("lost [31mcard", "bank")]


def test_the_title_of_a_table_is_neither_markup_nor_control_characters(capsys):
    console().print(new_table("in [bold]x\x1b[31m", "a column that is wider than its title"))
    printed = capsys.readouterr().out
    assert "in [bold]x\\x1b[31m" in printed
    assert "\x1b" not in printed
