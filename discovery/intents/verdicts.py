"""One posterior decides which clusters are known intents, novel intents or junk.

Labeled utterances and out-of-domain examples are clustered with the log. Two things tell a known
cluster from a novel one: the log-odds of stage I, and the labels that the cluster holds, compared
with the labels of equally many utterances of its known intents. How much missing labels prove is
learned from the log: where labels and log do not mix, labels vary more than by chance, and their
absence proves little (benchmarks/history.md, *One posterior*).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from scipy.stats import nbinom

from advin.discovery.config import IntentsConfig
from advin.discovery.intents.points import Points
from advin.discovery.labels import JUNK, NOVEL, OUT_OF_DOMAIN, TOO_SMALL, UNCLEAR


@dataclass(frozen=True, slots=True)
class ClusterStats:
    """What each of n clusters contains.

    Attributes:
        log: (n,) distinct utterances of the log.
        log_odds: (n,) their mean log-odds of being known, by stage I.
        disagreement: (n,) at most 0; it lowers these log-odds if stage I takes the utterances for
            different known intents (see `Points.log_counts`).
        expected: (n,) labeled utterances to expect if the cluster is known.
        out_of_domain: (n,) out-of-domain examples.
        labeled: (n,) labeled utterances.
        intent: (n,) intent of most labeled utterances, ties by the smaller index; -1: no labels.
    """

    log: np.ndarray
    log_odds: np.ndarray
    disagreement: np.ndarray
    expected: np.ndarray
    out_of_domain: np.ndarray
    labeled: np.ndarray
    intent: np.ndarray


def cluster_stats(points: Points, clusters: np.ndarray) -> ClusterStats:
    """Count what is in each cluster; clusters (rows,) are numbered from 0."""
    n = clusters.max(initial=-1) + 1
    log, log_odds, disagreement, expected = points.log_counts(clusters, n)
    out_of_domain = np.bincount(clusters[points.labels == OUT_OF_DOMAIN], minlength=n)
    is_labeled = points.labels >= 0
    labels, where = points.labels[is_labeled], clusters[is_labeled]
    (cluster, intent), count = np.unique(np.stack([where, labels]), axis=1, return_counts=True)
    most = np.full(n, -1)
    # If a cluster occurs several times, the last assignment wins.
    order = np.lexsort((-intent, count))
    most[cluster[order]] = intent[order]
    labeled = np.bincount(where, minlength=n)
    return ClusterStats(log, log_odds, disagreement, expected, out_of_domain, labeled, most)


def label_evidence(stats: ClusterStats, dispersion: float, config: IntentsConfig) -> np.ndarray:
    """Return how much the number of labels speaks for a known cluster, as log-odds.

    Labels of a known cluster follow a negative binomial distribution with the expected mean. A
    novel cluster holds labels only by errors of the clustering, a small share of that mean; their
    number follows a geometric distribution.

    Args:
        stats: of n clusters.
        dispersion: by `label_dispersion`.
        config: the share of the expected labels in a novel cluster.

    Returns:
        (n,) float64; 0 for a cluster without utterances of the log.
    """
    expected = np.where(stats.log > 0, stats.expected, 1.0)
    known = nbinom.logpmf(stats.labeled, dispersion, dispersion / (dispersion + expected))
    novel = nbinom.logpmf(stats.labeled, 1, 1 / (1 + config.stray_labels * expected))
    # Missing labels never speak for a known cluster.
    most = np.where(stats.labeled > 0, np.inf, 0.0)
    return np.where(stats.log > 0, np.minimum(known - novel, most), 0.0)


def known_log_odds(
    stats: ClusterStats, evidence: np.ndarray | float, config: IntentsConfig
) -> np.ndarray:
    """Return the log-odds (n,) that clusters are known, from stage I, the prior and the labels.

    Args:
        stats: of n clusters.
        evidence: (n,) by `label_evidence`; 0 for the log-odds without the labels.
        config: the prior.
    """
    return stats.log_odds + stats.disagreement + config.known_log_odds + evidence


def label_match(stats: ClusterStats, config: IntentsConfig) -> tuple[int, int]:
    """Return how many utterances look known, and how many of these share a cluster with labels.

    A cluster looks known if its log-odds are above 0 before its labels count as evidence. If labels
    and log match, nearly all utterances of such clusters share them with labels.

    Args:
        stats: of all clusters.
        config: the prior.
    """
    if not stats.labeled.any():
        return 0, 0
    looks_known = known_log_odds(stats, 0.0, config) > 0
    counted = (stats.log[looks_known], stats.log[looks_known & (stats.labeled > 0)])
    return int(counted[0].sum()), int(counted[1].sum())


def label_dispersion(stats: ClusterStats, config: IntentsConfig) -> float:
    """Return the dispersion (size) of the negative binomial that explains the labels best.

    Stage I gives the prior of each cluster to be known. A small dispersion says that labels
    and log do not mix.

    Args:
        stats: of all clusters.
        config: dispersions to choose from, prior, and the share of labels in a novel cluster.
    """
    prior = expit(known_log_odds(stats, 0.0, config))
    prior = np.clip(prior, config.least_prior, 1 - config.least_prior)
    in_log = stats.log > 0

    def likelihood(dispersion: float) -> float:
        """Return the log-likelihood, but for a constant: that of all clusters being novel."""
        odds = np.log(prior) + label_evidence(stats, dispersion, config)
        return float(np.logaddexp(odds, np.log1p(-prior))[in_log].sum())

    return max(config.label_dispersions, key=likelihood)


def cluster_kinds(
    stats: ClusterStats, evidence: np.ndarray, min_size: int, config: IntentsConfig
) -> np.ndarray:
    """Return the kind of each cluster: a known intent, NOVEL, JUNK, UNCLEAR or TOO_SMALL.

    Args:
        stats: of all clusters.
        evidence: (n,) by `label_evidence`.
        min_size: distinct utterances of a novel intent.
        config: prior, and odds of junk.

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
        is_known = known_log_odds(stats, evidence, config) > 0
        kinds = np.where(is_known & (stats.labeled > 0), stats.intent, kinds)
        # Stage I takes it for known, but no label says for which intent.
        kinds = np.where(is_known & (stats.labeled == 0) & (kinds != TOO_SMALL), UNCLEAR, kinds)
    return kinds
