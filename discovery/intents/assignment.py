"""The rule that assigns utterances to clusters."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from advin.discovery.compute.classes import nearest_several
from advin.discovery.config import IntentsConfig
from advin.discovery.intents.merging import MergeDistances
from advin.discovery.labels import JUNK, NOVEL
from advin.discovery.novelty.model import NoveltyScores
from advin.schemas.ids import dropped_id, known_id, novel_id


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of novel intents at the level fine; an intent has none, or at least two.

    Attributes:
        cluster: (p,) int64 row of each part's intent in `Intents`, rising.
        centroids: (p, d) float32, unit norm.
    """

    cluster: np.ndarray
    centroids: np.ndarray

    @classmethod
    def none(cls, dimension: int) -> "Parts":
        """Return no parts."""
        return cls(np.zeros(0, np.int64), np.zeros((0, dimension), np.float32))


@dataclass(frozen=True, slots=True)
class Intents:
    """Centroids that utterances are assigned to: intents, then dropped clusters.

    The leaves are the m clusters, followed by the p parts. If the cluster of an utterance has
    parts, its leaf is one of them; otherwise its leaf is the cluster.

    Attributes:
        centroids: (m, d) float32, unit norm.
        kinds: (m,) int64: index of the known intent, NOVEL, JUNK, UNCLEAR or TOO_SMALL.
        radii: (m,) float32, largest 1 - cosine at which a cluster takes an utterance.
        log_odds: (m,) float32, log-odds of being known that a cluster gives to its utterances.
        norms: (m,) float32, norm of the mean vector; the centroid is its direction.
        parts: parts of novel intents.
        merges: how far novel intents are merged at other levels.
        looks_known: utterances in clusters that look known to stage I; see `label_match`.
        with_labels: how many of these utterances are in a cluster with labels.
    """

    centroids: np.ndarray
    kinds: np.ndarray
    radii: np.ndarray
    log_odds: np.ndarray
    norms: np.ndarray
    parts: Parts
    merges: MergeDistances
    looks_known: int = 0
    with_labels: int = 0

    @property
    def leaf_clusters(self) -> np.ndarray:
        """(m + p,) int64, the row of the cluster of each leaf."""
        return np.concatenate([np.arange(len(self.kinds)), self.parts.cluster])

    def rounded(self) -> "Intents":
        """Return the intents with centroids in float16 precision, as files hold them."""
        whole, parts = (
            vectors.astype(np.float16).astype(np.float32)
            for vectors in (self.centroids, self.parts.centroids)
        )
        return replace(self, centroids=whole, parts=replace(self.parts, centroids=parts))

    def known(self, labels: Sequence[str]) -> list[str | None]:
        """Return the label of each known intent, None for other clusters.

        Args:
            labels: labels of the known intents, by index.
        """
        return [labels[kind] if kind >= 0 else None for kind in self.kinds]

    def ids(self, labels: Sequence[str]) -> list[str]:
        """Return content-derived ids: by the label, or by the float16 bytes of the centroid.

        Args:
            labels: labels of the known intents, by index.
        """
        found = zip(self.known(labels), self.kinds, self.dropped_ids(), self._halves(), strict=True)
        return [
            known_id(label)
            if label is not None
            else novel_id(half.tobytes())
            if kind == NOVEL
            else dropped
            for label, kind, dropped, half in found
        ]

    def part_ids(self) -> list[str]:
        """Return the id of each part, by its centroid's bytes."""
        return [novel_id(half.tobytes()) for half in self.parts.centroids.astype(np.float16)]

    def dropped_ids(self) -> list[str]:
        """Return the id that each cluster has if it is no intent, by its centroid's bytes."""
        return [dropped_id(half.tobytes()) for half in self._halves()]

    def _halves(self) -> np.ndarray:
        return np.asarray(self.centroids, np.float16)


@dataclass(frozen=True, slots=True)
class Assigned:
    """The clusters of n utterances, and the intents nearest to them.

    Attributes:
        cluster: (n,) int32 row of the utterance's cluster in `Intents`, or -1.
        distance: (n,) float32 distance to its cluster, 1 - cosine; without one, to the nearest
            intent; infinite if there is none.
        nearest: (n, k) int32 rows of the nearest intents, the nearest first, without junk and
            other dropped clusters; -1 and distance infinity if there are no intents.
        distances: (n, k) float32 distances to them.
    """

    cluster: np.ndarray
    distance: np.ndarray
    nearest: np.ndarray
    distances: np.ndarray


def assign(
    vectors: np.ndarray,
    intents: Intents,
    config: IntentsConfig,
    scores: NoveltyScores | None = None,
    is_conversational: np.ndarray | None = None,
) -> Assigned:
    """Assign utterances to known intents, novel intents, junk and other dropped clusters.

    The nearest intent or junk cluster takes an utterance within its radius. The log-odds of both
    then decide whether the utterance is known. A known utterance belongs to its nearest known
    intent, or to the best one by stage I if that is likely or no other is near. Other dropped
    clusters than junk take what is left, so that an utterance without an intent has a reason.

    Args:
        vectors: (n, d) float32, unit vectors in the learned space.
        intents: what to assign to.
        config: number of nearest intents to find, and how log-odds are added.
        scores: stage I on the utterances; None without labels.
        is_conversational: (n,) bool, utterances that no cluster takes; None for none.
    """
    n = len(vectors)
    free = np.ones(n, bool) if is_conversational is None else ~is_conversational
    rows, distances = _nearest(vectors, intents, intents.kinds >= NOVEL, config.candidates)
    junk, junk_distance = _nearest(vectors, intents, intents.kinds == JUNK, 1)
    is_junk = junk_distance[:, 0] < distances[:, 0]
    best = np.where(is_junk, junk[:, 0], rows[:, 0])
    distance = np.where(is_junk, junk_distance[:, 0], distances[:, 0])
    near = np.where(free & _within(best, distance, intents), best, -1)
    cluster = near
    if scores is not None:
        cluster = np.where(free, _by_posterior(near, intents, scores, config), -1)
    moved = np.flatnonzero((cluster != near) & (cluster >= 0))
    similarity = (vectors[moved] * intents.centroids[cluster[moved]]).sum(axis=1)
    distance[moved] = 1 - similarity

    left = np.flatnonzero(free & (cluster < 0))
    dropped, to_dropped = _nearest(vectors[left], intents, intents.kinds < JUNK, 1)
    inside = _within(dropped[:, 0], to_dropped[:, 0], intents)
    cluster[left[inside]] = dropped[inside, 0]
    distance = np.where(cluster < 0, distances[:, 0], distance).astype(np.float32)
    distance[left[inside]] = to_dropped[inside, 0]
    return Assigned(cluster.astype(np.int32), distance, rows, distances)


def assign_leaves(
    vectors: np.ndarray, intents: Intents, assigned: Assigned, config: IntentsConfig
) -> Assigned:
    """Return the leaves of utterances, in the form in which `assign` returns clusters.

    The leaf of an utterance whose intent has parts is the nearest of these parts.

    Args:
        vectors: (n, d) float32, unit vectors in the learned space.
        intents: clusters and parts.
        assigned: clusters of the utterances.
        config: number of nearest intents to find.
    """
    parts, m = intents.parts, len(intents.kinds)
    if not len(parts.cluster):
        return assigned
    leaf, distance = assigned.cluster.copy(), assigned.distance.copy()
    for cluster in np.unique(parts.cluster):
        rows = np.flatnonzero(assigned.cluster == cluster)
        own = np.flatnonzero(parts.cluster == cluster)
        if len(rows):
            nearest, distances = nearest_several(vectors[rows], parts.centroids[own], 1)
            leaf[rows], distance[rows] = m + own[nearest[:, 0]], distances[:, 0]
    whole = np.flatnonzero(intents.kinds >= NOVEL)
    whole = whole[~np.isin(whole, parts.cluster)]
    leaves = np.concatenate([whole, m + np.arange(len(parts.cluster))])
    centroids = np.concatenate([intents.centroids[whole], parts.centroids])
    found, distances = nearest_several(vectors, centroids, config.candidates)
    without = leaf < 0
    distance[without] = distances[without, 0]
    return Assigned(leaf, distance, leaves[found].astype(np.int32), distances)


def _by_posterior(
    cluster: np.ndarray, intents: Intents, scores: NoveltyScores, config: IntentsConfig
) -> np.ndarray:
    """Return the (n,) clusters of utterances: a known intent if the log-odds are above 0.

    An utterance in a known intent that is unlikely to be known gets no cluster.

    Args:
        cluster: (n,) nearest cluster within its radius, or -1.
        intents: all clusters.
        scores: stage I on the utterances.
        config: prior, and the weight of an utterance's own log-odds in a cluster.
    """
    of_cluster = np.append(intents.log_odds, config.known_log_odds)[cluster]
    own = np.where(cluster < 0, 1.0, config.own_weight) * scores.log_odds
    is_known = own + of_cluster > 0
    row_of = np.full(scores.best_class.max(initial=-1) + 2, -1)
    known = np.flatnonzero((intents.kinds >= 0) & (intents.kinds < len(row_of)))
    row_of[intents.kinds[known]] = known
    near_known = np.append(intents.kinds, NOVEL)[cluster] >= 0
    best = row_of[scores.best_class]
    is_likely = scores.log_odds + config.known_log_odds > 0
    takes = is_known & (best >= 0) & (is_likely | ~near_known)
    kept = np.where(near_known & ~is_known, -1, cluster)
    return np.where(takes, best, kept)


def _nearest(
    vectors: np.ndarray, intents: Intents, among: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return (n, k) int32 rows and (n, k) float32 distances of the nearest among some clusters."""
    chosen = np.flatnonzero(among)
    if not len(chosen):
        shape = (len(vectors), 1)
        return np.full(shape, -1, np.int32), np.full(shape, np.inf, np.float32)
    found, distances = nearest_several(vectors, intents.centroids[chosen], most)
    return chosen[found].astype(np.int32), distances


def _within(cluster: np.ndarray, distance: np.ndarray, intents: Intents) -> np.ndarray:
    """Return (n,) bool, True if the distance is at most the radius of the cluster."""
    return distance <= np.append(intents.radii, -1)[cluster]
