"""Tests of clustering by HDBSCAN at the learned distance."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from synthetic import dense_groups

from advin.discovery.clustering.density import density_clusters


def test_dense_groups_become_clusters():
    x, truth = dense_groups(40, 0.05)
    assert adjusted_rand_score(truth, density_clusters(x, 0.1, 5, 1000)) == 1


def test_the_learned_distance_keeps_groups_together():
    x, truth = dense_groups(60, 0.12, seed=3)
    whole = density_clusters(x, 0.2, 5, 1000)
    assert adjusted_rand_score(truth, whole) > 0.95
    assert len(set(density_clusters(x, 1.9, 5, 1000))) <= len(set(whole))


def test_noise_points_stay_alone_and_labels_are_smallest_rows():
    x, _ = dense_groups(40, 0.03, noise=10)
    labels = density_clusters(x, 0.05, 5, 1000)
    assert sum(np.count_nonzero(labels == labels[i]) == 1 for i in range(160, 170)) >= 5
    assert all(labels[label] == label and label <= i for i, label in enumerate(labels))


@pytest.mark.parametrize("n", [0, 1, 2])
def test_fewer_points_than_a_cluster_stay_alone(n):
    assert density_clusters(np.eye(12)[:n], 0.3, 5, 1000).tolist() == list(range(n))


def test_too_many_points_raise_an_error():
    with pytest.raises(ValueError, match="11 points, but HDBSCAN takes at most 10"):
        density_clusters(dense_groups(3, 0.1)[0][:11], 0.3, 5, max_points=10)
