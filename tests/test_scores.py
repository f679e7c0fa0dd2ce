from dataclasses import fields

import numpy as np
import pytest
from synthetic import draw_intents, wordless

from advin.discovery.config import NoveltyConfig, ScoreWeights
from advin.discovery.novelty.mahalanobis import ClassMoments, RelativeMahalanobis
from advin.discovery.novelty.scores import SCORE_NAMES, Scorers

CONFIG = NoveltyConfig()


def test_sums_of_parts_are_exact_in_any_order():
    x, labels = draw_intents(5, 40)
    whole = ClassMoments.of(x, labels, 5)
    parts = [ClassMoments.of(x[i::7], labels[i::7], 5) for i in range(7)]
    forth, back = parts[0], parts[-1]
    for part in parts[1:]:
        forth = forth + part
    for part in parts[-2::-1]:
        back = part + back
    for name in ("counts", "sums", "second"):
        assert np.array_equal(getattr(whole, name), getattr(forth, name))
        assert np.array_equal(getattr(whole, name), getattr(back, name))


def test_relative_mahalanobis_matches_its_definition():
    x, labels = draw_intents(4, 50, dimension=6)
    found = RelativeMahalanobis.fit(ClassMoments.of(x, labels, 4), 1e-9).distances(x[:9])
    x = x.astype(np.float64)
    means = np.stack([x[labels == c].mean(axis=0) for c in range(4)])
    within = np.linalg.inv(np.cov((x - means[labels]).T, bias=True) * len(x) / (len(x) - 4))
    overall = np.linalg.inv(np.cov(x.T, bias=True))
    for row, distances in zip(x[:9], found, strict=True):
        out = (row - x.mean(axis=0)) @ overall @ (row - x.mean(axis=0))
        for mean, distance in zip(means, distances, strict=True):
            # Second moments are rounded to 2^-12.
            assert distance == pytest.approx(
                (row - mean) @ within @ (row - mean) - out, rel=0.02, abs=0.1
            )


def distance_ratio(x, labels, row):
    """Distance to the nearest class over that to the second, by definition."""
    distances = 1 - x.astype(np.float64) @ row.astype(np.float64)
    first, second = sorted(distances[labels == c].min() for c in np.unique(labels))[:2]
    return max(first, 1e-3) / max(second, 1e-3)


def test_the_distance_ratio_matches_its_definition():
    x, labels = draw_intents(5, 12)
    held = draw_intents(5, 40)[0]
    ratio = Scorers.fit(wordless(x), labels, CONFIG).score(wordless(held))[0]["ratio"]
    assert ratio == pytest.approx([distance_ratio(x, labels, row) for row in held], rel=1e-3)
    between = (x[labels == 0][:1] + x[labels == 1][:1]).astype(np.float32)
    between /= np.linalg.norm(between, axis=1, keepdims=True)
    among = Scorers.fit(wordless(x[labels < 2]), labels[labels < 2], CONFIG)
    assert among.score(wordless(between))[0]["ratio"][0] > 0.7


def test_the_distance_ratio_is_an_upper_bound_if_no_rival_is_among_the_neighbors():
    # An intent has more utterances than neighbors are searched.
    x, labels = draw_intents(3, 150, spread=0.3)
    found = Scorers.fit(wordless(x), labels, CONFIG).score(wordless(x))[0]["ratio"]
    true = np.array([distance_ratio(x, labels, row) for row in x])
    assert (found >= true - 1e-3).all() and (found > 1.5 * true).any()
    assert (found <= 1).all()


def test_every_score_has_weights_in_the_configuration():
    assert tuple(field.name for field in fields(ScoreWeights)) == SCORE_NAMES
