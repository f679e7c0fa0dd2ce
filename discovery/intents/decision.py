"""Stage II: clusters to intents, known and novel, and the rule that assigns utterances to them.

Labeled utterances and out-of-domain examples are clustered along with the log. What a cluster
holds tells what it is: single utterances near the edge of a known intent look like known ones, a
whole cluster of them does not, and where labeled utterances would be expected their absence tells.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import poisson

from advin.discovery.clustering.density import density_clusters
from advin.discovery.clustering.linkage import average_linkage
from advin.discovery.compute.classes import nearest, nearest_centroids
from advin.discovery.config import IntentsConfig
from advin.discovery.labels import UNLABELED

# Labels of points, beside UNLABELED, and kinds of clusters: 0, 1, … is a known intent.
OUT_OF_DOMAIN = -2
NOVEL = -1

# Clusters of known intents are looked through at these shares of the distance: what is set apart
# should be whole. On end-to-end logs of clinc150 (0 to 3) 83 and 86 % of the large novel intents
# are recovered without and with the first; on seven others it changes nothing, nor do more.
_CLOSER = (0.85, 0.7, 0.5, 0.35)
# A cluster, or a part of one, lacks labeled utterances if it holds less than this share of those
# expected, and chance leaves as few (Poisson) in no more than so many cases: of many parts, some
# hold few. On end-to-end logs of clinc150 and massive_en (seed 0) novel utterances found in parts
# rise from 38 to 54 and from 53 to 76 %, known ones in novel intents from 0.1 to 0.2 and from 0.9
# to 1.0 %. Where few are labeled it is clusters that chance decides: `discover` in
# benchmarks/history.md, *Few labels by chance*.
_FEW_LABELED = 0.3
_RARELY_IN_CLUSTERS = 0.05
_RARELY_IN_PARTS = 0.003
# So many clusters of known intents tell what such clusters are like; nine of ten hold more labeled
# utterances than is expected elsewhere. A cluster that lacks them is novel if it looks more so than
# the median of those, however few single utterances are flagged: where 5 % of the known ones are,
# novel utterances found rise from 24 to 57 and from 53 to 76 % on the same logs.
_ENOUGH_KNOWN = 4
# Those that are as large as a novel intent has to be tell; in a short log, where few are, so many
# of the largest. On a log of HWU64 with seven utterances of a known intent and 1 % of them
# flagged, novel utterances found rise from 10 to 85 %.
_TELLING = 10
_RARELY_FEWER = 0.1

# More points than this are not linked on one worker; callers link parts of a larger log first.
MAX_POINTS = 150_000


@dataclass(frozen=True, slots=True)
class Points:
    """What is clustered together: the log's utterances, labeled ones, out-of-domain examples.

    Of a large log, a point may be a cluster of utterances already.

    Attributes:
        vectors: (n, d) float32 in the learned space: unit vectors, or means of them.
        weights: (n,) sums of `repetition_weights`; 1 for those that are not from the log.
        labels: (n,) int64: index of the known intent, UNLABELED (the log), or OUT_OF_DOMAIN.
        novelty: (n,) novelty scores, above 0 flagged; only those of the log are looked at.
        sizes: (n,) distinct utterances in each; None: one.
        kept: (n,) how many of them are not flagged; None: by their novelty.
    """

    vectors: np.ndarray
    weights: np.ndarray
    labels: np.ndarray
    novelty: np.ndarray
    sizes: np.ndarray | None = None
    kept: np.ndarray | None = None

    def log_counts(self, clusters: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return what of the log is in each of n clusters.

        Returns:
            (n,) distinct utterances, (n,) how many of them are not flagged, (n,) mean novelty.
        """
        log = self.labels == UNLABELED
        sizes = np.ones(len(log)) if self.sizes is None else self.sizes
        kept = self.novelty <= 0 if self.kept is None else self.kept

        def total(column: np.ndarray) -> np.ndarray:
            return np.bincount(clusters[log], column[log], minlength=n)

        count = total(sizes)
        return count, total(kept), total(self.novelty * sizes) / np.maximum(count, 1)


@dataclass(frozen=True, slots=True)
class IntentRules:
    """What turns clusters into intents.

    Attributes:
        distance: average cosine distance up to which clusters are merged: the learned one.
        radius: largest 1 - cosine to its centroid at which an intent takes an utterance.
        min_size: distinct utterances of the log that make a novel intent.
        clustering: exact average linkage, or HDBSCAN.
        junk_odds: a cluster is junk when the odds that an out-of-domain example is in it are at
            least this many times those of an utterance of the log. On six end-to-end logs of
            massive_en, clinc150 and sgd, 68, 70 and 73 % of novel utterances are found at 0.5, 1
            and 2, and no more at 3; novel intents that are junk are 5.5, 5.8 and 6.3.
        known_share: a cluster that holds this share of an intent's labeled utterances is that
            intent, whatever the novelty scores say.
    """

    distance: float
    radius: float
    min_size: int = 5
    clustering: Literal["linkage", "density"] = "linkage"
    junk_odds: float = 2.0
    known_share: float = 0.3


@dataclass(frozen=True, slots=True)
class Intents:
    """Centroids to assign utterances to.

    Attributes:
        centroids: (m, d) float32, unit norm.
        kinds: (m,) int64: index of the known intent, NOVEL, or OUT_OF_DOMAIN.
        radii: (m,) float32, largest 1 - cosine at which it takes an utterance.
    """

    centroids: np.ndarray
    kinds: np.ndarray
    radii: np.ndarray


def repetition_weights(counts: np.ndarray) -> np.ndarray:
    """Return what utterances count for in linkage that were said so often: ⌊log₂ n⌋ + 1.

    Damped as the frequency of a term is in tf-idf, or else an intent is where the one text is that
    a bot repeats, and draws others to it. On end-to-end logs (fast, 5 % of the known flagged), of
    large novel intents 62 and 91 % are recovered, with n itself 55 and 88, with 1 whatever n is 60
    and 86 (massive_en, seeds 0 to 6, and clinc150, 0 to 7). Whole numbers, as their sums are exact
    in any order.

    Args:
        counts: (n,) int64, at least 1.

    Returns:
        (n,) int64.
    """
    return np.frexp(counts)[1].astype(np.int64)


def discover_intents(points: Points, rules: IntentRules) -> Intents:
    """Cluster the points, and tell known intents, novel intents and junk apart.

    Every known intent that has a labeled utterance comes out, in the order of its index; novel
    intents follow, then junk, both in the order of their first point.
    """
    if len(points.vectors) > MAX_POINTS:
        raise ValueError(
            f"{len(points.vectors)} points, but at most {MAX_POINTS} are linked on one worker: "
            "sample them first"
        )
    clusters = _clusters(points, rules)
    kinds = _verdicts(_held(points, clusters), rules)
    owner = _owners(points, kinds[clusters])
    known = np.unique(owner[owner >= 0])
    rows = [np.flatnonzero(owner == k) for k in known]
    kind = list(known)
    for verdict in (NOVEL, OUT_OF_DOMAIN):
        for cluster in np.flatnonzero(kinds == verdict):
            rows.append(np.flatnonzero((clusters == cluster) & (points.labels < 0)))
            kind.append(verdict)
    centroids = np.zeros((len(rows), points.vectors.shape[1]), np.float32)
    for centroid, group in zip(centroids, rows, strict=True):
        sizes = None if points.sizes is None else points.sizes[group]
        centroid[:] = _unit(np.average(points.vectors[group].astype(np.float64), 0, sizes))
    return Intents(
        centroids=centroids,
        kinds=np.array(kind, np.int64),
        radii=np.full(len(rows), rules.radius, np.float32),
    )


def _owners(points: Points, kinds: np.ndarray) -> np.ndarray:
    """Return (n,) the known intent of each point, or the kind (n,) of its cluster if that is none.

    Near intents are linked. Which of the known ones an utterance of a known cluster is of, the
    labeled utterances tell: with a tenth labeled ARI rises from 83.6 to 84.7 on textoir_clinc and
    stays on textoir_banking (75 % known, seed 0), as it does on end-to-end logs, where most are.
    """
    labeled = points.labels >= 0
    owner = np.where(labeled, points.labels, kinds)
    free = np.flatnonzero(~labeled & (kinds >= 0))
    if len(free):
        owner[free] = nearest_centroids(
            points.vectors[free], points.vectors[labeled], points.labels[labeled]
        )[0]
    return owner


def assign(vectors: np.ndarray, intents: Intents) -> tuple[np.ndarray, np.ndarray]:
    """Assign utterances to the nearest centroid, if that is an intent and within its radius.

    Returns:
        (n,) int32 index into the centroids or -1, and (n,) float32 distances, 1 - cosine; 1 where
        there are no centroids at all.
    """
    if not len(intents.centroids):
        return np.full(len(vectors), -1, np.int32), np.ones(len(vectors), np.float32)
    index, distance = nearest(vectors, intents.centroids)
    inside = (distance <= intents.radii[index]) & (intents.kinds[index] != OUT_OF_DOMAIN)
    return np.where(inside, index, -1).astype(np.int32), distance


def _clusters(points: Points, rules: IntentRules) -> np.ndarray:
    """Return (n,) cluster numbers 0, 1, … in the order of their first points."""
    if rules.clustering == "density":
        return _numbered(
            density_clusters(
                points.vectors, rules.distance, rules.min_size, IntentsConfig().max_density_points
            )
        )
    sums = points.vectors * points.weights[:, None]
    tree = average_linkage(sums, points.weights, floor=1 - rules.distance)
    clusters = _numbered(tree.cut(1 - rules.distance))
    held = _held(points, clusters)
    usual = _usual(held, rules)
    is_known = _verdicts(held, rules) >= 0
    # Labeled utterances for each one of the log's, in the cluster that a row is in.
    rate = (held.labeled / np.maximum(held.kept, 1))[clusters]
    parts = clusters
    for share in _CLOSER:
        fine = _numbered(tree.cut(1 - share * rules.distance))
        # What has been set apart stays whole at the next, smaller distance.
        hidden = _hidden(points, fine, rate, rules.min_size, usual) & is_known[clusters]
        hidden &= parts == clusters
        parts = np.where(hidden, parts.max() + 1 + fine, parts)
    return _numbered(parts)


@dataclass(frozen=True, slots=True)
class _Held:
    """What each of n clusters holds.

    Attributes:
        log: (n,) distinct utterances of the log.
        kept: (n,) how many of them are not flagged.
        novelty: (n,) their mean novelty.
        junk: (n,) out-of-domain examples.
        labeled: (n,) labeled utterances.
        share: (n,) the largest share of an intent's labeled utterances.
        intent: (n,) the intent that most of them are of, ties by the smaller index; -1 where there
            are none.
    """

    log: np.ndarray
    kept: np.ndarray
    novelty: np.ndarray
    junk: np.ndarray
    labeled: np.ndarray
    share: np.ndarray
    intent: np.ndarray


def _held(points: Points, clusters: np.ndarray) -> _Held:
    """Look into clusters 0, 1, …"""
    n = clusters.max() + 1
    log, kept, novelty = points.log_counts(clusters, n)
    junk = np.bincount(clusters[points.labels == OUT_OF_DOMAIN], minlength=n)
    labels, where = points.labels[points.labels >= 0], clusters[points.labels >= 0]
    (cluster, intent), count = np.unique(np.stack([where, labels]), axis=1, return_counts=True)
    share, most = np.zeros(n), np.full(n, -1)
    np.maximum.at(share, cluster, count / np.bincount(labels)[intent])
    # Of several for one cluster the last is kept.
    order = np.lexsort((-intent, count))
    most[cluster[order]] = intent[order]
    labeled = np.bincount(where, minlength=n)
    return _Held(log, kept, novelty, junk, labeled, share, most)


@dataclass(frozen=True, slots=True)
class _Usual:
    """What the clusters of known intents are like.

    Attributes:
        novelty: the median of their mean novelty, if below 0.
        labeled: how many labeled utterances they hold for each of the log's; nine of ten do.
    """

    novelty: float = 0.0
    labeled: float = 0.0


def _usual(held: _Held, rules: IntentRules) -> _Usual:
    """Look at the clusters that hold a good share of an intent's labeled utterances."""
    of_known = (held.share >= rules.known_share) & (held.log > 0)
    if np.count_nonzero(of_known) < _ENOUGH_KNOWN:
        return _Usual()
    largest = np.sort(held.log[of_known])[-_TELLING:]
    of_known &= held.log >= min(rules.min_size, largest[0])
    labeled = held.labeled[of_known] / held.log[of_known]
    return _Usual(
        novelty=min(0.0, float(np.median(held.novelty[of_known]))),
        labeled=float(np.quantile(labeled, _RARELY_FEWER)),
    )


def _lacks(found: np.ndarray, expected: np.ndarray, rarely: float) -> np.ndarray:
    """Tell where far fewer labeled utterances are found than are expected, as rarely as that."""
    return (found < _FEW_LABELED * expected) & (poisson.cdf(found, expected) < rarely)


def _hidden(
    points: Points, fine: np.ndarray, rate: np.ndarray, min_size: int, usual: _Usual
) -> np.ndarray:
    """Tell which rows are in a part of their cluster that is novel, if the cluster is known.

    An intent close to a known one is linked with it. A part of a known cluster, which is what the
    tree holds at a smaller distance, is one if it looks more novel than known ones usually do, and
    lacks the labeled utterances that its size lets expect by the rest of the cluster.
    """
    n = fine.max() + 1
    rate_of_part = np.zeros(n)
    rate_of_part[fine] = rate
    size, _, novelty = points.log_counts(fine, n)
    found = np.bincount(fine[points.labels >= 0], minlength=n)
    apart = (
        (size >= min_size)
        & (novelty > usual.novelty)
        & _lacks(found, rate_of_part * size, _RARELY_IN_PARTS)
    )
    return apart[fine]


def _numbered(labels: np.ndarray) -> np.ndarray:
    """Return labels as 0, 1, … in the order of their first rows."""
    _, first, index = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[index]


# A cluster that is no intent: too small.
_TOO_SMALL = -3


def _verdicts(held: _Held, rules: IntentRules) -> np.ndarray:
    """Return what each cluster is: a known intent, NOVEL, OUT_OF_DOMAIN or _TOO_SMALL."""
    log, junk = held.log, held.junk
    kinds = np.where(log >= rules.min_size, NOVEL, _TOO_SMALL)

    # Odds and not shares, as a cluster may be half of the log.
    chance = np.maximum(junk.sum() - junk, 1) * log
    is_junk = junk * np.maximum(log.sum() - log, 1) >= rules.junk_odds * chance
    kinds[(junk > 0) & is_junk] = OUT_OF_DOMAIN

    if held.labeled.any():
        usual = _usual(held, rules)
        holds_intent = held.share >= rules.known_share
        lacks = _lacks(held.labeled, usual.labeled * log, _RARELY_IN_CLUSTERS) & ~holds_intent
        looks_novel = held.novelty > np.where(lacks, usual.novelty, 0)
        is_known = (held.labeled > 0) & (~looks_novel | holds_intent)
        kinds = np.where(is_known, held.intent, kinds)
        # Not like anything novel, though no labeled utterance fell into it.
        kinds = np.where((held.labeled == 0) & ~looks_novel, _TOO_SMALL, kinds)
    return kinds


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
