"""Tests of domains: the constraint of linkage, the cut, and the learned distance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import adjusted_rand_score
from synthetic import draw_domains

from advin.discovery.config import DomainsConfig
from advin.discovery.domains.linking import (
    learn_domain_distance,
    link_domains,
    local_similarity,
)

CONFIG = DomainsConfig()


@settings(deadline=None, max_examples=30)
@given(st.integers(3, 30), st.integers(0, 999), st.sampled_from([0.6, 0.9, 1.1, 1.3]))
def test_without_known_domains_the_result_equals_scipy_average_linkage(k, seed, distance):
    x = np.random.default_rng(seed).normal(size=(k, 6))
    # scipy requires positive distances, so a constant is added.
    far = 10 + 1 - local_similarity(x, 5)
    np.fill_diagonal(far, 0)
    expected = fcluster(
        linkage(squareform(far, checks=False), "average"), 10 + distance, "distance"
    )
    found = link_domains(x, [None] * k, distance, CONFIG)
    assert adjusted_rand_score(expected, found) == 1


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 20), st.integers(0, 999), st.integers(1, 12))
def test_similarity_is_relative_to_both_neighborhoods(k, seed, neighbors):
    x = np.random.default_rng(seed).normal(size=(k, 5))
    centered = x - x.mean(axis=0)
    cosine = 1 - squareform(pdist(centered, "cosine"))
    density = []
    for row in range(k):
        others = sorted(np.delete(cosine[row], row), reverse=True)
        density.append(np.mean(others[:neighbors]))
    for a, b in zip(*np.triu_indices(k, 1), strict=True):
        expected = cosine[a, b] - (density[a] + density[b]) / 2
        assert local_similarity(x, neighbors)[a, b] == pytest.approx(expected, abs=1e-9)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 999), st.floats(0.1, 2.0))
def test_known_intents_keep_their_domains_at_any_distance(seed, distance):
    rng = np.random.default_rng(seed)
    known = [str(d) if d < 3 else None for d in rng.integers(0, 5, 20)]
    found = link_domains(rng.normal(size=(20, 6)), known, distance, CONFIG)
    assert all(f == k for f, k in zip(found, known, strict=True) if k is not None)


def test_novel_intents_join_a_known_domain_or_form_a_novel_one():
    x = draw_domains(4, 6, spread=0.3)
    truth = np.repeat(["a", "b", "c", "d"], 6)
    known = [None if i % 6 == 5 or d == "d" else str(d) for i, d in enumerate(truth)]
    found = link_domains(x, known, 1.2, CONFIG)
    assert [found[i] for i in (5, 11, 17)] == ["a", "b", "c"]
    assert len(set(found[18:])) == 1 and not isinstance(found[18], str)


def test_the_order_of_intents_has_no_effect():
    x = draw_domains(5, 5)
    order = np.random.default_rng(1).permutation(len(x))
    one, other = (
        link_domains(x, [None] * 25, 1.2, CONFIG),
        link_domains(x[order], [None] * 25, 1.2, CONFIG),
    )
    assert adjusted_rand_score([one[i] for i in order], other) == 1


def test_the_learned_distance_separates_unseen_domains():
    x, truth = draw_domains(8, 6, spread=0.6), [str(d) for d in np.repeat(range(8), 6)]
    learned = learn_domain_distance(x, truth, CONFIG)
    assert learned.learned
    fresh = draw_domains(6, 6, spread=0.6, seed=9)
    found = link_domains(fresh, [None] * 36, learned.value, CONFIG)
    assert adjusted_rand_score(np.repeat(range(6), 6), found) > 0.9
    assert learn_domain_distance(x, truth, CONFIG).value == learned.value


@pytest.mark.parametrize("domains", [[], ["a", "a", "b", "b"], [None] * 9, list("abcdef")])
def test_too_few_domains_give_the_default(domains):
    learned = learn_domain_distance(np.eye(len(domains), 12), domains, CONFIG)
    assert not learned.learned and learned.value == CONFIG.default


@pytest.mark.parametrize("k", [0, 1])
def test_a_single_intent_is_its_own_domain(k):
    assert link_domains(np.ones((k, 4)), [None] * k, 0.5, CONFIG) == list(range(k))


def test_too_many_intents_raise_an_error():
    with pytest.raises(ValueError, match="4 intents, but at most 3"):
        link_domains(np.eye(4), [None] * 4, 0.5, DomainsConfig(max_intents=3))
