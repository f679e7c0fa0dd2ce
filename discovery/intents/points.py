"""What stage II clusters: the log's utterances, labeled utterances and out-of-domain examples."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from advin.discovery.clustering.clusters import Clusters, for_intents
from advin.discovery.labels import UNLABELED
from advin.discovery.novelty.model import NoveltyScores


@dataclass(frozen=True, slots=True)
class Points:
    """Rows that are clustered together. A point of a large log may stand for many utterances.

    Attributes:
        vectors: (n, d) float32 in the learned space: unit vectors, or means of them.
        weights: (n,) float64, sums of `repetition_weights`; 1 for rows outside the log.
        labels: (n,) int64: index of the known intent, UNLABELED (the log), or OUT_OF_DOMAIN.
        log_odds: (n,) mean log-odds that an utterance belongs to its best known intent; read for
            rows of the log only.
        label_density: (n,) mean `Model.label_density` of these intents.
        intents: (n,) int64, the best known intent of most utterances; -1 without labels.
        sizes: (n,) number of distinct utterances; None: one each.
    """

    vectors: np.ndarray
    weights: np.ndarray
    labels: np.ndarray
    log_odds: np.ndarray
    label_density: np.ndarray
    intents: np.ndarray
    sizes: np.ndarray | None = None

    def log_counts(self, clusters: np.ndarray, n: int) -> tuple[np.ndarray, ...]:
        """Summarize the log's share of each cluster 0 … n - 1.

        Args:
            clusters: (rows,) cluster of each point.
            n: number of clusters.

        Returns:
            (n,) distinct utterances; (n,) their mean log-odds of being known; (n,) what their
            disagreement about the known intent adds to that mean, at most 0; (n,) labels to expect
            if the cluster is known.
        """
        log = self.labels == UNLABELED
        sizes = np.ones(len(log)) if self.sizes is None else self.sizes

        def total(column: np.ndarray) -> np.ndarray:
            return np.bincount(clusters[log], column[log], minlength=n)

        count = total(sizes)
        utterances = np.maximum(count, 1)
        mean = total(self.log_odds * sizes) / utterances
        agrees = self._agrees(clusters, sizes)
        agreed = total(for_intents(self.log_odds, agrees) * sizes)
        # One utterance that looks like a rare intent would raise the labels to expect far too much.
        weights = sizes * agrees
        density = total(self.label_density * weights) / np.maximum(total(weights), 1)
        expected = density * count / max(1.0, count.sum())
        return count, mean, agreed / utterances - mean, expected

    def _agrees(self, clusters: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """Return (rows,) bool, True if the best known intent of a point is one of its cluster.

        The intents of a cluster are those of its labels, and the most frequent best known intent.
        """
        most = max(self.labels.max(initial=0), self.intents.max(initial=0)) + 1
        log = np.flatnonzero((self.labels == UNLABELED) & (self.intents >= 0))
        own = clusters * most + np.where(self.labels >= 0, self.labels, self.intents)
        pairs, inverse = np.unique(own[log], return_inverse=True)
        count = np.bincount(inverse, sizes[log], minlength=len(pairs))
        order = np.lexsort((-pairs, count, pairs // most))
        last = np.flatnonzero(np.diff(pairs[order] // most, append=-1))
        common = pairs[order[last]]
        return np.isin(own, np.concatenate([own[self.labels >= 0], common]))


def label_density(scores: NoveltyScores, labels: np.ndarray, n_intents: int) -> np.ndarray:
    """Return the labels of each known intent / its share of the log, by stage I.

    Labels are often balanced, and logs are skewed: an intent that is half of the log has few labels
    for each of its utterances.

    Args:
        scores: stage I on n utterances of the log.
        labels: (m,) int64 known intents of the labeled utterances.
        n_intents: number of known intents.

    Returns:
        (n_intents,) float64; an intent counts as at least one utterance of the log.
    """
    found = np.bincount(scores.best_class, scores.probability, minlength=n_intents)
    given = np.bincount(labels, minlength=n_intents)
    return given * max(1, len(scores.best_class)) / np.maximum(found, 1.0)


def repetition_weights(counts: np.ndarray) -> np.ndarray:
    """Return the weights of repeated utterances in linkage: ⌊log₂ n⌋ + 1.

    Damping keeps a text that a bot repeats from pulling two intents together. The weights are whole
    numbers, so their sums are exact in any order (benchmarks/history.md, *End to end*).

    Args:
        counts: (n,) int64, occurrences, at least 1.

    Returns:
        (n,) int64.
    """
    return np.frexp(counts)[1].astype(np.int64)


def utterance_clusters(
    ids: np.ndarray,
    vectors: np.ndarray,
    counts: np.ndarray,
    scores: NoveltyScores | None,
    label_density: np.ndarray,
) -> Clusters:
    """Return the utterances of a log as clusters of one.

    Args:
        ids: (n,) S32, utterance ids.
        vectors: (n, d) unit vectors in the learned space.
        counts: (n,) int64, occurrences.
        scores: stage I on the utterances; None without labels.
        label_density: (k,) `Model.label_density` of the known intents.
    """
    log_odds = density = np.zeros(len(ids))
    best = np.full(len(ids), -1)
    if scores is not None:
        best = scores.best_class
        log_odds, density = scores.log_odds, label_density[best]
    return Clusters(
        ids=ids,
        means=vectors.astype(np.float16),
        weights=repetition_weights(counts),
        sizes=np.ones(len(ids), np.int64),
        log_odds=log_odds,
        label_density=density,
        intents=best,
    )


def anchor_clusters(vectors: np.ndarray) -> Clusters:
    """Return labeled and out-of-domain utterances, (n, d) in the learned space, as clusters.

    They count for nothing in the log: their ids are row numbers.
    """
    n = len(vectors)
    return Clusters(
        ids=np.array([f"{i:032x}" for i in range(n)], "S32"),
        means=vectors.astype(np.float16),
        weights=np.ones(n, np.int64),
        sizes=np.ones(n, np.int64),
        log_odds=np.zeros(n),
        label_density=np.zeros(n),
        intents=np.full(n, -1),
    )


def largest_clusters(
    parts: Iterable[Clusters], at_most: int, none: Clusters
) -> tuple[Clusters, int]:
    """Return the largest clusters of all parts, ties by id.

    At most twice as many clusters, and one part, are held at the same time.

    Args:
        parts: read one by one.
        at_most: number of clusters to keep.
        none: no clusters, of the right dimension.

    Returns:
        the clusters, sorted by id, and the number of utterances in all other clusters.
    """
    kept, utterances = [none], 0
    for part in parts:
        kept.append(part)
        utterances += int(part.sizes.sum())
        if sum(len(c.ids) for c in kept) > 2 * at_most:
            kept = [_largest(kept, at_most)]
    largest = _largest(kept, at_most)
    return largest, utterances - int(largest.sizes.sum())


def _largest(parts: list[Clusters], at_most: int) -> Clusters:
    everything = Clusters.joined(parts)
    order = np.argsort(-everything.sizes, kind="stable")
    return everything.take(np.sort(order[:at_most]))


def points_of(log: Clusters, anchors: Clusters, anchor_labels: np.ndarray) -> Points:
    """Put the log's clusters and the anchors together.

    Args:
        log: clusters of the log's utterances, sorted by id.
        anchors: by `anchor_clusters`.
        anchor_labels: (a,) int64: index of the known intent, or OUT_OF_DOMAIN.
    """
    return Points(
        vectors=np.concatenate([log.means, anchors.means]).astype(np.float32),
        weights=np.concatenate([log.weights, anchors.weights]).astype(np.float64),
        labels=np.concatenate([np.full(len(log.ids), UNLABELED), anchor_labels]),
        log_odds=np.concatenate([log.log_odds / log.sizes, anchors.log_odds]),
        label_density=np.concatenate([log.label_density / log.sizes, anchors.label_density]),
        intents=np.concatenate([log.intents, anchors.intents]),
        sizes=np.concatenate([log.sizes, anchors.sizes]),
    )
