"""Folds of stage I: known intents that are held out in turn stand for unknown intents."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from advin.discovery.compute.classes import sample_evenly
from advin.discovery.compute.parallel import run_parallel
from advin.discovery.config import NoveltyConfig
from advin.discovery.encoding.texts import EmbeddedTexts
from advin.discovery.novelty.scores import SCORE_NAMES, Scorers, Scores


@dataclass(frozen=True, slots=True)
class ScoredFold:
    """Scores of the rows that a fold holds out.

    Attributes:
        known: scores of rows of intents that the fold was fitted to.
        unknown: scores of rows of other intents, and of out-of-domain text.
        right: (n,) bool, whether the best known intent of each known row is its own.
    """

    known: Scores
    unknown: Scores
    right: np.ndarray


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What stage I is calibrated on.

    Attributes:
        scorers: fitted to all labeled rows.
        folds: in each, a part of the intents is unknown.
        known: scores of rows that were held out with all intents known.
        n_intents: number of known intents.
    """

    scorers: Scorers
    folds: tuple[ScoredFold, ...]
    known: Scores
    n_intents: int


def hold_out(
    labeled: EmbeddedTexts,
    labels: np.ndarray,
    n_intents: int,
    config: NoveltyConfig,
    ood: EmbeddedTexts | None = None,
    seed: int = 0,
) -> HeldOut:
    """Fit the scores to all rows and in every fold: the expensive part of stage I.

    Args:
        labeled: n labeled utterances.
        labels: (n,) int64 known intents, 0 … n_intents - 1, each at least once.
        n_intents: number of known intents.
        config: settings of stage I.
        ood: out-of-domain text, or None; ignored if it has fewer rows than parts.
        seed: seed of folds and training.

    Raises:
        ValueError: if an intent has no rows.
    """
    labels = np.asarray(labels, np.int64)
    _check_labels(labels, n_intents)
    if ood is not None and len(ood) < config.row_parts:
        ood = None
    parts = np.random.default_rng(seed).permutation(len(labels)) % config.row_parts
    # The same rows are held out once with some intents unknown, and once with all known.
    unknown = list(_intent_folds(labels, n_intents, parts, config, seed))
    folds = [*unknown, *_row_folds(labels, parts, config)]
    tasks: list[Callable[[], Any]] = [partial(Scorers.fit, labeled, labels, config, ood, seed)]
    tasks += [partial(_score_fold, labeled, labels, config, ood, fold, seed) for fold in folds]
    scorers, *scored = run_parallel(tasks)
    all_known = [fold.known for fold in scored[len(unknown) :]]
    known = {name: np.concatenate([scores[name] for scores in all_known]) for name in SCORE_NAMES}
    return HeldOut(scorers, tuple(scored[: len(unknown)]), known, n_intents)


def _check_labels(labels: np.ndarray, n_intents: int) -> None:
    counts = np.bincount(labels, minlength=n_intents)
    if len(counts) > n_intents or not counts.all():
        raise ValueError(
            f"labels cover {np.unique(labels).size} of {n_intents} intents, up to "
            f"{labels.max(initial=-1)}: give each intent at least one row, numbered from 0"
        )


@dataclass(frozen=True, slots=True)
class _Fold:
    """Numbers of the rows to fit to, and of held-out rows.

    Attributes:
        fit: rows to fit to.
        known: held-out rows of the same intents.
        unknown: rows of other intents.
        part: number of the part of out-of-domain text that is held out.
    """

    fit: np.ndarray
    known: np.ndarray
    unknown: np.ndarray
    part: int


def _intent_folds(
    labels: np.ndarray, n_intents: int, parts: np.ndarray, config: NoveltyConfig, seed: int
) -> Iterator[_Fold]:
    """Hold out each part of the intents in turn; of a single intent, only rows."""
    folds = min(config.intent_folds, n_intents)
    part_of_intent = np.random.default_rng(seed + 1).permutation(n_intents) % folds
    for fold in range(folds):
        unknown = part_of_intent[labels] == fold
        if n_intents == 1:
            unknown[:] = False
        yield _split(labels, parts == fold, unknown, fold)


def _row_folds(labels: np.ndarray, parts: np.ndarray, config: NoveltyConfig) -> Iterator[_Fold]:
    """Hold out rows of all intents; with few rows, each row once."""
    for fold in range(config.row_folds if len(labels) > config.few_rows else config.row_parts):
        yield _split(labels, parts == fold, np.zeros(len(labels), bool), fold)


def _split(labels: np.ndarray, held: np.ndarray, unknown: np.ndarray, part: int) -> _Fold:
    fit = ~unknown & ~held
    if not fit.any():
        fit = ~unknown
    known = ~unknown & held & np.isin(labels, labels[fit])
    return _Fold(np.flatnonzero(fit), np.flatnonzero(known), np.flatnonzero(unknown), part)


def _score_fold(
    labeled: EmbeddedTexts,
    labels: np.ndarray,
    config: NoveltyConfig,
    ood: EmbeddedTexts | None,
    fold: _Fold,
    seed: int,
) -> ScoredFold:
    """Fit the scores to the rows of a fold and score its held-out rows."""
    rng = np.random.default_rng(seed + 2 + fold.part)
    known, unknown = (
        rows[sample_evenly(labels[rows], config.max_held_out, rng)]
        for rows in (fold.known, fold.unknown)
    )
    held_out, fitted_ood = [labeled.take(known), labeled.take(unknown)], None
    if ood is not None:
        held = np.arange(len(ood)) % config.row_parts == fold.part
        held_out.append(ood.take(held))
        fitted_ood = ood.take(~held)
    present, compact = np.unique(labels[fold.fit], return_inverse=True)
    scorers = Scorers.fit(labeled.take(fold.fit), compact, config, fitted_ood, seed)
    scores, best = scorers.score(EmbeddedTexts.joined(held_out))
    n = len(known)
    return ScoredFold(
        known={name: values[:n] for name, values in scores.items()},
        unknown={name: values[n:] for name, values in scores.items()},
        right=present[best[:n]] == labels[known],
    )
