"""Stage II: find clusters in the learned space and turn them into intents.

Clusters come from average linkage down to the learned distance, or from HDBSCAN. A cluster of a
known intent may contain a novel intent close to it: such parts are searched for at smaller
distances and split off. Every cluster then gets its kind, and every intent its centroid.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from advin.discovery.clustering.density import density_clusters
from advin.discovery.clustering.linkage import average_linkage
from advin.discovery.compute.classes import nearest_centroids, unit_rows
from advin.discovery.config import Config, IntentsConfig
from advin.discovery.intents.assignment import Intents, Parts
from advin.discovery.intents.merging import label_trust, merge_distances
from advin.discovery.intents.points import Points
from advin.discovery.intents.rules import IntentRules
from advin.discovery.intents.verdicts import (
    ClusterStats,
    cluster_kinds,
    cluster_stats,
    known_log_odds,
    label_dispersion,
    label_evidence,
    label_match,
)
from advin.discovery.labels import JUNK, NOVEL, TOO_SMALL, UNCLEAR, UNLABELED


def discover_intents(points: Points, rules: IntentRules, config: Config) -> Intents:
    """Cluster the points, and separate known intents, novel intents and other clusters.

    Args:
        points: log, labeled utterances and out-of-domain examples.
        rules: learned distance, radius and least size.
        config: how to cluster, when a cluster is known, novel or junk, and how far novel
            intents are merged.

    Returns:
        every known intent with a labeled utterance, by index; then novel intents, junk, unclear
        clusters and clusters that are too small, each in the order of their first point. A single
        utterance is no cluster; at most `max_dropped` unclear and too small ones are returned.

    Raises:
        ValueError: if there are too many points for one worker.
    """
    tunables = config.intents
    if len(points.vectors) > tunables.max_points:
        raise ValueError(
            f"{len(points.vectors)} points, but at most {tunables.max_points} are clustered on one "
            "worker: sample them first"
        )
    clusters, pieces, dispersion = _clusters(points, rules, tunables)
    stats = cluster_stats(points, clusters)
    evidence = label_evidence(stats, dispersion, tunables)
    kinds = cluster_kinds(stats, evidence, rules.min_size, tunables)
    owner = _owners(points, kinds[clusters])
    known = np.unique(owner[owner >= 0])
    rows = [np.flatnonzero(owner == intent) for intent in known]
    kind = list(known)
    for wanted in (NOVEL, JUNK):
        for cluster in np.flatnonzero(kinds == wanted):
            rows.append(np.flatnonzero((clusters == cluster) & (points.labels < 0)))
            kind.append(wanted)
    for dropped in _largest_dropped(stats, kinds, tunables.max_dropped):
        rows.append(np.flatnonzero((clusters == dropped) & (points.labels == UNLABELED)))
        kind.append(kinds[dropped])
    prior = cluster_log_odds(stats, evidence, tunables)[clusters]
    looks_known, with_labels = label_match(stats, tunables)
    means = _means(points, rows)
    novel = {i: group for i, group in enumerate(rows) if kind[i] == NOVEL}
    trust = label_trust(looks_known, with_labels, config.labels.good_match)
    is_novel = np.isin(kinds[clusters], (NOVEL, TOO_SMALL)) & (points.labels == UNLABELED)
    merges = merge_distances(points, np.where(is_novel, clusters, -1), trust, rules, config)
    # A distance beyond the learned one needs a wider radius.
    radius = max(rules.radius, config.distance.radius_share * merges.auto)
    return Intents(
        centroids=unit_rows(means).astype(np.float32),
        kinds=np.array(kind, np.int64),
        radii=np.full(len(rows), radius, np.float32),
        log_odds=np.array([prior[group].mean() for group in rows], np.float32),
        norms=np.linalg.norm(means, axis=1).astype(np.float32),
        parts=_parts(points, novel, pieces, rules.min_size),
        looks_known=looks_known,
        with_labels=with_labels,
        merges=merges,
    )


def _means(points: Points, groups: Sequence[np.ndarray]) -> np.ndarray:
    """Return the (g, d) float64 mean vectors of groups of points, by distinct utterance."""
    means = np.zeros((len(groups), points.vectors.shape[1]))
    for mean, group in zip(means, groups, strict=True):
        sizes = None if points.sizes is None else points.sizes[group]
        mean[:] = np.average(points.vectors[group].astype(np.float64), 0, sizes)
    return means


def _parts(
    points: Points, novel: Mapping[int, np.ndarray], pieces: np.ndarray, min_size: int
) -> Parts:
    """Return the parts of novel intents: pieces that are large enough for an intent.

    Utterances of smaller pieces go to the nearest part later. An intent with fewer than two large
    pieces has no parts.

    Args:
        points: all points.
        novel: the points of each novel intent, by row of the intent.
        pieces: (n,) piece of each point, at the fine distance.
        min_size: distinct utterances of an intent.
    """
    clusters: list[int] = []
    groups: list[np.ndarray] = []
    sizes = np.ones(len(pieces)) if points.sizes is None else points.sizes
    for row, group in novel.items():
        _, index = np.unique(pieces[group], return_inverse=True)
        large = np.flatnonzero(np.bincount(index, sizes[group]) >= min_size)
        if len(large) > 1:
            groups += [group[index == piece] for piece in large]
            clusters += [row] * len(large)
    centroids = unit_rows(_means(points, groups)).astype(np.float32)
    return Parts(np.array(clusters, np.int64), centroids)


def cluster_log_odds(
    stats: ClusterStats, evidence: np.ndarray, config: IntentsConfig
) -> np.ndarray:
    """Return the log-odds (n,) of being known that a cluster passes on to its utterances.

    An utterance adds its own log-odds by stage I, times `own_weight` (see `assign`).
    """
    shared = (1 - config.own_weight) * stats.log_odds
    return shared + stats.disagreement + config.known_log_odds + evidence


def _largest_dropped(stats: ClusterStats, kinds: np.ndarray, most: int) -> list[int]:
    """Return the largest unclear and too small clusters of several utterances, unclear ones first.

    Args:
        stats: of all clusters.
        kinds: (n,) their kinds.
        most: number of clusters to return.
    """
    dropped = np.flatnonzero(((kinds == UNCLEAR) | (kinds == TOO_SMALL)) & (stats.log > 1))
    order = np.lexsort((dropped, -stats.log[dropped]))[:most]
    return sorted(dropped[order].tolist(), key=lambda cluster: (-kinds[cluster], cluster))


def _clusters(
    points: Points, rules: IntentRules, config: IntentsConfig
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return clusters (n,), their pieces (n,) at the fine distance, and the dispersion of labels.

    Clusters are numbered 0, 1, … in the order of their first points. A known cluster is cut again
    at smaller distances. Parts that are novel are split off. HDBSCAN finds no smaller pieces.
    """
    if config.clustering == "density":
        labels = _numbered(
            density_clusters(
                points.vectors, rules.distance, rules.min_size, config.max_density_points
            )
        )
        return labels, labels, label_dispersion(cluster_stats(points, labels), config)
    sums = points.vectors * points.weights[:, None]
    tree = average_linkage(sums, points.weights, floor=1 - rules.distance)
    clusters = _numbered(tree.cut(1 - rules.distance))
    stats = cluster_stats(points, clusters)
    dispersion = label_dispersion(stats, config)
    evidence = label_evidence(stats, dispersion, config)
    is_known = cluster_kinds(stats, evidence, rules.min_size, config) >= 0
    parts = clusters
    for cut in config.refinement_cuts if is_known.any() else ():
        fine = _numbered(tree.cut(1 - cut * rules.distance))
        of_part = cluster_stats(points, fine)
        log_odds = known_log_odds(of_part, label_evidence(of_part, dispersion, config), config)
        is_novel = (of_part.log >= rules.min_size) & (log_odds < -config.split_log_odds)
        # Parts that were split off at a larger distance stay whole.
        split = is_novel[fine] & is_known[clusters] & (parts == clusters)
        parts = np.where(split, parts.max() + 1 + fine, parts)
    return _numbered(parts), tree.cut(1 - rules.fine), dispersion


def _owners(points: Points, kinds: np.ndarray) -> np.ndarray:
    """Return (n,) the known intent of each point, or the kind of its cluster.

    Close intents may share a cluster. An unlabeled row of a known cluster belongs to the intent
    with the nearest labeled centroid (benchmarks/history.md, *Stage II*).

    Args:
        points: all points.
        kinds: (n,) kind of the cluster of each point.
    """
    labeled = points.labels >= 0
    owner = np.where(labeled, points.labels, kinds)
    free = np.flatnonzero(~labeled & (kinds >= 0))
    if len(free):
        owner[free] = nearest_centroids(
            points.vectors[free], points.vectors[labeled], points.labels[labeled]
        )[0]
    return owner


def _numbered(labels: np.ndarray) -> np.ndarray:
    """Return (n,) labels as 0, 1, … in the order of their first rows."""
    _, first, index = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[index]
