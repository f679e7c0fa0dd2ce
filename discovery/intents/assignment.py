"""The rule that assigns utterances to clusters, and the verdict on each utterance."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from advin.discovery.compute.classes import nearest
from advin.discovery.labels import JUNK
from advin.schemas import verdicts
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


def assign(
    vectors: np.ndarray, intents: Intents, is_conversational: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Assign utterances to the nearest centroid if its radius contains them.

    Args:
        vectors: (n, d) float32, unit vectors in the learned space.
        intents: what to assign to, junk included.
        is_conversational: (n,) bool, utterances that no cluster takes; None for none.

    Returns:
        (n,) int32 row of the intent or junk cluster, or -1, and (n,) float32 distances to the
        nearest centroid, 1 - cosine; 1 if there are no centroids.
    """
    if not len(intents.centroids):
        return np.full(len(vectors), -1, np.int32), np.ones(len(vectors), np.float32)
    index, distance = nearest(vectors, intents.centroids)
    taken = distance <= intents.radii[index]
    if is_conversational is not None:
        taken &= ~is_conversational
    return np.where(taken, index, -1).astype(np.int32), distance


def cluster_reasons(kinds: np.ndarray, is_kept: np.ndarray) -> list[str]:
    """Return the reason that the utterances of each cluster have.

    Args:
        kinds: (m,) kind of each cluster, as in `Intents`.
        is_kept: (m,) bool, False for junk and for intents that were dropped as incoherent.
    """
    return [
        verdicts.IN_KNOWN_INTENT
        if kind >= 0
        else verdicts.OUT_OF_DOMAIN
        if kind == JUNK
        else verdicts.IN_NOVEL_INTENT
        if kept
        else verdicts.INCOHERENT
        for kind, kept in zip(kinds.tolist(), is_kept.tolist(), strict=True)
    ]


def utterance_reasons(
    assigned: np.ndarray, of_cluster: Sequence[str], conversational: Sequence[str | None]
) -> list[str]:
    """Return the reason of each utterance; `schemas.verdicts.kind_of` gives its kind.

    Args:
        assigned: (n,) int32 row of the utterance's cluster, or -1.
        of_cluster: (m,) reason of each cluster, by `cluster_reasons`.
        conversational: (n,) category of an utterance that carries no request, else None.
    """
    reasons = [*of_cluster, verdicts.TOO_FAR]
    return [
        reasons[row] if category is None else category
        for row, category in zip(assigned.tolist(), conversational, strict=True)
    ]
