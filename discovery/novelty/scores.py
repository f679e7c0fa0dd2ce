"""The scores of stage I, all higher for stranger text.

Distances to the nearest labeled utterances and to the nearest intent's center in a space learned
from the labels; in the encoder's space, the distance to the nearest labeled utterances, how much
nearer the nearest intent is than the second (the nearest-neighbor distance ratio of Mendes Júnior
et al., Machine Learning 106, 2017), and the relative Mahalanobis distance; and, where out-of-domain
text was given, the odds of the open class.
"""

from dataclasses import dataclass
from typing import Self

import faiss
import numpy as np

from advin.discovery.compute.classes import class_centroids, sample_evenly
from advin.discovery.metric.training import MetricHead
from advin.discovery.novelty.known_space import train_known_space
from advin.discovery.novelty.mahalanobis import ClassMoments, RelativeMahalanobis
from advin.discovery.novelty.open_classifier import OpenClassifier

SCORES = ("learned_neighbors", "learned_center", "neighbors", "ratio", "mahalanobis", "open_set")

_SHRINKAGE = 0.01
# Neighbors that are averaged; fewer where intents have few utterances.
_NEIGHBORS = 5
# The second intent is looked for among so many; an utterance with all of one intent is no rival's.
_RIVALS = 64
# Distances, 1 - cosine, below this are those of near duplicates.
_LEAST_DISTANCE = 1e-3
# Labeled utterances that are kept as neighbors: the time to score is in proportion.
MAX_EXEMPLARS = 10_000


@dataclass(frozen=True, slots=True)
class Scorers:
    """Everything that is fitted to labeled vectors but how the scores are weighed.

    Attributes:
        mahalanobis: distances to classes.
        space: from the encoder's space to that of the known intents.
        exemplars: (m, d) float16 labeled vectors.
        learned_exemplars: (m, d) float16, the same in the learned space.
        exemplar_classes: (m,) int64.
        centers: (k, d) float32 unit vectors in the learned space.
        neighbors: how many exemplars are averaged.
        open_set: the open classifier, or None without out-of-domain text.
    """

    mahalanobis: RelativeMahalanobis
    space: MetricHead
    exemplars: np.ndarray
    learned_exemplars: np.ndarray
    exemplar_classes: np.ndarray
    centers: np.ndarray
    neighbors: int
    open_set: OpenClassifier | None

    @classmethod
    def fit(
        cls, vectors: np.ndarray, labels: np.ndarray, ood: np.ndarray | None, seed: int
    ) -> Self:
        """Fit to vectors (n, d) with labels 0 … k - 1, each at least once."""
        vectors = vectors.astype(np.float32)
        counts = np.bincount(labels)
        space = train_known_space(vectors, labels, seed)
        learned = space.transform(vectors)
        kept = sample_evenly(labels, MAX_EXEMPLARS, np.random.default_rng(seed))
        moments = ClassMoments.of(vectors, labels, len(counts))
        return cls(
            mahalanobis=RelativeMahalanobis.fit(moments, _SHRINKAGE),
            space=space,
            exemplars=vectors[kept].astype(np.float16),
            learned_exemplars=learned[kept].astype(np.float16),
            exemplar_classes=labels[kept].astype(np.int64),
            centers=class_centroids(learned, labels, len(counts)),
            neighbors=int(np.clip(np.median(counts) // 4, 1, _NEIGHBORS)),
            open_set=None if ood is None else OpenClassifier.fit(vectors, labels, ood, seed),
        )

    def score(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (n, 6) float64 scores, in the order of SCORES, and the (n,) best classes."""
        vectors = vectors.astype(np.float32)
        learned = self.space.transform(vectors)
        near, which = _nearest(learned, self.learned_exemplars, self.neighbors)
        fit = learned @ self.centers.T
        scores = np.zeros((len(vectors), len(SCORES)))
        scores[:, 0] = 1 - near.mean(axis=1)
        scores[:, 1] = 1 - fit.max(axis=1)
        raw, raw_which = _nearest(vectors, self.exemplars, _RIVALS)
        scores[:, 2] = 1 - raw[:, : self.neighbors].mean(axis=1)
        scores[:, 3] = _distance_ratio(1 - raw, self.exemplar_classes[raw_which])
        scores[:, 4] = self.mahalanobis.distances(vectors).min(axis=1)
        if self.open_set is not None:
            scores[:, 5] = self.open_set.log_odds(vectors)
        # The best class is nearest by its center and by its utterances together.
        rows = np.arange(len(vectors))
        for column in range(self.neighbors):
            fit[rows, self.exemplar_classes[which[:, column]]] += near[:, column] / self.neighbors
        return scores, fit.argmax(axis=1)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the state as named arrays."""
        arrays = {
            "exemplars": self.exemplars,
            "learned_exemplars": self.learned_exemplars,
            "exemplar_classes": self.exemplar_classes,
            "centers": self.centers,
            "neighbors": np.array([self.neighbors]),
        }
        arrays |= {f"mahalanobis.{k}": v for k, v in self.mahalanobis.to_arrays().items()}
        arrays |= {f"space.{k}": v for k, v in self.space.to_arrays().items()}
        if self.open_set is not None:
            arrays |= {f"open_set.{k}": v for k, v in self.open_set.to_arrays().items()}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Self:
        """Restore what `to_arrays` returned."""

        def below(prefix: str) -> dict[str, np.ndarray]:
            return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}

        open_set = below("open_set.")
        return cls(
            mahalanobis=RelativeMahalanobis.from_arrays(below("mahalanobis.")),
            space=MetricHead.from_arrays(below("space.")),
            exemplars=arrays["exemplars"],
            learned_exemplars=arrays["learned_exemplars"],
            exemplar_classes=arrays["exemplar_classes"],
            centers=arrays["centers"],
            neighbors=int(arrays["neighbors"][0]),
            open_set=OpenClassifier.from_arrays(open_set) if open_set else None,
        )


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
