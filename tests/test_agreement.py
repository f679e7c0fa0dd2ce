"""Tests of measures of agreement, against loops over rows, searches and scikit-learn."""

import math
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from advin.discovery.evaluation import agreement
from advin.discovery.evaluation.agreement import contingency

LABELS = st.sampled_from([None, "a", "b", "c", "d"])
ROWS = st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=30)


def in_scope(rows):
    return [(t, f) for t, f in rows if t is not None]


def pairs_of(rows):
    return contingency(*zip(*rows, strict=True))


def check(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-12, equal_nan=True)


def accuracy_by_search(rows):
    """Return the most utterances that agree in any one-to-one matching."""
    truths = sorted({t for t, _ in rows})
    founds = sorted({f for _, f in rows if f is not None})
    founds += [f"nothing {i}" for i in range(len(truths))]
    return max(
        sum(dict(zip(truths, chosen, strict=True))[t] == f for t, f in rows)
        for chosen in permutations(founds, len(truths))
    )


def f1(precision, recall):
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@settings(deadline=None)
@given(ROWS)
def test_nmi_and_ari_equal_sklearn_with_unassigned_rows_as_one_cluster(rows):
    pairs, rows = pairs_of(rows), in_scope(rows)
    if not rows:
        assert math.isnan(agreement.nmi(pairs)) and math.isnan(agreement.ari(pairs))
        return
    truth = [t for t, _ in rows]
    found = [f or "unassigned" for _, f in rows]
    check(agreement.nmi(pairs), metrics.normalized_mutual_info_score(truth, found))
    check(agreement.ari(pairs), metrics.adjusted_rand_score(truth, found))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=14))
def test_hungarian_accuracy_equals_the_best_of_all_matchings(rows):
    pairs, rows = pairs_of(rows), in_scope(rows)
    expected = accuracy_by_search(rows) / len(rows) if rows else np.nan
    check(agreement.hungarian_accuracy(pairs), expected)


@settings(deadline=None)
@given(ROWS)
def test_b_cubed_equals_a_loop_over_utterances(rows):
    pairs, rows = pairs_of(rows), in_scope(rows)
    if not rows:
        assert all(map(math.isnan, agreement.b_cubed(pairs)))
        return
    precision, recall = [], []
    for truth, found in rows:
        if found is None:
            recall.append(0.0)
            continue
        both = sum(row == (truth, found) for row in rows)
        precision.append(both / sum(f == found for _, f in rows))
        recall.append(both / sum(t == truth for t, _ in rows))
    p, r = np.mean(precision) if precision else 0.0, np.mean(recall)
    check(agreement.b_cubed(pairs), (p, r, f1(p, r)))


@settings(deadline=None)
@given(ROWS)
def test_pairwise_f1_equals_a_loop_over_pairs(rows):
    pairs, rows = pairs_of(rows), in_scope(rows)
    if not rows:
        assert all(map(math.isnan, agreement.pairwise_f1(pairs)))
        return
    right = claimed = true = 0
    for (t, f), (u, g) in combinations(rows, 2):
        together, belong = f is not None and f == g, t == u
        right, claimed, true = right + (together and belong), claimed + together, true + belong
    p, r = (right / n if n else 0.0 for n in (claimed, true))
    expected = (p, r, f1(p, r)) if claimed or true else (1.0, 1.0, 1.0)
    check(agreement.pairwise_f1(pairs), expected)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (["x", "x", "x"], (1, 1, 1)),  # one true intent, found as one
        (["x", "y", "z"], (0, 0, 1 / 3)),  # split into three
        ([None, None, None], (1, 1, 0)),  # unassigned rows are one cluster, but match nothing
    ],
)
def test_measures_of_a_single_true_intent(found, expected):
    pairs = contingency(["a", "a", "a"], found)
    check(
        (agreement.nmi(pairs), agreement.ari(pairs), agreement.hungarian_accuracy(pairs)), expected
    )


def test_accuracy_allows_more_or_fewer_found_than_true_intents():
    many = contingency(["a"] * 4 + ["b"] * 2, ["1", "1", "2", "3", "4", "4"])
    few = contingency(["a", "a", "b", "c"], ["1", "1", "1", "1"])
    assert agreement.hungarian_accuracy(many) == 4 / 6
    assert agreement.hungarian_accuracy(few) == 2 / 4


def test_matching_is_not_greedy():
    # The largest pair is (a, 1); a greedy matching takes it and gets 5 instead of 4 + 4.
    truth, found = ["a"] * 9 + ["b"] * 4, ["1"] * 5 + ["2"] * 4 + ["1"] * 4
    pairs = contingency(truth, found)
    assert agreement.matched(pairs).tolist() == [4, 4]
    assert agreement.hungarian_accuracy(pairs) == 8 / 13


def test_known_and_novel_accuracy_share_one_matching():
    # The known intent b alone would match cluster 1, but the novel intent a fits it better.
    truth, found = ["a"] * 5 + ["b"] * 3, ["1"] * 5 + ["1", "1", "2"]
    known, novel, h_score = agreement.known_novel_accuracy(contingency(truth, found), {"b"})
    check((known, novel, h_score), (1 / 3, 1.0, 0.5))


@pytest.mark.parametrize(("known", "gaps"), [(set(), (1, 0)), ({"a", "b"}, (0, 1))])
def test_without_known_or_novel_intents_the_h_score_is_nan(known, gaps):
    pairs = contingency(["a", "b"], ["1", "2"])
    on_known, on_novel, h_score = agreement.known_novel_accuracy(pairs, known)
    assert (math.isnan(on_known), math.isnan(on_novel)) == gaps and math.isnan(h_score)


def test_integer_labels_use_minus_one_for_none():
    rng = np.random.default_rng(0)
    truth, found = rng.integers(-1, 5, 200), rng.integers(-1, 6, 200)
    names = [[None if v < 0 else str(v) for v in labels] for labels in (truth, found)]
    for measure in (
        agreement.nmi,
        agreement.ari,
        agreement.hungarian_accuracy,
        agreement.b_cubed,
        agreement.pairwise_f1,
    ):
        assert measure(contingency(truth, found)) == measure(contingency(*names))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["a"], []), "1 true labels, but 0 found"),
        ((["a"], ["b"], [1, 2]), "1 rows, but counts of shape"),
        ((["a"], ["b"], [-1]), "a count is -1"),
        ((["a"], ["b"], [0.5]), "a count is 0.5"),
        ((["a"], ["b"], [np.nan]), "a count is nan"),
    ],
)
def test_invalid_input_raises_an_error(arguments, message):
    with pytest.raises(ValueError, match=message):
        contingency(*arguments)


def test_many_rows_and_intents_fit_into_memory():
    # A dense table of these labels would take 3 GB.
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 20_000, 200_000)
    found = np.where(rng.random(200_000) < 0.2, rng.integers(0, 20_000, 200_000), truth)
    pairs = contingency(truth, found)
    assert 0.75 < agreement.hungarian_accuracy(pairs) < 1 and 0.75 < agreement.nmi(pairs) < 1
