"""Checks of the arrays of stage I that were read from the file of a model."""

import numpy as np

from advin.discovery.compute.arrays import ArrayError, below, check_length, check_range
from advin.discovery.config import NoveltyConfig
from advin.discovery.novelty.scores import SCORE_NAMES


def check_novelty(
    arrays: dict[str, np.ndarray], config: NoveltyConfig, dimension: int, intents: int
) -> None:
    """Check numbers of stage I that are used as positions, counts or divisors.

    Args:
        arrays: all arrays of a model, with the right types and sizes.
        config: settings of stage I.
        dimension: length of a vector of the encoder.
        intents: number of known intents.

    Raises:
        ArrayError: if a number is out of range.
    """
    prefix = "novelty.scorers."
    scorers = below(prefix, arrays)
    weight = config.character_weight
    for name, low, high in (
        ("exemplar_classes", 0, intents - 1),
        ("neighbors", 1, config.neighbors),
        ("rivals", 1, config.rivals),
        ("character_weight", weight, weight),
    ):
        check_range(f"{prefix}{name}", scorers[name], low, high)
    check_length(f"{prefix}space.bias_out", scorers["space.bias_out"], dimension)
    _check_characters(f"{prefix}characters.", arrays, config, intents - 1)
    for name in SCORE_NAMES:
        if arrays[f"novelty.scales.{name}"][1] <= 0:
            raise ArrayError(f"novelty.scales.{name} holds a spread that is not above 0")


def _check_characters(
    prefix: str, arrays: dict[str, np.ndarray], config: NoveltyConfig, last: int
) -> None:
    """Check that the arrays of n-grams form a sparse matrix that fits the configuration."""
    found = below(prefix, arrays)
    ends, weights = found["ends"], len(found["values"])
    if len(found["rarity"]) != config.character_buckets:
        raise ArrayError(
            f"{prefix}rarity has {len(found['rarity'])} numbers, but must have "
            f"{config.character_buckets}"
        )
    largest = 2 + np.log1p(len(ends))
    check_range(f"{prefix}rarity", found["rarity"], 0, largest)
    check_range(f"{prefix}values", found["values"], 0, largest)
    check_range(f"{prefix}buckets", found["buckets"], 0, config.character_buckets - 1)
    check_range(f"{prefix}classes", found["classes"], 0, last)
    check_range(f"{prefix}ends", ends, 0, weights)
    for name in ("ends", "classes"):
        if (np.diff(found[name]) < 0).any():
            raise ArrayError(f"{prefix}{name} is not sorted")
    if ends[-1:].tolist() != [weights]:
        raise ArrayError(f"{prefix}ends holds {ends[-1:].tolist()} at the end, not [{weights}]")
    lengths = [config.min_ngram, config.max_ngram]
    if found["lengths"].tolist() != lengths:
        raise ArrayError(f"{prefix}lengths holds {found['lengths'].tolist()}, not {lengths}")
