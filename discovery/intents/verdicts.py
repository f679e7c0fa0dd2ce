"""The rule that decides which clusters are known intents, novel intents or junk.

Labeled utterances and out-of-domain examples are clustered with the log. A cluster with many
labeled utterances is a known intent. Where labels would be expected but are missing, and the
novelty scores agree, the cluster is novel. A cluster with many out-of-domain examples is junk
(benchmarks/history.md, *Rules that find novel clusters*).
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import poisson

from advin.discovery.config import IntentsConfig
from advin.discovery.intents.points import Points
from advin.discovery.labels import JUNK, NOVEL, OUT_OF_DOMAIN, TOO_SMALL, UNCLEAR


@dataclass(frozen=True, slots=True)
class ClusterStats:
    """What each of n clusters contains.

    Attributes:
        log: (n,) distinct utterances of the log.
        unflagged: (n,) how many of them are not flagged as novel.
        novelty: (n,) their mean novelty score.
        out_of_domain: (n,) out-of-domain examples.
        labeled: (n,) labeled utterances.
        share: (n,) largest share of an intent's labeled utterances, 0 to 1.
        intent: (n,) intent of most labeled utterances, ties by the smaller index; -1: no labels.
    """

    log: np.ndarray
    unflagged: np.ndarray
    novelty: np.ndarray
    out_of_domain: np.ndarray
    labeled: np.ndarray
    share: np.ndarray
    intent: np.ndarray


def cluster_stats(points: Points, clusters: np.ndarray) -> ClusterStats:
    """Count what is in each cluster; clusters (rows,) are numbered from 0."""
    n = clusters.max() + 1
    log, unflagged, novelty = points.log_counts(clusters, n)
    out_of_domain = np.bincount(clusters[points.labels == OUT_OF_DOMAIN], minlength=n)
    is_labeled = points.labels >= 0
    labels, where = points.labels[is_labeled], clusters[is_labeled]
    (cluster, intent), count = np.unique(np.stack([where, labels]), axis=1, return_counts=True)
    share, most = np.zeros(n), np.full(n, -1)
    np.maximum.at(share, cluster, count / np.bincount(labels)[intent])
    # If a cluster occurs several times, the last assignment wins.
    order = np.lexsort((-intent, count))
    most[cluster[order]] = intent[order]
    labeled = np.bincount(where, minlength=n)
    return ClusterStats(log, unflagged, novelty, out_of_domain, labeled, share, most)


@dataclass(frozen=True, slots=True)
class KnownClusterBaseline:
    """What clusters of known intents look like; the defaults expect nothing.

    Attributes:
        novelty: median of their mean novelty scores, at most 0.
        labeled: labeled utterances per utterance of the log, a low quantile.
        scores: their mean novelty scores.
    """

    novelty: float = 0.0
    labeled: float = 0.0
    scores: tuple[float, ...] = ()

    def chance(self, stats: ClusterStats) -> np.ndarray:
        """Return the chance that a known intent has as few labels and as high novelty scores.

        It is the Poisson probability of the labels times the share of known clusters, the judged
        one included, whose mean novelty score is at least as high.

        Args:
            stats: of n clusters.

        Returns:
            (n,) float64, 0 to 1.
        """
        higher = (np.array(self.scores) >= stats.novelty[:, None]).sum(axis=1)
        few = poisson.cdf(stats.labeled, self.labeled * stats.log)
        return few * (1 + higher) / (1 + len(self.scores))


def known_cluster_baseline(
    stats: ClusterStats, min_size: int, config: IntentsConfig
) -> KnownClusterBaseline:
    """Measure the clusters that contain a good share of an intent's labels.

    Args:
        stats: of all clusters.
        min_size: distinct utterances of a novel intent; in a short log, the largest clusters count
            even if they are smaller.
        config: number and quantiles of the clusters.
    """
    is_known = (stats.share >= config.known_share) & (stats.log > 0)
    if np.count_nonzero(is_known) < config.min_known_clusters:
        return KnownClusterBaseline()
    largest = np.sort(stats.log[is_known])[-config.baseline_clusters :]
    is_known &= stats.log >= min(min_size, largest[0])
    labeled = stats.labeled[is_known] / stats.log[is_known]
    return KnownClusterBaseline(
        novelty=min(0.0, float(np.median(stats.novelty[is_known]))),
        labeled=float(np.quantile(labeled, config.baseline_quantile)),
        scores=tuple(stats.novelty[is_known].tolist()),
    )


def has_too_few_labels(
    found: np.ndarray, expected: np.ndarray, alpha: float, config: IntentsConfig
) -> np.ndarray:
    """True where labels are significantly fewer than expected.

    Args:
        found: (n,) labeled utterances.
        expected: (n,) expected number of them.
        alpha: Poisson tail probability below which a count is significantly small.
        config: share of the expected number that is few.
    """
    return (found < config.few_labels * expected) & (poisson.cdf(found, expected) < alpha)


def cluster_kinds(stats: ClusterStats, min_size: int, config: IntentsConfig) -> np.ndarray:
    """Return the kind of each cluster: a known intent, NOVEL, JUNK, UNCLEAR or TOO_SMALL.

    Args:
        stats: of all clusters.
        min_size: distinct utterances of a novel intent.
        config: odds, shares and significance levels.

    Returns:
        (n,) int64.
    """
    log, junk = stats.log, stats.out_of_domain
    kinds = np.where(log >= min_size, NOVEL, TOO_SMALL)

    # Compare odds, not shares: a single cluster may be half of the log.
    chance = np.maximum(junk.sum() - junk, 1) * log
    is_junk = junk * np.maximum(log.sum() - log, 1) >= config.junk_odds * chance
    kinds[(junk > 0) & is_junk] = JUNK

    if stats.labeled.any():
        baseline = known_cluster_baseline(stats, min_size, config)
        expected = baseline.labeled * log
        holds_intent = stats.share >= config.known_share
        lacks_labels = ~holds_intent & has_too_few_labels(
            stats.labeled, expected, config.cluster_alpha, config
        )
        looks_novel = stats.novelty > np.where(lacks_labels, baseline.novelty, 0)
        # A few labels fewer may be chance, but not together with unusually high novelty scores.
        is_rare = (stats.novelty > baseline.novelty) & (
            baseline.chance(stats) < config.cluster_alpha
        )
        looks_novel |= (kinds == NOVEL) & (stats.labeled == 0) & is_rare
        is_known = (stats.labeled > 0) & (~looks_novel | holds_intent)
        kinds = np.where(is_known, stats.intent, kinds)
        # Without labels and without high novelty scores, a cluster is neither known nor novel.
        is_unclear = (kinds != TOO_SMALL) & (stats.labeled == 0) & ~looks_novel
        kinds = np.where(is_unclear, UNCLEAR, kinds)
    return kinds
