"""Tests of average linkage, against scipy and for invariance."""

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster
from scipy.cluster.hierarchy import linkage as scipy_linkage
from sklearn.metrics import adjusted_rand_score
from synthetic import draw_mixture

from advin.discovery.clustering.linkage import average_linkage

CUTS = (0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0, 1.3)


def scipy_labels(x: np.ndarray, cut: float) -> np.ndarray:
    tree = scipy_linkage(x, "average", metric="cosine")
    return fcluster(tree, cut, "distance")


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 80), st.integers(2, 12), st.integers(0, 10_000))
def test_the_tree_equals_scipy_average_linkage(n, dimension, seed):
    x = draw_mixture(n, dimension, seed=seed)
    tree = average_linkage(x, np.ones(n), floor=-2)
    assert len(tree.children) == n - 1
    np.testing.assert_allclose(
        1 - tree.similarities, scipy_linkage(x, "average", metric="cosine")[:, 2], atol=1e-9
    )
    for cut in CUTS:
        assert adjusted_rand_score(tree.cut(1 - cut), scipy_labels(x, cut)) == 1


def test_new_searches_when_lists_run_out_give_the_same_tree():
    # Many more points than a list holds, so that lists run out.
    x = draw_mixture(1500, dimension=24, intents=3)
    tree = average_linkage(x, np.ones(len(x)), floor=-2)
    for cut in CUTS:
        assert adjusted_rand_score(tree.cut(1 - cut), scipy_labels(x, cut)) == 1


def test_weights_equal_repeated_rows():
    x, rng = draw_mixture(60), np.random.default_rng(1)
    weights = rng.integers(1, 6, len(x))
    rows = np.repeat(np.arange(len(x)), weights)
    tree = average_linkage(x * weights[:, None], weights, floor=-2)
    for cut in CUTS:
        assert adjusted_rand_score(tree.cut(1 - cut)[rows], scipy_labels(x[rows], cut)) == 1


def test_leaves_can_be_clusters():
    x = draw_mixture(500, dimension=16)
    whole = average_linkage(x, np.ones(len(x)), floor=-2)
    first, cluster = np.unique(whole.cut(0.7), return_inverse=True)
    sums, weights = np.zeros((len(first), 16)), np.bincount(cluster)
    np.add.at(sums, cluster, x)
    rest = average_linkage(sums, weights, floor=-2)
    for similarity in (0.6, 0.4, 0.2, 0.0):
        assert adjusted_rand_score(rest.cut(similarity)[cluster], whole.cut(similarity)) == 1


def test_equal_means_merge_only_if_they_are_nearest_neighbors():
    # Two loose clusters with the same mean, and a tight one that is nearer to both.
    sums = np.array([[1.2, 0.0], [1.2, 0.0], [2.0, 0.0]])
    tree = average_linkage(sums, np.full(3, 2), floor=-2)
    np.testing.assert_allclose(tree.similarities, [0.6, 0.6 * 0.8])
    assert tree.children.tolist() == [[0, 2], [1, 3]]


def test_float16_and_float64_inputs_give_the_same_tree():
    x = draw_mixture(300, dimension=16).astype(np.float16)
    one = average_linkage(x, np.ones(300), floor=0)
    other = average_linkage(x.astype(np.float64), np.ones(300), floor=0)
    assert one.children.tobytes() == other.children.tobytes()
    assert one.similarities.tobytes() == other.similarities.tobytes()


def test_the_order_of_rows_has_no_effect():
    x = draw_mixture(400)
    order = np.random.default_rng(2).permutation(len(x))
    one = average_linkage(x, np.ones(len(x)), floor=0).cut(0.4)
    other = average_linkage(x[order], np.ones(len(x)), floor=0).cut(0.4)
    assert adjusted_rand_score(one[order], other) == 1


def test_the_number_of_threads_has_no_effect():
    x = draw_mixture(3000, dimension=32, intents=40).astype(np.float32)
    trees = []
    for threads in (1, 2):
        faiss.omp_set_num_threads(threads)
        trees.append(average_linkage(x, np.ones(len(x)), floor=0.1))
    assert trees[0].children.tobytes() == trees[1].children.tobytes()
    assert trees[0].similarities.tobytes() == trees[1].similarities.tobytes()


@pytest.mark.parametrize("floor", [0.9, 0.5, 0.0])
def test_merges_stop_at_the_floor(floor):
    x = draw_mixture(300)
    whole = average_linkage(x, np.ones(len(x)), floor=-2)
    part = average_linkage(x, np.ones(len(x)), floor=floor)
    assert len(part.similarities) == np.count_nonzero(whole.similarities >= floor)
    assert (part.similarities >= floor).all()
    np.testing.assert_array_equal(part.cut(floor), whole.cut(floor))
    assert whole.number_of_clusters(floor) == len(np.unique(whole.cut(floor)))


def test_similarities_never_rise():
    similarities = average_linkage(draw_mixture(800), np.ones(800), floor=-2).similarities
    assert (np.diff(similarities) <= 0).all()


def test_equal_rows_merge_first_and_ties_break_by_the_smaller_leaf():
    x = np.eye(3)[[0, 1, 0, 1, 2, 0]]
    tree = average_linkage(x, np.ones(6), floor=0.5)
    assert tree.cut(1.0).tolist() == [0, 1, 0, 1, 4, 0]


def test_more_equal_rows_than_a_list_holds_merge():
    x = np.tile(draw_mixture(1), (200, 1))
    tree = average_linkage(x, np.ones(200), floor=0.5)
    assert tree.cut(0.99).tolist() == [0] * 200


def test_rows_that_float32_cannot_separate_give_the_exact_tree():
    rng = np.random.default_rng(3)
    x = draw_mixture(1, dimension=32) + 1e-5 * rng.normal(size=(120, 32))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    tree = average_linkage(x, np.ones(120), floor=-2)
    expected = scipy_linkage(x, "average", metric="cosine")[:, 2]
    np.testing.assert_allclose(1 - tree.similarities, expected, atol=1e-14)
    last_but_one = tree.similarities[-1] + 1e-14
    assert adjusted_rand_score(tree.cut(last_but_one), scipy_labels(x, 1 - last_but_one)) == 1


@pytest.mark.parametrize(("floor", "clusters"), [(-1, 1), (0.1, 50)])
def test_zero_vectors_merge_only_below_zero(floor, clusters):
    tree = average_linkage(np.zeros((50, 4)), np.ones(50), floor=floor)
    assert tree.number_of_clusters(floor) == clusters


def test_equal_distances_give_a_complete_tree():
    x = np.concatenate([np.eye(40), -np.eye(40)])
    tree = average_linkage(x, np.ones(80), floor=-2)
    assert len(tree.children) == 79
    assert sorted(tree.children.ravel()) == list(range(158))


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_rows_do_not_merge_above_the_floor(n):
    tree = average_linkage(draw_mixture(n), np.ones(n), floor=1.5)
    assert tree.cut(1.5).tolist() == list(range(n)) and len(tree.children) == 0


@pytest.mark.parametrize("weights", [np.ones(3), np.zeros(4), -np.ones(4)])
def test_invalid_weights_raise_an_error(weights):
    with pytest.raises(ValueError, match="one positive weight"):
        average_linkage(draw_mixture(4), weights, floor=0)
