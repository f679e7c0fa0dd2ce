"""Stage I: how unlike all known intents an utterance is, and which known intent fits best.

Three scores, all higher for stranger text: the relative Mahalanobis distance, the distance to the
nearest labelled utterance, and, where out-of-domain text was given, the odds of the open class.
Known intents that are held out in turn stand for the unknown: they decide how the scores are
weighed, and where the threshold lies.
"""

from dataclasses import dataclass
from itertools import product
from typing import Self

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from discovery.mahalanobis import ClassMoments, RelativeMahalanobis
from discovery.open_classifier import OpenClassifier

# What the held-out intents choose from.
_SHRINKAGES = (0.003, 0.03, 0.3)
_NEIGHBOUR_WEIGHTS = (0.0, 0.5, 1.0)
_OPEN_WEIGHTS = (0.0, 0.5, 1.0)

# Of the known intents, this share is held out as unknown in each fold, and of the utterances of
# the others this share as known.
_FOLDS = 3
_HELD_ROWS = 5
_CHUNK = 8192


@dataclass(frozen=True, slots=True)
class NoveltyScores:
    """What stage I says of n utterances.

    Attributes:
        score: (n,) float32, above 0 flagged as novel; 1 is the spread of known utterances.
        best_class: (n,) int64 index of the best known intent.
        probability: (n,) float32, 0 to 1: that the utterance belongs to it.
    """

    score: np.ndarray
    best_class: np.ndarray
    probability: np.ndarray


@dataclass(frozen=True, slots=True)
class NoveltyModel:
    """The fitted stage I.

    Attributes:
        mahalanobis: distances to classes.
        exemplars: (m, d) float16 labelled vectors.
        opened: the open classifier, or None without out-of-domain text.
        weights: (3,) of the three scores.
        scales: (2, 3) mean and spread of each score over known utterances that were held out.
        threshold: on the weighted sum of the scaled scores.
        calibration: (2,) slope and intercept of the log-odds of a known intent in the score.
    """

    mahalanobis: RelativeMahalanobis
    exemplars: np.ndarray
    opened: OpenClassifier | None
    weights: np.ndarray
    scales: np.ndarray
    threshold: float
    calibration: np.ndarray

    def score(self, vectors: np.ndarray) -> NoveltyScores:
        """Score vectors (n, d)."""
        raw, best = _raw_scores(vectors, self.mahalanobis, self.exemplars, self.opened)
        score = ((raw - self.scales[0]) / self.scales[1]) @ self.weights - self.threshold
        slope, intercept = self.calibration
        probability = 1 / (1 + np.exp(-np.clip(slope * score + intercept, -30, 30)))
        return NoveltyScores(score.astype(np.float32), best, probability.astype(np.float32))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the state as named arrays."""
        arrays = {f"mahalanobis.{k}": v for k, v in self.mahalanobis.to_arrays().items()}
        if self.opened is not None:
            arrays |= {f"opened.{k}": v for k, v in self.opened.to_arrays().items()}
        return arrays | {
            "exemplars": self.exemplars,
            "weights": self.weights,
            "scales": self.scales,
            "threshold": np.array([self.threshold]),
            "calibration": self.calibration,
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Self:
        """Restore what `to_arrays` returned."""

        def below(prefix: str) -> dict[str, np.ndarray]:
            return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}

        opened = below("opened.")
        return cls(
            mahalanobis=RelativeMahalanobis.from_arrays(below("mahalanobis.")),
            exemplars=arrays["exemplars"],
            opened=OpenClassifier.from_arrays(opened) if opened else None,
            weights=arrays["weights"],
            scales=arrays["scales"],
            threshold=float(arrays["threshold"][0]),
            calibration=arrays["calibration"],
        )


def fit_novelty(
    vectors: np.ndarray,
    labels: np.ndarray,
    classes: int,
    ood_vectors: np.ndarray | None = None,
    seed: int = 0,
) -> NoveltyModel:
    """Fit stage I to labelled vectors.

    Args:
        vectors: (n, d) unit vectors of labelled utterances.
        labels: (n,) int64, 0 … classes - 1, each at least once.
        classes: number of known intents.
        ood_vectors: (o, d) vectors of texts that belong to no intent, if there are any.
        seed: of the folds.
    """
    ood = None if ood_vectors is None or len(ood_vectors) < _HELD_ROWS else ood_vectors
    folds = _folds(labels, classes, 0 if ood is None else len(ood), seed)
    held = [_score_fold(vectors, labels, ood, fold) for fold in folds]
    shrinkage, weights = _choose(held, ood is not None)
    # The scale is that of the final model: of known utterances under all intents, each held out.
    scaling = [_score_fold(vectors, labels, ood, f) for f in _row_folds(labels, ood, seed)]
    scales = _scales(np.concatenate([s.known[shrinkage] for s in scaling]))
    threshold, calibration = _threshold(held, shrinkage, weights)
    moments = ClassMoments.of(vectors, labels, classes)
    return NoveltyModel(
        mahalanobis=RelativeMahalanobis.fit(moments, shrinkage),
        exemplars=vectors.astype(np.float16),
        opened=None if ood is None else OpenClassifier.fit(vectors, labels, ood),
        weights=weights,
        scales=scales,
        threshold=threshold,
        calibration=calibration,
    )


def _raw_scores(
    vectors: np.ndarray,
    mahalanobis: RelativeMahalanobis,
    exemplars: np.ndarray,
    opened: OpenClassifier | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return (n, 3) scores and (n,) best classes."""
    distances = mahalanobis.distances(vectors)
    known = exemplars.astype(np.float32)
    nearest = [
        (vectors[i : i + _CHUNK].astype(np.float32) @ known.T).max(axis=1)
        for i in range(0, len(vectors), _CHUNK)
    ]
    odds = np.zeros(len(vectors)) if opened is None else opened.log_odds(vectors)
    return (
        np.stack([distances.min(axis=1), 1 - np.concatenate([*nearest, []]), odds], axis=1),
        distances.argmin(axis=1),
    )


@dataclass(frozen=True, slots=True)
class _Fold:
    """Rows to fit on, known rows and unknown rows held out; the same for out-of-domain rows."""

    fit: np.ndarray
    known: np.ndarray
    unknown: np.ndarray
    ood_fit: np.ndarray
    ood_held: np.ndarray


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """Scores (n, 3) of one fold's held-out rows, by shrinkage, and whether known ones hit home."""

    known: dict[float, np.ndarray]
    unknown: dict[float, np.ndarray]
    right: dict[float, np.ndarray]


def _folds(labels: np.ndarray, classes: int, ood: int, seed: int) -> list[_Fold]:
    """Hold out each third of the intents in turn; with too few intents, only rows."""
    rng = np.random.default_rng(seed)
    part_of_class = rng.permutation(classes) % _FOLDS
    part_of_row = rng.permutation(len(labels)) % _HELD_ROWS
    part_of_ood = rng.permutation(ood) % _HELD_ROWS
    folds = []
    for fold in range(_FOLDS):
        unknown = part_of_class[labels] == fold
        if classes < _FOLDS:
            unknown[:] = False
        known = ~unknown & (part_of_row == fold)
        known &= np.isin(labels, labels[~unknown & ~known])
        held = part_of_ood == fold
        folds.append(
            _Fold(*map(np.flatnonzero, (~unknown & ~known, known, unknown, ~held, held)))
        )
    return folds


def _row_folds(labels: np.ndarray, ood: np.ndarray | None, seed: int) -> list[_Fold]:
    """Hold out rows only: each fifth in turn."""
    part = np.random.default_rng(seed + 1).permutation(len(labels)) % _HELD_ROWS
    every = np.arange(0 if ood is None else len(ood))
    none = np.zeros(0, np.int64)
    folds = []
    for fold in range(_HELD_ROWS):
        known = part == fold
        known &= np.isin(labels, labels[~known])
        folds.append(_Fold(np.flatnonzero(~known), np.flatnonzero(known), none, every, none))
    return folds


def _score_fold(
    vectors: np.ndarray, labels: np.ndarray, ood: np.ndarray | None, fold: _Fold
) -> _HeldOut:
    """Fit to the fold's rows and score those held out."""
    present, compact = np.unique(labels[fold.fit], return_inverse=True)
    fitted = vectors[fold.fit]
    moments = ClassMoments.of(fitted, compact, len(present))
    opened = None if ood is None else OpenClassifier.fit(fitted, compact, ood[fold.ood_fit])
    strange = vectors[fold.unknown]
    if ood is not None:
        strange = np.concatenate([strange, ood[fold.ood_held]])
    known, unknown, right = {}, {}, {}
    for shrinkage in _SHRINKAGES:
        model = RelativeMahalanobis.fit(moments, shrinkage)
        known[shrinkage], best = _raw_scores(vectors[fold.known], model, fitted, opened)
        unknown[shrinkage], _ = _raw_scores(strange, model, fitted, opened)
        right[shrinkage] = present[best] == labels[fold.known]
    return _HeldOut(known, unknown, right)


def _scales(known: np.ndarray) -> np.ndarray:
    """Return (2, 3) robust mean and spread of the scores of known utterances."""
    if len(known) == 0:
        return np.array([np.zeros(3), np.ones(3)])
    low, middle, high = np.quantile(known, [0.16, 0.5, 0.84], axis=0)
    spread = (high - low) / 2
    return np.array([middle, np.where(spread > 1e-6, spread, 1.0)])


def _scaled(fold: _HeldOut, shrinkage: float, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted scores of a fold's known and unknown rows, in units of its known ones."""
    middle, spread = _scales(fold.known[shrinkage])
    known, unknown = fold.known[shrinkage], fold.unknown[shrinkage]
    return (known - middle) / spread @ weights, (unknown - middle) / spread @ weights


def _choose(held: list[_HeldOut], has_ood: bool) -> tuple[float, np.ndarray]:
    """Choose the shrinkage and the weights that tell held-out intents apart best (mean AUROC)."""
    candidates = [
        (shrinkage, np.array([1.0, neighbour, opened]))
        for shrinkage, neighbour, opened in product(
            _SHRINKAGES, _NEIGHBOUR_WEIGHTS, _OPEN_WEIGHTS if has_ood else (0.0,)
        )
    ]
    quality = [
        np.mean([_auroc(*_scaled(fold, *candidate)) for fold in held]) for candidate in candidates
    ]
    return candidates[int(np.argmax(np.round(quality, 4)))]


def _auroc(known: np.ndarray, unknown: np.ndarray) -> float:
    if len(known) == 0 or len(unknown) == 0:
        return 0.5
    truth = np.repeat([0, 1], [len(known), len(unknown)])
    return float(roc_auc_score(truth, np.concatenate([known, unknown])))


# Without anything that could stand for the unknown: beyond all but this share of the known.
_KNOWN_KEPT = 0.95


def _threshold(
    held: list[_HeldOut], shrinkage: float, weights: np.ndarray
) -> tuple[float, np.ndarray]:
    """Return the threshold, and slope and intercept of the log-odds of being right about known."""
    scaled = [_scaled(fold, shrinkage, weights) for fold in held]
    known = np.concatenate([k for k, _ in scaled])
    unknown = np.concatenate([u for _, u in scaled])
    right = np.concatenate([fold.right[shrinkage] for fold in held])
    if len(known) == 0:
        return 0.0, np.array([-1.0, 0.0])
    if len(unknown) == 0:
        threshold = float(np.quantile(known, _KNOWN_KEPT))
        return threshold, np.array([-1.0, 0.0])
    # Known kept plus unknown flagged, at every possible cut.
    cuts = np.sort(np.concatenate([known, unknown]))
    kept = np.searchsorted(np.sort(known), cuts, side="right") / len(known)
    flagged = 1 - np.searchsorted(np.sort(unknown), cuts, side="right") / len(unknown)
    gain = kept + flagged
    # The middle of the plateau, as its single highest point is chance.
    threshold = float(np.median(cuts[gain >= gain.max() - 0.002]))
    scores = np.concatenate([known, unknown]) - threshold
    truth = np.concatenate([right, np.zeros(len(unknown), bool)])
    if truth.all() or not truth.any():
        return threshold, np.array([-1.0, 0.0])
    weight = np.concatenate(
        [np.full(len(known), 0.5 / len(known)), np.full(len(unknown), 0.5 / len(unknown))]
    )
    fitted = LogisticRegression(C=1e3).fit(scores[:, None], truth, sample_weight=weight * len(truth))
    return threshold, np.array([fitted.coef_[0, 0], fitted.intercept_[0]])
