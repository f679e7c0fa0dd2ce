"""The fitted stage I: how unlike all known intents an utterance is, and which one fits best."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from advin.discovery.compute.arrays import below
from advin.discovery.config import NoveltyConfig
from advin.discovery.encoding.texts import EmbeddedTexts
from advin.discovery.novelty.scores import MAHALANOBIS, SCORE_NAMES, Scorers, Scores

# Log-odds beyond this are cut: their exponential would overflow.
_MAX_LOG_ODDS = 30.0
# Median, and one standard deviation of a normal distribution to both sides.
_SPREAD_QUANTILES = (0.16, 0.5, 0.84)
# Smaller spreads are rounding errors of equal scores.
_LEAST_SPREAD = 1e-6


@dataclass(frozen=True, slots=True)
class NoveltyScores:
    """Result of stage I for n utterances.

    Attributes:
        score: (n,) float32 novelty score; above 0 is flagged as novel, and 1 is the spread of
            known utterances.
        best_class: (n,) int64 index of the best known intent.
        probability: (n,) float32, 0 to 1, that the utterance belongs to it.
    """

    score: np.ndarray
    best_class: np.ndarray
    probability: np.ndarray

    @property
    def log_odds(self) -> np.ndarray:
        """(n,) float64 log-odds of the probability, as far as float32 resolves it."""
        least = float(np.finfo(np.float32).eps)
        bounded = np.clip(self.probability.astype(np.float64), least, 1 - least)
        return np.log(bounded) - np.log1p(-bounded)


@dataclass(frozen=True, slots=True)
class Scale:
    """Median and robust spread of a score over known utterances that were held out."""

    middle: float = 0.0
    spread: float = 1.0

    @classmethod
    def of(cls, scores: np.ndarray) -> Self:
        """Measure scores (n,); without any, nothing is scaled."""
        if len(scores) == 0:
            return cls()
        low, middle, high = np.quantile(scores, _SPREAD_QUANTILES).tolist()
        spread = (high - low) / 2
        return cls(middle, spread if spread > _LEAST_SPREAD else 1.0)


@dataclass(frozen=True, slots=True)
class NoveltyModel:
    """The fitted stage I.

    Attributes:
        scorers: the novelty scores.
        weights: weight of each score, by name; they sum to 1.
        scales: scale of each score, by name.
        threshold: of the weighted sum of the scaled scores.
        calibration: (2,) float64 slope and intercept of the log-odds that the best known intent is
            right, as a function of the novelty score.
    """

    scorers: Scorers
    weights: Mapping[str, float]
    scales: Mapping[str, Scale]
    threshold: float
    calibration: np.ndarray

    def score(self, utterances: EmbeddedTexts) -> NoveltyScores:
        """Score n utterances."""
        if len(utterances) == 0:
            none = np.zeros(0, np.float32)
            return NoveltyScores(none, np.zeros(0, np.int64), none)
        raw, best = self.scorers.score(utterances)
        score = weighted(scaled(raw, self.scales), self.weights) - self.threshold
        return NoveltyScores(score.astype(np.float32), best, self.probability(score))

    def probability(self, score: np.ndarray) -> np.ndarray:
        """Return the (n,) float32 probability that the best known intent is right.

        Args:
            score: (n,) novelty scores.
        """
        slope, intercept = self.calibration
        log_odds = np.clip(slope * score + intercept, -_MAX_LOG_ODDS, _MAX_LOG_ODDS)
        return (1 / (1 + np.exp(-log_odds))).astype(np.float32)

    def ood_zscore(self, vectors: np.ndarray) -> np.ndarray:
        """Return how far vectors (n, d) are from all intents, in spreads of known utterances.

        It is the relative Mahalanobis distance alone, which separates out-of-domain text from
        novel intents best.

        Returns:
            (n,) float64.
        """
        distance = self.scorers.mahalanobis.distances(vectors.astype(np.float32)).min(axis=1)
        scale = self.scales[MAHALANOBIS]
        return (distance - scale.middle) / scale.spread

    def refitted(
        self,
        labeled: EmbeddedTexts,
        labels: np.ndarray,
        config: NoveltyConfig,
        ood: EmbeddedTexts | None = None,
        seed: int = 0,
    ) -> "NoveltyModel":
        """Fit the scores to other rows and keep weights, scales and threshold.

        The arguments are those of `fit_novelty`.
        """
        used = None if self.scorers.open_set is None else ood
        return replace(self, scorers=Scorers.fit(labeled, labels, config, used, seed))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the state as named arrays."""
        arrays = {f"scorers.{k}": v for k, v in self.scorers.to_arrays().items()}
        arrays |= {f"weights.{k}": np.array([v]) for k, v in self.weights.items()}
        arrays |= {f"scales.{k}": np.array([v.middle, v.spread]) for k, v in self.scales.items()}
        arrays |= {"threshold": np.array([self.threshold]), "calibration": self.calibration}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Self:
        """Restore a model from the arrays of `to_arrays`."""
        return cls(
            scorers=Scorers.from_arrays(below("scorers.", arrays)),
            weights={k: float(v[0]) for k, v in below("weights.", arrays).items()},
            scales={
                k: Scale(float(v[0]), float(v[1])) for k, v in below("scales.", arrays).items()
            },
            threshold=float(arrays["threshold"][0]),
            calibration=arrays["calibration"],
        )


def scaled(scores: Scores, scales: Mapping[str, Scale]) -> np.ndarray:
    """Return the scores as a matrix (n, s) in the order of SCORE_NAMES, each in its scale."""
    # The memory order decides the last bits of the weighted sum.
    matrix = np.ascontiguousarray(np.stack([scores[name] for name in SCORE_NAMES], axis=1))
    middles = np.array([scales[name].middle for name in SCORE_NAMES])
    spreads = np.array([scales[name].spread for name in SCORE_NAMES])
    return (matrix - middles) / spreads


def weighted(matrix: np.ndarray, weights: Mapping[str, float]) -> np.ndarray:
    """Return the weighted sums (n,) of a matrix of `scaled`."""
    return matrix @ np.array([weights[name] for name in SCORE_NAMES])
