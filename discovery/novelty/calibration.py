"""Calibration of stage I: weights of the scores, threshold and probability, from held-out rows.

Distances shrink as intents are added. So the scores of a fold are scaled by its own known rows;
then the threshold found with fewer intents also holds for all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from advin.discovery.config import NoveltyConfig
from advin.discovery.encoding.texts import EmbeddedTexts
from advin.discovery.novelty.held_out import HeldOut, ScoredFold, hold_out
from advin.discovery.novelty.model import NoveltyModel, Scale, scaled, weighted
from advin.discovery.novelty.scores import SCORE_NAMES, Scores
from advin.discovery.selection.plateau import near_best

# Decimals of an AUROC that decide between weights; the first of equals is taken.
_DECIMALS = 4


def fit_novelty(
    labeled: EmbeddedTexts,
    labels: np.ndarray,
    n_intents: int,
    config: NoveltyConfig,
    ood: EmbeddedTexts | None = None,
    seed: int = 0,
) -> NoveltyModel:
    """Fit stage I to labeled utterances: `hold_out`, then `calibrate`.

    Args:
        labeled: n labeled utterances.
        labels: (n,) int64 known intents, 0 … n_intents - 1, each at least once.
        n_intents: number of known intents.
        config: settings of stage I.
        ood: out-of-domain text, or None.
        seed: seed of folds and training.

    Raises:
        ValueError: if an intent has no rows.
    """
    return calibrate(hold_out(labeled, labels, n_intents, config, ood, seed), config)


def calibrate(
    held_out: HeldOut, config: NoveltyConfig, scores: Sequence[str] = SCORE_NAMES
) -> NoveltyModel:
    """Choose weights, threshold and probability on held-out rows.

    Args:
        held_out: result of `hold_out`.
        config: settings of stage I.
        scores: names of the scores that may be used.

    Raises:
        ValueError: if there is no such score, or none that may be used.
    """
    usable = _usable(scores, held_out.scorers.available())
    folds = [_ScaledFold.of(fold) for fold in held_out.folds]
    weights = _choose_weights(folds, usable, config)
    known = np.concatenate([weighted(fold.known, weights) for fold in folds])
    unknown = np.concatenate([weighted(fold.unknown, weights) for fold in folds])
    scales = _scales(held_out.known)
    threshold = _threshold(known, unknown, config)
    if len(unknown):
        all_known = weighted(scaled(held_out.known, scales), weights)
        threshold = _shrunk(threshold, all_known, held_out.n_intents, config)
    right = np.concatenate([fold.right for fold in held_out.folds])
    calibration = _calibration(
        known - threshold, unknown - threshold, right, config.inverse_regularization
    )
    return NoveltyModel(held_out.scorers, weights, scales, threshold, calibration)


@dataclass(frozen=True, slots=True)
class _ScaledFold:
    """Scaled scores, (n, s), of the known and the unknown rows that a fold holds out."""

    known: np.ndarray
    unknown: np.ndarray

    @classmethod
    def of(cls, fold: ScoredFold) -> "_ScaledFold":
        scales = _scales(fold.known)
        return cls(scaled(fold.known, scales), scaled(fold.unknown, scales))

    def auroc(self, weights: Mapping[str, float]) -> float:
        """Return the AUROC of the weighted sum; 0.5 if there are only known or unknown rows."""
        if len(self.known) == 0 or len(self.unknown) == 0:
            return 0.5
        truth = np.repeat([0, 1], [len(self.known), len(self.unknown)])
        sums = [weighted(matrix, weights) for matrix in (self.known, self.unknown)]
        return float(roc_auc_score(truth, np.concatenate(sums)))


def _usable(scores: Sequence[str], available: Sequence[str]) -> list[str]:
    unknown = sorted(set(scores) - set(SCORE_NAMES))
    if unknown:
        raise ValueError(f"no such novelty scores: {unknown}; choose from {list(SCORE_NAMES)}")
    usable = [name for name in available if name in scores]
    if not usable:
        raise ValueError(
            f"scores {list(scores)} need out-of-domain text: give some, or other scores"
        )
    return usable


def _scales(scores: Scores) -> dict[str, Scale]:
    return {name: Scale.of(values) for name, values in scores.items()}


def _choose_weights(
    folds: Sequence[_ScaledFold], usable: Sequence[str], config: NoveltyConfig
) -> dict[str, float]:
    """Return the default weights, or others with a clearly higher mean AUROC."""
    tried = [getattr(config.weights, n) if n in usable else (0.0,) for n in SCORE_NAMES]
    candidates = [
        dict(zip(SCORE_NAMES, (np.array(values) / sum(values)).tolist(), strict=True))
        for values in product(*tried)
        if sum(values) > 0
    ]
    if not candidates:
        raise ValueError(f"all weights of {list(usable)} are 0: give one of them another weight")
    quality = [np.mean([fold.auroc(weights) for fold in folds]) for weights in candidates]
    best = int(np.argmax(np.round(quality, _DECIMALS)))
    return candidates[best if quality[best] > quality[0] + config.clear_gain else 0]


def _threshold(known: np.ndarray, unknown: np.ndarray, config: NoveltyConfig) -> float:
    """Return the threshold that keeps most known rows and flags most unknown rows.

    Args:
        known: (n,) weighted sums of known rows.
        unknown: (m,) those of unknown rows.
        config: what to do without one of them, and the width of the plateau.
    """
    known, unknown = np.sort(known), np.sort(unknown)
    if len(unknown) == 0:
        return float(np.quantile(known, config.known_kept)) if len(known) else 0.0
    if len(known) == 0:
        # With one utterance of each intent, no known row can be held out.
        return float(np.quantile(unknown, 1 - config.unknown_flagged))
    cuts = np.sort(np.concatenate([known, unknown]))
    kept = np.searchsorted(known, cuts, side="right") / len(known)
    flagged = 1 - np.searchsorted(unknown, cuts, side="right") / len(unknown)
    return float(np.median(cuts[near_best(kept + flagged, config.threshold_plateau)]))


def _shrunk(threshold: float, known: np.ndarray, n_intents: int, config: NoveltyConfig) -> float:
    """Shrink a threshold towards a quantile of known scores, more so with few intents.

    Intents held out of a few lie farther from the rest than novel intents of a real log do.
    """
    if len(known) == 0:
        return threshold
    prior = float(np.quantile(known, config.prior_kept))
    weight = config.prior_intents
    return (n_intents * threshold + weight * prior) / (n_intents + weight)


def _calibration(
    known: np.ndarray, unknown: np.ndarray, right: np.ndarray, inverse_regularization: float
) -> np.ndarray:
    """Return slope and intercept of the log-odds that the best known intent is right.

    Args:
        known: (n,) novelty scores of known rows.
        unknown: (m,) novelty scores of unknown rows, whose best intent is always wrong.
        right: (n,) bool, whether the best intent of each known row is its own.
        inverse_regularization: C of the logistic regression.
    """
    truth = np.concatenate([right, np.zeros(len(unknown), bool)])
    if not len(known) or not len(unknown) or truth.all() or not truth.any():
        return np.array([-1.0, 0.0])
    # Known and unknown rows have the same weight in total.
    weight = np.repeat([0.5 / len(known), 0.5 / len(unknown)], [len(known), len(unknown)])
    scores = np.concatenate([known, unknown])
    fitted = LogisticRegression(C=inverse_regularization).fit(
        scores[:, None], truth, sample_weight=weight * len(truth)
    )
    return np.array([fitted.coef_[0, 0], fitted.intercept_[0]])
