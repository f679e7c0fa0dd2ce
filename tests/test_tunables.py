"""Checks between the values of a section, and of grids."""

import numpy as np
import pytest

from advin.discovery.config import Config, ConfigError
from advin.discovery.novelty.known_space import train_known_space


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"lexical.min_character_ngram": 5}, "min_character_ngram is 5, but must be at most max_"),
        ({"domains.max_neighbors": 2}, "min_neighbors is 3, but must be at most max_neighbors, 2"),
        ({"distance.grid": "0.5,0.1,0.01"}, "first at most last"),
        ({"distance.grid": "0.1,0.5,0"}, "step at least 0.01"),
        ({"novelty.intent_folds": 1}, "novelty.intent_folds is 1, but must be 2 to 100"),
    ],
)
def test_values_that_contradict_each_other_are_refused(values, words):
    with pytest.raises(ConfigError, match=words):
        Config().with_values(values)


def test_values_are_checked_after_all_of_them_are_set():
    values = {"lexical.min_character_ngram": 5, "lexical.max_character_ngram": "6"}
    lexical = Config().with_values(values).lexical
    assert (lexical.min_character_ngram, lexical.max_character_ngram) == (5, 6)


def test_bounds_may_be_equal():
    values = {"lexical.min_character_ngram": 4, "distance.grid": "0.3,0.3,0.01"}
    assert Config().with_values(values).distance.grid == (0.3, 0.3, 0.01)


@pytest.mark.parametrize("steps", [3, 20, 21])
def test_the_known_space_can_be_trained_in_few_steps(steps):
    vectors = np.eye(8, dtype=np.float32)[np.arange(16) % 8]
    config = Config().with_values({"novelty.space.steps": steps}).novelty.space
    head = train_known_space(vectors, np.arange(16) % 2, config, seed=0)
    assert np.isfinite(head.transform(vectors)).all()
