"""Stage I: how unlike all known intents an utterance is, and which known intent fits best.

Six scores, all higher for stranger text (`SCORES`): the distances to the nearest labelled
utterances and to the nearest intent's centre in a space learned from the labels, the distance to
the nearest labelled utterances in the encoder's space, how much nearer the nearest intent is there
than the second (the nearest-neighbour distance ratio of Mendes Júnior et al., Machine Learning 106,
2017), the relative Mahalanobis distance, and, where out-of-domain text was given, the odds of the
open class. Known intents that are held out in
turn stand for the unknown: they decide how the scores are weighed, and where the threshold lies.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Self

import faiss
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from discovery.known_space import train_known_space
from discovery.mahalanobis import ClassMoments, RelativeMahalanobis
from discovery.metric import MetricHead
from discovery.open_classifier import OpenClassifier

SCORES = ("learned_neighbours", "learned_centre", "neighbours", "ratio", "mahalanobis", "open")

# Weights of the scores that are tried; the first of each is taken unless the held-out intents are
# told apart clearly better by others: differences below this in AUROC are chance.
_WEIGHTS = ((1.0, 0.0), (1.0, 0.0), (0.3, 1.0, 0.0), (1.0,), (0.0, 1.0), (0.0, 0.3, 1.0))
_CLEARLY = 0.005
_SHRINKAGE = 0.01
# Neighbours that are averaged; fewer where intents have few utterances.
_NEIGHBOURS = 5
# The second intent is looked for among so many; an utterance with all of one intent is no rival's.
_RIVALS = 64
# Distances, 1 - cosine, below this are those of near duplicates.
_LEAST_DISTANCE = 1e-3
# Labelled utterances that are kept as neighbours: the time to score is in proportion.
MAX_EXEMPLARS = 10_000

# The known intents are cut in this many parts, each of which is unknown once.
_INTENT_FOLDS = 3
# Of the labelled utterances this part is held out in each fold; so many folds are made with all
# intents known, more where utterances are few.
_ROW_PARTS = 5
_ROW_FOLDS = 2
_FEW_ROWS = 500
# More held-out utterances than this tell no more.
_MAX_HELD = 4000
# Without anything that could stand for the unknown: beyond all but this share of the known.
_KNOWN_KEPT = 0.95
# And without any known utterance held out: what this share of the unknown is beyond.
_UNKNOWN_FLAGGED = 0.9
# A threshold is drawn towards the one that keeps this share of the known, as if that had been
# learned on so many intents. The mean of F1-open and F1-known over the dev splits of
# textoir_banking (25, 75 % known) and textoir_oos (25 %) and over massive_en (25 %) rises by 1.2.
_PRIOR_KEPT = 0.85
_PRIOR_INTENTS = 40


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
class Scorers:
    """Everything that is fitted to labelled vectors but how the scores are weighed.

    Attributes:
        mahalanobis: distances to classes.
        space: from the encoder's space to that of the known intents.
        exemplars: (m, d) float16 labelled vectors.
        learned_exemplars: (m, d) float16, the same in the learned space.
        exemplar_classes: (m,) int64.
        centres: (k, d) float32 unit vectors in the learned space.
        neighbours: how many exemplars are averaged.
        opened: the open classifier, or None without out-of-domain text.
    """

    mahalanobis: RelativeMahalanobis
    space: MetricHead
    exemplars: np.ndarray
    learned_exemplars: np.ndarray
    exemplar_classes: np.ndarray
    centres: np.ndarray
    neighbours: int
    opened: OpenClassifier | None

    @classmethod
    def fit(
        cls, vectors: np.ndarray, labels: np.ndarray, ood: np.ndarray | None, seed: int
    ) -> Self:
        """Fit to vectors (n, d) with labels 0 … k - 1, each at least once."""
        vectors = vectors.astype(np.float32)
        counts = np.bincount(labels)
        space = train_known_space(vectors, labels, seed)
        learned = space.transform(vectors)
        centres = np.zeros((len(counts), vectors.shape[1]))
        np.add.at(centres, labels, learned)
        kept = _sample_evenly(labels, MAX_EXEMPLARS, np.random.default_rng(seed))
        moments = ClassMoments.of(vectors, labels, len(counts))
        return cls(
            mahalanobis=RelativeMahalanobis.fit(moments, _SHRINKAGE),
            space=space,
            exemplars=vectors[kept].astype(np.float16),
            learned_exemplars=learned[kept].astype(np.float16),
            exemplar_classes=labels[kept].astype(np.int64),
            centres=_unit(centres).astype(np.float32),
            neighbours=int(np.clip(np.median(counts) // 4, 1, _NEIGHBOURS)),
            opened=None if ood is None else OpenClassifier.fit(vectors, labels, ood, seed),
        )

    def score(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (n, 6) float64 scores, in the order of SCORES, and the (n,) best classes."""
        vectors = vectors.astype(np.float32)
        learned = self.space.transform(vectors)
        near, which = _nearest(learned, self.learned_exemplars, self.neighbours)
        fit = learned @ self.centres.T
        scores = np.zeros((len(vectors), len(SCORES)))
        scores[:, 0] = 1 - near.mean(axis=1)
        scores[:, 1] = 1 - fit.max(axis=1)
        raw, raw_which = _nearest(vectors, self.exemplars, _RIVALS)
        scores[:, 2] = 1 - raw[:, : self.neighbours].mean(axis=1)
        scores[:, 3] = _distance_ratio(1 - raw, self.exemplar_classes[raw_which])
        scores[:, 4] = self.mahalanobis.distances(vectors).min(axis=1)
        if self.opened is not None:
            scores[:, 5] = self.opened.log_odds(vectors)
        # The best class is nearest by its centre and by its utterances together.
        rows = np.arange(len(vectors))
        for column in range(self.neighbours):
            fit[rows, self.exemplar_classes[which[:, column]]] += near[:, column] / self.neighbours
        return scores, fit.argmax(axis=1)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the state as named arrays."""
        arrays = {
            "exemplars": self.exemplars,
            "learned_exemplars": self.learned_exemplars,
            "exemplar_classes": self.exemplar_classes,
            "centres": self.centres,
            "neighbours": np.array([self.neighbours]),
        }
        arrays |= {f"mahalanobis.{k}": v for k, v in self.mahalanobis.to_arrays().items()}
        arrays |= {f"space.{k}": v for k, v in self.space.to_arrays().items()}
        if self.opened is not None:
            arrays |= {f"opened.{k}": v for k, v in self.opened.to_arrays().items()}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Self:
        """Restore what `to_arrays` returned."""

        def below(prefix: str) -> dict[str, np.ndarray]:
            return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}

        opened = below("opened.")
        return cls(
            mahalanobis=RelativeMahalanobis.from_arrays(below("mahalanobis.")),
            space=MetricHead.from_arrays(below("space.")),
            exemplars=arrays["exemplars"],
            learned_exemplars=arrays["learned_exemplars"],
            exemplar_classes=arrays["exemplar_classes"],
            centres=arrays["centres"],
            neighbours=int(arrays["neighbours"][0]),
            opened=OpenClassifier.from_arrays(opened) if opened else None,
        )


@dataclass(frozen=True, slots=True)
class NoveltyModel:
    """The fitted stage I.

    Attributes:
        scorers: the scores.
        weights: (6,) of the scores.
        scales: (2, 6) middle and spread of each score over known utterances that were held out.
        threshold: on the weighted sum of the scaled scores.
        calibration: (2,) slope and intercept of the log-odds of the best class in the score.
    """

    scorers: Scorers
    weights: np.ndarray
    scales: np.ndarray
    threshold: float
    calibration: np.ndarray

    def score(self, vectors: np.ndarray) -> NoveltyScores:
        """Score vectors (n, d)."""
        if len(vectors) == 0:
            none = np.zeros(0, np.float32)
            return NoveltyScores(none, np.zeros(0, np.int64), none)
        raw, best = self.scorers.score(vectors)
        score = _weighed(raw, self.scales, self.weights) - self.threshold
        slope, intercept = self.calibration
        probability = 1 / (1 + np.exp(-np.clip(slope * score + intercept, -30, 30)))
        return NoveltyScores(score.astype(np.float32), best, probability.astype(np.float32))

    def refitted(
        self, vectors: np.ndarray, labels: np.ndarray, ood: np.ndarray | None, seed: int
    ) -> "NoveltyModel":
        """Fit the scores to other rows, weighed and cut as here; arguments as of `fit_novelty`."""
        given = None if self.scorers.opened is None else ood
        return replace(self, scorers=Scorers.fit(vectors, labels, given, seed))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the state as named arrays."""
        return {f"scorers.{k}": v for k, v in self.scorers.to_arrays().items()} | {
            "weights": self.weights,
            "scales": self.scales,
            "threshold": np.array([self.threshold]),
            "calibration": self.calibration,
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Self:
        """Restore what `to_arrays` returned."""
        own = {f.name for f in fields(cls)}
        scorers = {k.removeprefix("scorers."): v for k, v in arrays.items() if k not in own}
        return cls(
            scorers=Scorers.from_arrays(scorers),
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
    scores: tuple[str, ...] = SCORES,
) -> NoveltyModel:
    """Fit stage I to labelled vectors.

    Args:
        vectors: (n, d) unit vectors of labelled utterances.
        labels: (n,) int64, 0 … classes - 1, each at least once.
        classes: number of known intents.
        ood_vectors: (o, d) vectors of texts that belong to no intent, if there are any.
        seed: of the folds and the learned space.
        scores: names of the scores that may be used, of SCORES.

    Raises:
        ValueError: if a class has no rows, or there is no score that may be used.
    """
    labels = np.asarray(labels, np.int64)
    _check(labels, classes, scores)
    ood = None if ood_vectors is None or len(ood_vectors) < _ROW_PARTS else ood_vectors
    usable = [s for s in SCORES if s in scores and not (s == "open" and ood is None)]
    if not usable:
        raise ValueError(f"scores {scores} need out-of-domain text: give some, or other scores")
    parts = np.random.default_rng(seed).permutation(len(labels)) % _ROW_PARTS
    # The same utterances are held out with a part of the intents unknown, and with all known.
    held = [
        _score_fold(vectors, labels, ood, f, seed) for f in _folds(labels, classes, parts, seed)
    ]
    weights = _choose_weights(held, usable)
    scaled = [_scaled(fold, weights) for fold in held]
    rows = [_score_fold(vectors, labels, ood, f, seed).known for f in _row_folds(labels, parts)]
    known = np.concatenate(rows)
    scales = _scales(known)
    threshold = _threshold(scaled)
    if any(len(unknown) for _, unknown in scaled):
        threshold = _cautious(threshold, _weighed(known, scales, weights), classes)
    return NoveltyModel(
        scorers=Scorers.fit(vectors, labels, ood, seed),
        weights=weights,
        scales=scales,
        threshold=threshold,
        calibration=_calibration(held, scaled, threshold),
    )


def _check(labels: np.ndarray, classes: int, scores: tuple[str, ...]) -> None:
    counts = np.bincount(labels, minlength=classes)
    if len(counts) > classes or not counts.all():
        raise ValueError(
            f"labels run over {np.unique(labels).size} of {classes} classes, up to "
            f"{labels.max(initial=-1)}: give each class at least one row, numbered from 0"
        )
    strange = sorted(set(scores) - set(SCORES))
    if strange:
        raise ValueError(f"no such novelty scores: {strange}; choose from {list(SCORES)}")


def _nearest(x: np.ndarray, exemplars: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the inner products (n, k) with the k nearest exemplars, and which these are."""
    index = faiss.IndexFlatIP(x.shape[1])
    index.add(exemplars.astype(np.float32))
    return index.search(np.ascontiguousarray(x), min(k, len(exemplars)))


def _distance_ratio(distances: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Divide the distance to the nearest class by that to the second: (n,), 0 to 1.

    Distances and classes (n, k) of the nearest exemplars, nearest first; where all are of one class
    the last stands for the second.
    """
    rival = classes != classes[:, :1]
    rival[:, -1] = True
    second = np.take_along_axis(distances, rival.argmax(axis=1)[:, None], axis=1)[:, 0]
    first = distances[:, 0]
    return np.maximum(first, _LEAST_DISTANCE) / np.maximum(second, _LEAST_DISTANCE)


def _sample_evenly(labels: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Return at most `most` row numbers, sorted: small classes whole, large ones in part."""
    order = rng.permutation(len(labels))
    sorted_by_class = order[np.argsort(labels[order], kind="stable")]
    starts = np.searchsorted(labels[sorted_by_class], labels[sorted_by_class])
    rank = np.arange(len(labels)) - starts
    return np.sort(sorted_by_class[np.argsort(rank, kind="stable")[:most]])


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


@dataclass(frozen=True, slots=True)
class _Fold:
    """Numbers of the rows to fit on, and of known and unknown rows held out; a part for the OOD."""

    fit: np.ndarray
    known: np.ndarray
    unknown: np.ndarray
    part: int


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """Scores (n, 6) of a fold's held-out rows; whether the best class of known ones is right."""

    known: np.ndarray
    unknown: np.ndarray
    right: np.ndarray


def _folds(labels: np.ndarray, classes: int, parts: np.ndarray, seed: int) -> Iterator[_Fold]:
    """Hold out each part of the intents in turn; a single intent is only held out in part."""
    folds = min(_INTENT_FOLDS, classes)
    part_of_class = np.random.default_rng(seed + 1).permutation(classes) % folds
    for fold in range(folds):
        unknown = part_of_class[labels] == fold
        if classes == 1:
            unknown[:] = False
        yield _split(labels, parts == fold, unknown, fold)


def _row_folds(labels: np.ndarray, parts: np.ndarray) -> Iterator[_Fold]:
    """Hold out only rows."""
    for fold in range(_ROW_FOLDS if len(labels) > _FEW_ROWS else _ROW_PARTS):
        yield _split(labels, parts == fold, np.zeros(len(labels), bool), fold)


def _split(labels: np.ndarray, held: np.ndarray, unknown: np.ndarray, part: int) -> _Fold:
    fit = ~unknown & ~held
    if not fit.any():
        fit = ~unknown
    known = ~unknown & held & np.isin(labels, labels[fit])
    return _Fold(np.flatnonzero(fit), np.flatnonzero(known), np.flatnonzero(unknown), part)


def _score_fold(
    vectors: np.ndarray, labels: np.ndarray, ood: np.ndarray | None, fold: _Fold, seed: int
) -> _HeldOut:
    """Fit to the fold's rows and score those held out."""
    rng = np.random.default_rng(seed + 2 + fold.part)
    known, unknown = (
        rows[_sample_evenly(labels[rows], _MAX_HELD, rng)] for rows in (fold.known, fold.unknown)
    )
    strange, opened = vectors[unknown], None
    if ood is not None:
        held = np.arange(len(ood)) % _ROW_PARTS == fold.part
        strange, opened = np.concatenate([strange, ood[held]]), ood[~held]
    present, compact = np.unique(labels[fold.fit], return_inverse=True)
    scorers = Scorers.fit(vectors[fold.fit], compact, opened, seed)
    scores, best = scorers.score(np.concatenate([vectors[known], strange]))
    right = present[best[: len(known)]] == labels[known]
    return _HeldOut(scores[: len(known)], scores[len(known) :], right)


def _scales(known: np.ndarray) -> np.ndarray:
    """Return (2, 6) robust middle and spread of the scores of known utterances."""
    if len(known) == 0:
        return np.array([np.zeros(len(SCORES)), np.ones(len(SCORES))])
    low, middle, high = np.quantile(known, [0.16, 0.5, 0.84], axis=0)
    spread = (high - low) / 2
    return np.array([middle, np.where(spread > 1e-6, spread, 1.0)])


def _scaled(fold: _HeldOut, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted scores of a fold's known and unknown rows, in units of its known ones.

    Distances shrink as intents are added. Measured in the spread of known utterances that were
    held out, the threshold of fewer intents holds for all of them.
    """
    scales = _scales(fold.known)
    return _weighed(fold.known, scales, weights), _weighed(fold.unknown, scales, weights)


def _weighed(scores: np.ndarray, scales: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return (n,) weighted sums of scores (n, 6), each from its middle in units of its spread."""
    return (scores - scales[0]) / scales[1] @ weights


def _choose_weights(held: list[_HeldOut], usable: list[str]) -> np.ndarray:
    """Choose the weights, of sum 1, that tell held-out intents apart best (mean AUROC)."""
    tried = [w if s in usable else (0.0,) for s, w in zip(SCORES, _WEIGHTS, strict=True)]
    # What is not usable cannot be the default, so scores alone always have a weight.
    candidates = [np.array(c) / sum(c) for c in product(*tried) if sum(c) > 0]
    quality = [np.mean([_auroc(*_scaled(f, c)) for f in held]) for c in candidates]
    best = int(np.argmax(np.round(quality, 4)))
    return candidates[best if quality[best] > quality[0] + _CLEARLY else 0]


def _auroc(known: np.ndarray, unknown: np.ndarray) -> float:
    if len(known) == 0 or len(unknown) == 0:
        return 0.5
    truth = np.repeat([0, 1], [len(known), len(unknown)])
    return float(roc_auc_score(truth, np.concatenate([known, unknown])))


def _threshold(scaled: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """Return the cut that keeps most of the known rows and flags most of the unknown ones."""
    known = np.sort(np.concatenate([k for k, _ in scaled]))
    unknown = np.sort(np.concatenate([u for _, u in scaled]))
    if len(unknown) == 0:
        return float(np.quantile(known, _KNOWN_KEPT)) if len(known) else 0.0
    if len(known) == 0:
        # One utterance an intent: none can be held out as known, so ask what the unknown exceed.
        return float(np.quantile(unknown, 1 - _UNKNOWN_FLAGGED))
    # Known kept plus unknown flagged, at every possible cut.
    cuts = np.sort(np.concatenate([known, unknown]))
    kept = np.searchsorted(known, cuts, side="right") / len(known)
    flagged = 1 - np.searchsorted(unknown, cuts, side="right") / len(unknown)
    gain = kept + flagged
    # The middle of the plateau, as its single highest point is chance.
    return float(np.median(cuts[gain >= gain.max() - 0.004]))


def _cautious(threshold: float, known: np.ndarray, classes: int) -> float:
    """Draw a threshold that was learned on few intents towards a quantile of known scores.

    A few intents held out of a few lie farther from the rest than all that a log may hold.
    """
    if len(known) == 0:
        return threshold
    prior = float(np.quantile(known, _PRIOR_KEPT))
    return (classes * threshold + _PRIOR_INTENTS * prior) / (classes + _PRIOR_INTENTS)


def _calibration(
    held: list[_HeldOut], scaled: list[tuple[np.ndarray, np.ndarray]], threshold: float
) -> np.ndarray:
    """Return slope and intercept of the log-odds of being right about a known intent."""
    known = np.concatenate([k for k, _ in scaled])
    unknown = np.concatenate([u for _, u in scaled])
    truth = np.concatenate([*(fold.right for fold in held), np.zeros(len(unknown), bool)])
    if not len(known) or not len(unknown) or truth.all() or not truth.any():
        return np.array([-1.0, 0.0])
    # As if known and unknown were equally frequent.
    weight = np.repeat([0.5 / len(known), 0.5 / len(unknown)], [len(known), len(unknown)])
    scores = np.concatenate([known, unknown]) - threshold
    fitted = LogisticRegression(C=1e3).fit(
        scores[:, None], truth, sample_weight=weight * len(truth)
    )
    return np.array([fitted.coef_[0, 0], fitted.intercept_[0]])
