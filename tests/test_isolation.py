"""discovery/isolation.py against brute force."""

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from discovery.isolation import MAX_REFERENCE, isolation, lifted, mirrored, reference_rows
from discovery.linkage import average_linkage


def drawn(n: int, dimension: int = 12, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(n, dimension))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("reference", [300, 12, 11, 5, 2])
def test_it_is_the_mean_distance_to_the_ten_nearest_but_one(reference):
    x, y = drawn(5_000), drawn(reference, seed=1)
    cosine = np.sort(x.astype(np.float64) @ y.T.astype(np.float64), axis=1)[:, ::-1]
    expected = 1 - cosine[:, 1:11].mean(axis=1)
    np.testing.assert_allclose(isolation(x, y), expected, atol=2.0**-11 + 1e-6)


def test_a_row_is_not_its_own_neighbour():
    x = np.eye(8, dtype=np.float32)
    assert (isolation(x, x) == 1).all()
    assert (isolation(np.repeat(x, 11, axis=0), np.repeat(x, 11, axis=0)) == 0).all()


@pytest.mark.parametrize("reference", [0, 1])
def test_without_any_other_row_nothing_is_isolated(reference):
    assert isolation(drawn(3), drawn(reference)).tolist() == [0, 0, 0]
    assert isolation(drawn(0), drawn(5)).shape == (0,)


def test_it_follows_neither_the_threads_nor_what_else_is_asked():
    x, y = drawn(2_000, 384), drawn(1_000, 384, seed=1)
    whole, threads = isolation(x, y), faiss.omp_get_max_threads()
    try:
        faiss.omp_set_num_threads(1)
        np.testing.assert_array_equal(isolation(x, y), whole)
    finally:
        faiss.omp_set_num_threads(threads)
    np.testing.assert_array_equal(isolation(x[7:1_001], y), whole[7:1_001])


def test_sums_are_exact():
    values = isolation(drawn(500), drawn(300, seed=1))
    assert (values * 1024 == np.round(values * 1024)).all()


@given(st.integers(1, 40), st.integers(0, 1000))
def test_inner_products_of_lifted_rows_are_scaled_similarities(n, seed):
    x, levels = drawn(n, seed=seed), np.random.default_rng(seed).random(n)
    rows = lifted(x, levels)
    expected = x @ x.T + (levels[:, None] + levels) / 2
    np.testing.assert_allclose(mirrored(rows) @ rows.T, expected, atol=1e-6)


def test_the_reference_holds_every_intent_and_most_of_it_is_the_log():
    labels = np.repeat([0, 1, 2], [9_000, 8_000, 30])
    rows, log = reference_rows(labels)
    assert len(rows) + log == MAX_REFERENCE and len(rows) < log
    counts = np.bincount(labels[rows])
    assert counts[2] == 30 and abs(counts[0] - counts[1]) <= 1
    rows, log = reference_rows(labels[:0])
    assert len(rows) == 0 and log == MAX_REFERENCE


def test_dense_and_loose_intents_separate_at_one_distance():
    rng = np.random.default_rng(0)
    loose, dense = rng.normal(size=(6, 128)), rng.normal(size=(6, 128))
    # Every dense intent has another beside it, nearer than what a loose one holds.
    centres = np.concatenate([loose, dense, dense + 0.5 * rng.normal(size=(6, 128))])
    truth = np.repeat(np.arange(18), 40)
    spread = np.where(truth < 6, 0.6, 0.05)[:, None]
    x = centres[truth] + spread * rng.normal(size=(len(truth), 128))
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)

    def best(levels) -> float:
        tree = average_linkage(x, np.ones(len(x)), -2, levels)
        cuts = [tree.cut(1 - cut) for cut in np.arange(0, 0.6, 0.01)]
        return max(adjusted_rand_score(truth, cut) for cut in cuts)

    assert best(None) < 0.9
    assert best(isolation(x, x)) > 0.97
