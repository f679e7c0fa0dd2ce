"""The rule that assigns utterances to intents, and the verdict on each utterance."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from advin.discovery.compute.classes import nearest
from advin.discovery.labels import JUNK
from advin.schemas.ids import known_id, novel_id


@dataclass(frozen=True, slots=True)
class Intents:
    """Centroids that utterances are assigned to.

    Attributes:
        centroids: (m, d) float32, unit norm.
        kinds: (m,) int64: index of the known intent, NOVEL, or JUNK.
        radii: (m,) float32, largest 1 - cosine at which an intent takes an utterance.
    """

    centroids: np.ndarray
    kinds: np.ndarray
    radii: np.ndarray

    def rounded(self) -> "Intents":
        """Return the intents with centroids in float16 precision, as files hold them."""
        return replace(self, centroids=self.centroids.astype(np.float16).astype(np.float32))

    def known(self, labels: Sequence[str]) -> list[str | None]:
        """Return the label of each known intent, None for novel intents and junk.

        Args:
            labels: labels of the known intents, by index.
        """
        return [labels[kind] if kind >= 0 else None for kind in self.kinds]

    def ids(self, labels: Sequence[str]) -> list[str]:
        """Return content-derived ids: by the label, or by the float16 bytes of the centroid.

        Args:
            labels: labels of the known intents, by index.
        """
        halves = np.asarray(self.centroids, np.float16)
        return [
            known_id(label) if label is not None else novel_id(half.tobytes())
            for label, half in zip(self.known(labels), halves, strict=True)
        ]


def assign(vectors: np.ndarray, intents: Intents) -> tuple[np.ndarray, np.ndarray]:
    """Assign utterances to the nearest centroid if it is an intent and within its radius.

    Args:
        vectors: (n, d) float32, unit vectors in the learned space.
        intents: what to assign to.

    Returns:
        (n,) int32 row of the intent, or -1, and (n,) float32 distances to the nearest centroid,
        1 - cosine; 1 if there are no centroids.
    """
    if not len(intents.centroids):
        return np.full(len(vectors), -1, np.int32), np.ones(len(vectors), np.float32)
    index, distance = nearest(vectors, intents.centroids)
    inside = (distance <= intents.radii[index]) & (intents.kinds[index] != JUNK)
    return np.where(inside, index, -1).astype(np.int32), distance


def without_dropped(assigned: np.ndarray, is_kept: np.ndarray) -> np.ndarray:
    """Return assignments without those to dropped intents.

    Args:
        assigned: (n,) int32 row of the utterance's intent, or -1.
        is_kept: (m,) bool, False for junk and for intents that were dropped as incoherent.

    Returns:
        (n,) int32, -1 where the intent was dropped.
    """
    return np.where(np.append(is_kept, False)[assigned], assigned, -1).astype(np.int32)


def novel_verdicts(
    assigned: np.ndarray, is_novel: np.ndarray, scores: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Decide which utterances are novel: by their intent, or without one by their novelty score.

    Args:
        assigned: (n,) row of the utterance's intent, or -1.
        is_novel: (m,) bool, whether each intent is novel.
        scores: (n,) novelty scores, above 0 is flagged; NaN without labels.

    Returns:
        (n,) bool verdicts, and (n,) bool, False where there is neither an intent nor a score.
    """
    has_intent = assigned >= 0
    of_intent = np.append(is_novel, False)[assigned]
    return np.where(has_intent, of_intent, scores > 0), has_intent | ~np.isnan(scores)
