"""The novelty scores of stage I; all are higher for text that is less like the known intents.

To add a score, write its function here, with `@_score`, and add the weights to try as a field of
the same name to `ScoreWeights` in the configuration.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import faiss
import numpy as np

from advin.discovery.compute.arrays import below
from advin.discovery.compute.classes import class_centroids, sample_evenly
from advin.discovery.config import NoveltyConfig
from advin.discovery.encoding.texts import EmbeddedTexts
from advin.discovery.metric.head import MetricHead
from advin.discovery.novelty.characters import CharacterSimilarity
from advin.discovery.novelty.known_space import train_known_space
from advin.discovery.novelty.mahalanobis import ClassMoments, RelativeMahalanobis
from advin.discovery.novelty.open_classifier import OpenClassifier

# Distances, 1 - cosine, below this are those of near-duplicates.
_LEAST_DISTANCE = 1e-3

# Scores of n utterances by name, each (n,) float64.
Scores = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Scorers:
    """Everything that the scores need, fitted to labeled utterances.

    Attributes:
        mahalanobis: distances to the known intents.
        space: head that maps into the space of the known intents.
        exemplars: (m, d) float16 labeled vectors.
        learned_exemplars: (m, e) float16, the same in the learned space.
        exemplar_classes: (m,) int64 known intent of each exemplar.
        centers: (k, e) float32 unit vectors, the centers of the intents in the learned space.
        neighbors: number of nearest exemplars that are averaged.
        rivals: number of nearest exemplars among which the second intent is searched.
        characters: similarity to labeled utterances by characters.
        character_weight: weight of this similarity in the choice of the best known intent.
        open_set: the open-set classifier; None without out-of-domain text.
    """

    mahalanobis: RelativeMahalanobis
    space: MetricHead
    exemplars: np.ndarray
    learned_exemplars: np.ndarray
    exemplar_classes: np.ndarray
    centers: np.ndarray
    neighbors: int
    rivals: int
    characters: CharacterSimilarity
    character_weight: float
    open_set: OpenClassifier | None

    @classmethod
    def fit(
        cls,
        labeled: EmbeddedTexts,
        labels: np.ndarray,
        config: NoveltyConfig,
        ood: EmbeddedTexts | None = None,
        seed: int = 0,
    ) -> Self:
        """Fit all scores.

        Args:
            labeled: n labeled utterances.
            labels: (n,) int64 known intents, 0 … k - 1, each at least once.
            config: settings of stage I.
            ood: out-of-domain text, or None.
            seed: seed of the exemplars and of all training.
        """
        vectors = labeled.vectors.astype(np.float32)
        counts = np.bincount(labels)
        space = train_known_space(vectors, labels, config.space, seed)
        learned = space.transform(vectors)
        kept = sample_evenly(labels, config.max_exemplars, np.random.default_rng(seed))
        moments = ClassMoments.of(vectors, labels, len(counts))
        # Few neighbors where intents have few labels.
        neighbors = np.clip(np.median(counts) * config.neighbor_share // 1, 1, config.neighbors)
        open_set = None
        if ood is not None:
            open_set = OpenClassifier.fit(vectors, labels, ood.vectors, config.open_set, seed)
        return cls(
            mahalanobis=RelativeMahalanobis.fit(moments, config.shrinkage),
            space=space,
            exemplars=vectors[kept].astype(np.float16),
            learned_exemplars=learned[kept].astype(np.float16),
            exemplar_classes=labels[kept].astype(np.int64),
            centers=class_centroids(learned, labels, len(counts)),
            neighbors=int(neighbors),
            rivals=config.rivals,
            characters=CharacterSimilarity.fit(labeled.texts, labels, config, seed),
            character_weight=config.character_weight,
            open_set=open_set,
        )

    def score(self, utterances: EmbeddedTexts) -> tuple[Scores, np.ndarray]:
        """Score n utterances.

        Returns:
            all scores by name, and the best known intent of each row, (n,) int64.
        """
        query = _Query.of(utterances, self)
        scores = {name: score(self, query).astype(np.float64) for name, score in _SCORES.items()}
        return scores, query.best_class

    def available(self) -> tuple[str, ...]:
        """Return the names of the scores that could be fitted."""
        return tuple(n for n in SCORE_NAMES if n != OPEN_SET or self.open_set is not None)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the state as named arrays."""
        arrays = {
            "exemplars": self.exemplars,
            "learned_exemplars": self.learned_exemplars,
            "exemplar_classes": self.exemplar_classes,
            "centers": self.centers,
            "neighbors": np.array([self.neighbors]),
            "rivals": np.array([self.rivals]),
            "character_weight": np.array([self.character_weight]),
        }
        arrays |= {f"characters.{k}": v for k, v in self.characters.to_arrays().items()}
        arrays |= {f"mahalanobis.{k}": v for k, v in self.mahalanobis.to_arrays().items()}
        arrays |= {f"space.{k}": v for k, v in self.space.to_arrays().items()}
        if self.open_set is not None:
            arrays |= {f"open_set.{k}": v for k, v in self.open_set.to_arrays().items()}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Self:
        """Restore scorers from the arrays of `to_arrays`."""
        open_set = below("open_set.", arrays)
        return cls(
            mahalanobis=RelativeMahalanobis.from_arrays(below("mahalanobis.", arrays)),
            space=MetricHead.from_arrays(below("space.", arrays)),
            exemplars=arrays["exemplars"],
            learned_exemplars=arrays["learned_exemplars"],
            exemplar_classes=arrays["exemplar_classes"],
            centers=arrays["centers"],
            neighbors=int(arrays["neighbors"][0]),
            rivals=int(arrays["rivals"][0]),
            characters=CharacterSimilarity.from_arrays(below("characters.", arrays)),
            character_weight=float(arrays["character_weight"][0]),
            open_set=OpenClassifier.from_arrays(open_set) if open_set else None,
        )


@dataclass(frozen=True, slots=True)
class _Query:
    """Utterances to score, with what several scores need.

    Attributes:
        vectors: (n, d) float32.
        center_similarity: (n, k) cosines with the centers of the intents in the learned space.
        learned_similarity: (n, neighbors) cosines with the nearest exemplars in the learned space.
        learned_nearest: (n, neighbors) numbers of these exemplars.
        similarity: (n, rivals) cosines with the nearest exemplars in the encoder's space.
        nearest: (n, rivals) numbers of these exemplars.
        best_class: (n,) int64 best known intent.
        character_similarity: (n,) similarity to its labels by characters.
    """

    vectors: np.ndarray
    center_similarity: np.ndarray
    learned_similarity: np.ndarray
    learned_nearest: np.ndarray
    similarity: np.ndarray
    nearest: np.ndarray
    best_class: np.ndarray
    character_similarity: np.ndarray

    @classmethod
    def of(cls, utterances: EmbeddedTexts, fitted: Scorers) -> Self:
        vectors = utterances.vectors.astype(np.float32)
        learned = fitted.space.transform(vectors)
        centers = learned @ fitted.centers.T
        near = _nearest(learned, fitted.learned_exemplars, fitted.neighbors)
        characters = fitted.characters.similarities(utterances.texts, len(fitted.centers))
        rows = np.arange(len(vectors))
        fit = centers + fitted.character_weight * characters
        for similarity, which in zip(near[0].T, near[1].T, strict=True):
            fit[rows, fitted.exemplar_classes[which]] += similarity / fitted.neighbors
        best = fit.argmax(axis=1)
        return cls(
            vectors,
            centers,
            *near,
            *_nearest(vectors, fitted.exemplars, fitted.rivals),
            best,
            characters[rows, best],
        )


_Score = Callable[[Scorers, _Query], np.ndarray]
_SCORES: dict[str, _Score] = {}


def _score(function: _Score) -> _Score:
    _SCORES[function.__name__.lstrip("_")] = function
    return function


@_score
def _learned_neighbors(fitted: Scorers, query: _Query) -> np.ndarray:
    """Mean distance to the nearest exemplars in the learned space."""
    return 1 - query.learned_similarity.mean(axis=1)


@_score
def _learned_center(fitted: Scorers, query: _Query) -> np.ndarray:
    """Distance to the nearest center in the learned space."""
    return 1 - query.center_similarity.max(axis=1)


@_score
def _neighbors(fitted: Scorers, query: _Query) -> np.ndarray:
    """Mean distance to the nearest exemplars in the encoder's space."""
    return 1 - query.similarity[:, : fitted.neighbors].mean(axis=1)


@_score
def _ratio(fitted: Scorers, query: _Query) -> np.ndarray:
    """Distance to the nearest intent over that to the second (Mendes Júnior et al., 2017)."""
    return _distance_ratio(1 - query.similarity, fitted.exemplar_classes[query.nearest])


@_score
def _mahalanobis(fitted: Scorers, query: _Query) -> np.ndarray:
    """Relative Mahalanobis distance to the nearest intent (arXiv 2106.09022)."""
    return fitted.mahalanobis.distances(query.vectors).min(axis=1)


@_score
def _open_set(fitted: Scorers, query: _Query) -> np.ndarray:
    """Log-odds of the open class; zero without out-of-domain text."""
    if fitted.open_set is None:
        return np.zeros(len(query.vectors))
    return fitted.open_set.log_odds(query.vectors)


@_score
def _characters(fitted: Scorers, query: _Query) -> np.ndarray:
    """Distance by characters to the nearest labeled utterance of the best known intent."""
    return 1 - query.character_similarity


SCORE_NAMES = tuple(_SCORES)
# The score behind `ood_zscore`, and the one that needs out-of-domain text.
MAHALANOBIS, OPEN_SET = "mahalanobis", "open_set"


def _nearest(x: np.ndarray, exemplars: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the inner products (n, k) with the k nearest exemplars, and their numbers (n, k)."""
    index = faiss.IndexFlatIP(x.shape[1])
    index.add(exemplars.astype(np.float32))
    similarity, nearest = index.search(np.ascontiguousarray(x), min(k, len(exemplars)))
    return similarity, nearest


def _distance_ratio(distances: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the distance to the nearest class over that to the second: (n,), 0 to 1.

    Args:
        distances: (n, m) to the nearest exemplars, nearest first.
        classes: (n, m) of these exemplars; if all are the same, the last stands for the second.
    """
    rival = classes != classes[:, :1]
    rival[:, -1] = True
    second = np.take_along_axis(distances, rival.argmax(axis=1)[:, None], axis=1)[:, 0]
    first = distances[:, 0]
    return np.maximum(first, _LEAST_DISTANCE) / np.maximum(second, _LEAST_DISTANCE)
