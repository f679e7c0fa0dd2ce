"""discovery/evaluation.py against loops over rows, searches over permutations, and sklearn."""

import json
import math
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from advin.discovery.evaluation import agreement
from advin.discovery.evaluation import measures as ev
from advin.discovery.evaluation.measures import Found, Truth, contingency, evaluate_discovery

LABELS = st.sampled_from([None, "a", "b", "c", "d"])
ROWS = st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=30)


def in_scope(rows):
    return [(t, f) for t, f in rows if t is not None]


def pairs_of(rows):
    return contingency(*zip(*rows, strict=True))


def check(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-12, equal_nan=True)


def accuracy_by_search(rows):
    """Try every one-to-one matching: the most utterances that can agree."""
    truths = sorted({t for t, _ in rows})
    founds = sorted({f for _, f in rows if f is not None})
    founds += [f"nothing {i}" for i in range(len(truths))]
    return max(
        sum(dict(zip(truths, chosen, strict=True))[t] == f for t, f in rows)
        for chosen in permutations(founds, len(truths))
    )


def f1(precision, recall):
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


# --- clustering measures -------------------------------------------------------------------------


@settings(deadline=None)
@given(ROWS)
def test_nmi_and_ari_are_those_of_sklearn_with_the_unassigned_as_one_cluster(rows):
    pairs, rows = pairs_of(rows), in_scope(rows)
    if not rows:
        assert math.isnan(ev.nmi(pairs)) and math.isnan(ev.ari(pairs))
        return
    truth = [t for t, _ in rows]
    found = [f or "unassigned" for _, f in rows]
    check(ev.nmi(pairs), metrics.normalized_mutual_info_score(truth, found))
    check(ev.ari(pairs), metrics.adjusted_rand_score(truth, found))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=14))
def test_hungarian_accuracy_is_the_best_of_all_matchings(rows):
    pairs, rows = pairs_of(rows), in_scope(rows)
    expected = accuracy_by_search(rows) / len(rows) if rows else np.nan
    check(ev.hungarian_accuracy(pairs), expected)


@settings(deadline=None)
@given(ROWS)
def test_b_cubed_is_the_mean_over_utterances(rows):
    pairs, rows = pairs_of(rows), in_scope(rows)
    if not rows:
        assert all(map(math.isnan, ev.b_cubed(pairs)))
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
    check(ev.b_cubed(pairs), (p, r, f1(p, r)))


@settings(deadline=None)
@given(ROWS)
def test_pairwise_f1_is_a_loop_over_all_pairs(rows):
    pairs, rows = pairs_of(rows), in_scope(rows)
    if not rows:
        assert all(map(math.isnan, ev.pairwise_f1(pairs)))
        return
    right = claimed = true = 0
    for (t, f), (u, g) in combinations(rows, 2):
        together, belong = f is not None and f == g, t == u
        right, claimed, true = right + (together and belong), claimed + together, true + belong
    p, r = (right / n if n else 0.0 for n in (claimed, true))
    expected = (p, r, f1(p, r)) if claimed or true else (1.0, 1.0, 1.0)
    check(ev.pairwise_f1(pairs), expected)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (["x", "x", "x"], (1, 1, 1)),  # one true intent, found as one
        (["x", "y", "z"], (0, 0, 1 / 3)),  # torn apart
        ([None, None, None], (1, 1, 0)),  # the unassigned are one cluster, but match nothing
    ],
)
def test_a_single_true_intent(found, expected):
    pairs = contingency(["a", "a", "a"], found)
    check((ev.nmi(pairs), ev.ari(pairs), ev.hungarian_accuracy(pairs)), expected)


def test_accuracy_does_not_need_as_many_found_as_true():
    many = contingency(["a"] * 4 + ["b"] * 2, ["1", "1", "2", "3", "4", "4"])
    few = contingency(["a", "a", "b", "c"], ["1", "1", "1", "1"])
    assert ev.hungarian_accuracy(many) == 4 / 6
    assert ev.hungarian_accuracy(few) == 2 / 4


def test_matching_is_global_and_not_greedy():
    # The largest pair is (a, 1); taking it first leaves b with nothing: 5 instead of 4 + 4.
    truth, found = ["a"] * 9 + ["b"] * 4, ["1"] * 5 + ["2"] * 4 + ["1"] * 4
    pairs = contingency(truth, found)
    assert agreement.matched(pairs).tolist() == [4, 4]
    assert ev.hungarian_accuracy(pairs) == 8 / 13


def test_known_and_novel_accuracy_share_one_matching():
    # b is known; alone it would match cluster 1, which a novel intent needs more.
    truth, found = ["a"] * 5 + ["b"] * 3, ["1"] * 5 + ["1", "1", "2"]
    known, novel, h_score = ev.known_novel_accuracy(contingency(truth, found), {"b"})
    check((known, novel, h_score), (1 / 3, 1.0, 0.5))


@pytest.mark.parametrize(("known", "gaps"), [(set(), (1, 0)), ({"a", "b"}, (0, 1))])
def test_without_known_or_novel_intents_there_is_no_harmonic_mean(known, gaps):
    pairs = contingency(["a", "b"], ["1", "2"])
    on_known, on_novel, h_score = ev.known_novel_accuracy(pairs, known)
    assert (math.isnan(on_known), math.isnan(on_novel)) == gaps and math.isnan(h_score)


def test_labels_can_be_integers_with_minus_one_for_none():
    rng = np.random.default_rng(0)
    truth, found = rng.integers(-1, 5, 200), rng.integers(-1, 6, 200)
    names = [[None if v < 0 else str(v) for v in labels] for labels in (truth, found)]
    for measure in (ev.nmi, ev.ari, ev.hungarian_accuracy, ev.b_cubed, ev.pairwise_f1):
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
def test_input_that_does_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        contingency(*arguments)


# --- open intent classification ------------------------------------------------------------------


@settings(deadline=None)
@given(ROWS)
def test_open_intent_scores_are_those_of_sklearn(rows):
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
def test_auroc_and_fpr_by_definition(rows):
    is_novel, scores = (np.array(column) for column in zip(*rows, strict=True))
    novel, known = scores[is_novel], scores[~is_novel]
    if len(novel) and len(known):
        above = np.mean([[(a > b) + (a == b) / 2 for b in known] for a in novel])
        cut = max(c for c in scores if np.mean(novel >= c) >= 0.95)
        expected = above, np.mean(known >= cut)
    else:
        expected = np.nan, np.nan
    check((ev.auroc(is_novel, scores), ev.fpr_at_recall(is_novel, scores, 0.95)), expected)


def test_scores_that_are_missing_give_no_auroc():
    assert math.isnan(ev.auroc(np.array([True, False]), np.array([1.0, np.nan])))
    with pytest.raises(ValueError, match="2 rows, but scores of shape"):
        ev.auroc(np.array([True, False]), np.array([1.0]))


# --- a whole run ---------------------------------------------------------------------------------


def random_run(n=400, seed=0):
    """A log in which known intents are k0 … k3, novel ones n0 … n2, and a tenth is out of scope."""
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
        is_novel=np.array([f is None or f[0] == "n" for f in found]),
        known_intent=[f if f and f[0] == "k" else "k0" for f in found],
        novelty_score=rng.normal(size=n) + [i is None or i[0] == "n" for i in intent],
        domain=[None if f is None else "D" + f[0] for f in found],
    )


def take(rows, *, truth, found):
    """Return the rows of a run, each standing for one utterance."""

    def column(values):
        return [values[i] for i in rows]

    return (
        Truth(column(truth.intent), column(truth.domain), truth.known),
        Found(*(column(getattr(found, name)) for name in Found.__dataclass_fields__)),
    )


def test_counts_are_repeated_rows():
    truth, found = random_run()
    rows = np.repeat(np.arange(len(truth.intent)), truth.counts)
    repeated = take(rows, truth=truth, found=found)
    counted = evaluate_discovery(truth, found)
    expected = evaluate_discovery(*repeated)
    assert counted.keys() == expected.keys()
    for name in counted:
        assert counted[name] == pytest.approx(expected[name], abs=1e-12), name
    assert ev.recovery(truth, found) == ev.recovery(*repeated)


def test_the_order_of_rows_and_the_names_of_clusters_do_not_matter():
    truth, found = random_run()
    order = np.random.default_rng(1).permutation(len(truth.intent))
    counts = truth.counts[order]
    moved_truth, moved = take(order, truth=truth, found=found)
    moved_truth = Truth(moved_truth.intent, moved_truth.domain, truth.known, counts)
    moved = Found(
        [i and f"other {i[::-1]}" for i in moved.intent_id],
        moved.is_novel,
        moved.known_intent,
        moved.novelty_score,
        moved.domain,
    )
    assert evaluate_discovery(moved_truth, moved) == pytest.approx(evaluate_discovery(truth, found))


def test_a_run_without_errors_and_fit_for_json():
    truth, _ = random_run()
    is_novel = np.array([i is None or i not in truth.known for i in truth.intent])
    perfect = Found(truth.intent, is_novel, truth.intent, is_novel * 1.0, truth.domain)
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


def test_unassigned_and_junk_rows_where_they_are_counted():
    truth = Truth(
        intent=["k", "k", "n", "n", "n", None, None, None],
        domain=["D", "D", None, None, None, None, None, None],
        known={"k"},
        counts=np.array([1, 1, 2, 1, 1, 3, 1, 1]),
    )
    found = Found(
        intent_id=["1", "2", "2", "2", None, "3", "1", None],
        is_novel=[False, True, True, True, True, True, False, True],
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
        "open_accuracy": 9 / 11,
        "domains_true": 1,
        "domain_accuracy": 1.0,
    }
    assert {name: measures[name] for name in expected} == pytest.approx(expected)
    assert not {"auroc", "fpr95", "domain_novel_accuracy"} & measures.keys()


def test_recovery_takes_the_cluster_that_fits_and_not_the_giant():
    # The giant holds more of n, but is full of other things; purity counts the out of scope.
    intent = ["n"] * 10 + ["m"] * 3 + [None] * 31
    giant, own = "giant", "own"
    intent_id = [giant] * 6 + [own] * 4 + [None] * 3 + [giant] * 30 + [own]
    truth = Truth(intent, [None] * 44, {"k"})
    found = Found(intent_id, [True] * 44, [None] * 44, [None] * 44, [None] * 44)
    n, m = ev.recovery(truth, found, {"own": "own name"})
    assert (n.intent, n.size, n.found_id, n.found_name) == ("n", 10, own, "own name")
    assert (n.recall, n.purity) == (0.4, 0.8)
    assert m == ev.Recovery("m", 3, None, None, 0.0, 0.0)
    assert ev.recovery(truth, found)[0].found_name == own


def test_a_known_intent_does_not_recover_a_novel_one():
    truth = Truth(["n"] * 4, [None] * 4, {"k"})
    found = Found(["k-1"] * 4, [False] * 4, ["k"] * 4, [0.0] * 4, [None] * 4)
    assert ev.recovery(truth, found)[0].found_id is None
    assert evaluate_discovery(truth, found)["novel_in_novel"] == 0


def test_without_labels_the_questions_about_known_intents_are_left_out():
    truth, found = random_run()
    truth = Truth(truth.intent, truth.domain, frozenset(), truth.counts)
    measures = evaluate_discovery(truth, found)
    gone = {"open_accuracy", "f1_open", "f1_known", "auroc", "fpr95", "known_accuracy", "h_score"}
    assert not gone & measures.keys()
    assert measures["novel_accuracy"] == measures["accuracy"]


def test_nothing_but_junk_and_no_rows():
    junk = Truth([None, None], [None, None], {"k"})
    found = Found(["1", None], [True, True], ["k", "k"], [1.0, 2.0], [None, None])
    measures = evaluate_discovery(junk, found)
    assert measures["junk_in_novel"] == 0.5 and measures["intents_true"] == 0
    assert not {"nmi", "accuracy", "coverage", "h_score", "domain_nmi"} & measures.keys()
    assert evaluate_discovery(Truth([], [], set()), Found([], [], [], [], []))["rows"] == 0


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"truth.intent has 2 rows, but found.domain has 1"):
        evaluate_discovery(
            Truth(["a", "b"], [None, None], {"a"}),
            Found(["1", "2"], [True, True], ["a", "a"], [0.0, 0.0], [None]),
        )


def test_many_rows_and_intents_cost_what_their_distinct_pairs_cost():
    # A dense table of these labels would take 3 GB.
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 20_000, 200_000)
    found = np.where(rng.random(200_000) < 0.2, rng.integers(0, 20_000, 200_000), truth)
    pairs = contingency(truth, found)
    assert 0.75 < ev.hungarian_accuracy(pairs) < 1 and 0.75 < ev.nmi(pairs) < 1
