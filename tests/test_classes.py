import numpy as np
from synthetic import draw_intents

from advin.discovery.compute.classes import (
    class_centroids,
    class_means,
    nearest_centroids,
    sample_evenly,
)


def test_a_sample_is_even_over_classes():
    labels = np.repeat([0, 1, 2], [1, 10, 1000])
    rows = sample_evenly(labels, 40, np.random.default_rng(0))
    assert np.bincount(labels[rows]).tolist() == [1, 10, 29]
    assert len(sample_evenly(labels, 10_000, np.random.default_rng(0))) == 1011


def test_means_and_centroids_match_their_definitions_and_are_zero_without_rows():
    x, labels = draw_intents(4, 7)
    means, centroids = (f(x, labels, 5) for f in (class_means, class_centroids))
    for c in range(4):
        mean = x[labels == c].astype(np.float64).mean(axis=0)
        assert np.allclose(means[c], mean, atol=1e-12)
        assert np.allclose(centroids[c], mean / np.linalg.norm(mean), atol=1e-6)
    assert not means[4].any() and not centroids[4].any()


def test_the_nearest_centroid_has_the_smallest_angle_and_is_named_by_its_label():
    x, labels = draw_intents(4, 7)
    queries, names = x[::2] + 0.01, np.array([9, 3, 5, 1])[labels]
    found, distances = nearest_centroids(queries, x, names)
    cosine = queries @ class_centroids(x, labels, 4).T
    assert (found == np.array([9, 3, 5, 1])[cosine.argmax(axis=1)]).all()
    assert np.allclose(distances, 1 - cosine.max(axis=1), atol=1e-6)
