"""The distance at which intents separate, learned on intents held out from the metric head.

A head pulls the labeled utterances it has seen together far more than those of an intent it
knows nothing of. So known intents are held out in turn: a head is trained without their labels,
everything is linked, and the cut is the one that groups the held-out intents best: each in one,
apart from the other known ones, and apart from what stage I doubts. Where few intents are known,
most of what they may be merged with has no label. What is held out is made like what is new: a new
intent has no labeled utterances, and where labels are many and the log is short, it is far smaller
beside its neighbors than a known one with all of its labeled utterances.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from advin.discovery.clustering.linkage import Linkage, average_linkage
from advin.discovery.compute.classes import nearest_centroids, sample_evenly
from advin.discovery.labels import SUSPECTED_NOVEL, UNLABELED
from advin.discovery.metric.training import (
    MetricSettings,
    TrainingRows,
    default_neighbors,
    labeled_weight,
    labels_suffice,
    train_metric_head,
    unlabeled_neighbors,
)
from advin.discovery.selection.plateau import plateau_center

# Taken where neither labels nor the log tell. Distances of 0.48, 0.52, 0.56, 0.60 and 0.64 reach
# 79, 84, 85, 85 and 85 % of what the best does for each of twelve draws of four sets, with few and
# with many utterances an intent, by python -m benchmarks.intent_sizes.
DEFAULT_INTENT_DISTANCE = 0.56
# The radius, where no intent can be held out to learn it, is this share of the distance: at the
# best distances of textoir_banking and massive_en, 0.54 and 0.66, 0.38 and 0.50 cover 95 %, by
# python -m benchmarks.intent_discovery --methods default_distance --data FILE.parquet
_RADIUS_SHARE = 0.7

# Where a distance comes from: intents held out, what heads agree on, or nothing of the log's own.
LEARNED, AGREED, DEFAULT = "learned", "agreed", "default"

# Rows that a fold is learned on; more are sampled, labeled ones first.
MAX_FOLD_ROWS = 10_000
# Labeled ones among them, unless more rows of the log look known: half of all rows at most. Of
# more, what is held out is few beside them, and the distance smaller than suits the log: with
# 2,000, 4,000 and 10,000 0.36, 0.36 and 0.29 on end-to-end logs (massive_en 0 to 3, HWU64 0 and 1,
# clinc150 0 and 1), of the large novel intents of which 84, 79 and 77 % are recovered. Of fewer,
# intents that are held out are smaller than those of the log: with 2,000 for a log of 14,700 a
# smaller distance is learned, too (benchmarks/history.md, *Small beside labels*).
_LABELED_ROWS = 2_000
_FOLDS = 3
# Fewer distinct utterances than this are never a novel intent, and none that is held out has fewer.
SMALLEST_INTENT = 5

_GRID = np.round(np.arange(0.05, 0.951, 0.01), 2)
# Cuts whose agreement is within this share of the best one count as equally good.
_PLATEAU = 0.03
# A left-over cluster is smaller than this share of a neighborhood (30 % of an intent is found in
# one). On five train splits the ARI is the same from 0.3 to 0.7, and K is nearest at 0.5 to 0.6.
_SMALL_SHARE = 0.6
# Share of held-out utterances that the radius takes in. On end-to-end logs of clinc150 (seeds 0 to
# 2, 5 % of the known flagged) 84.7 and 86.7 % of novel utterances are found at 0.97 and 0.99, ARI
# is 78.5 and 84.3, and of the junk 1.7 and 3.0 % are in novel intents; on massive_en all the same.
_COVERED = 0.99


@dataclass(frozen=True, slots=True)
class IntentDistance:
    """A learned distance, with what it was learned from.

    Attributes:
        value: average cosine distance up to which clusters are merged.
        radius: largest 1 - cosine to its centroid at which an intent takes an utterance.
        small: clusters of fewer rows are left-overs.
        origin: LEARNED from labels, AGREED on by heads without them, or the DEFAULT.
        grid: (g,) cuts that were tried.
        agreement: (folds, g) `intent_f1` of each held-out fold at each cut.
    """

    value: float
    radius: float
    small: int
    origin: str
    grid: np.ndarray
    agreement: np.ndarray


@dataclass(frozen=True, slots=True)
class Fold:
    """Rows linked in the space of a head that has not seen the labels of some intents.

    Attributes:
        labels: (n,) of the rows, those held out among them; SUSPECTED_NOVEL where stage I, told of all
            labels, takes a row for none of theirs.
        held: (n,) whether a row's intent is held out.
        space: (n, d) the rows in the space of the head.
        tree: how they are linked.
        agreement: (g,) `intent_f1` at each cut of the grid.
    """

    labels: np.ndarray
    held: np.ndarray
    space: np.ndarray
    tree: Linkage
    agreement: list[float]

    @classmethod
    def learn(
        cls,
        rows: TrainingRows,
        held_out: np.ndarray,
        settings: MetricSettings,
        doubt: Callable[[TrainingRows], TrainingRows] | None,
    ) -> "Fold":
        """Hold some intents out, train a head without them, and link all rows."""
        labels, held = rows.labels, np.isin(rows.labels, held_out)
        told = replace(rows, labels=np.where(held | (labels < 0), UNLABELED, labels))
        head = train_metric_head(told if doubt is None else doubt(told), settings)
        space = head.transform(rows.vectors)
        tree = average_linkage(space, np.ones(len(space)), floor=1 - float(_GRID[-1]))
        sure = labels != UNLABELED
        shares = _shares(labels, held)[sure]
        agreement = [
            intent_f1(tree.cut(1 - float(cut))[sure], labels[sure], held[sure], shares)
            for cut in _GRID
        ]
        return cls(labels, held, space, tree, agreement)

    def reach(self, distance: float) -> float:
        """Return the distance to the nearest large cluster that covers the held-out rows."""
        clusters = self.tree.cut(1 - distance)
        told = np.where(self.held, UNLABELED, self.labels)
        small = _smallest(default_neighbors(self.space, told))
        _, index, counts = np.unique(clusters, return_inverse=True, return_counts=True)
        large = counts[index] >= small
        large = large if large.any() else np.ones_like(large)
        held, taking = self.space[self.held], self.space[large]
        distances = nearest_centroids(held, taking, clusters[large])[1]
        return round(float(np.quantile(distances, _COVERED)), 4)


def held_out_folds(
    rows: TrainingRows,
    settings: MetricSettings,
    doubt: Callable[[TrainingRows], TrainingRows] | None = None,
) -> list[Callable[[], Fold]]:
    """Return what there is to learn a distance from, to be run `run_parallel` with what else there is.

    Args:
        rows: what the metric head learns from, what looks like no known intent SUSPECTED_NOVEL.
        settings: of the head that the distance is for, its number of neighbors among them.
        doubt: given rows, the labels of some of which are hidden, it marks what looks like none of
            those left as SUSPECTED_NOVEL, as the rows of that head are marked.

    Returns:
        none where `labels_suffice` says no.
    """
    if not labels_suffice(rows.labels):
        return []
    intents, counts = np.unique(rows.labels[rows.labels >= 0], return_counts=True)
    usable = intents[counts >= 2]
    random = np.random.default_rng(settings.seed)
    sample = rows.take(_sample(rows.labels, random))
    parts = np.array_split(random.permutation(usable), _FOLDS)
    # A fold's head is trained like the head itself: as if it had all of the labels, and with
    # neighborhoods that hold as large a part of an intent of the log. Of a held-out intent it sees
    # as many rows as the log has of one. On end-to-end logs of massive_en and clinc150 (fast, five
    # seeds) large novel intents recovered rise from 51 to 65 and from 76 to 82 %, and without the
    # second to 56 and 79 %.
    log, all_log = (int(np.count_nonzero(part.labels < 0)) for part in (sample, rows))
    neighbors, few = (
        max(1, round(k * log / max(1, all_log)))
        for k in (settings.neighbors, unlabeled_neighbors(settings.neighbors, rows.labels))
    )
    settings = replace(
        settings,
        labeled_weight=labeled_weight(rows.labels, settings),
        neighbors=neighbors,
        unlabeled_neighbors=few,
    )
    most = dict(
        zip(intents, np.maximum(SMALLEST_INTENT, counts * log // counts.sum()), strict=True)
    )

    def fold(held_out: np.ndarray) -> Callable[[], Fold]:
        kept = _thinned(sample.labels, {intent: most[intent] for intent in held_out}, random)
        return partial(Fold.learn, sample.take(kept), held_out, settings, doubt)

    return [fold(held_out) for held_out in parts]


def intent_distance(
    neighbors: int, learned: Sequence[Fold], stable: float | None = None
) -> IntentDistance:
    """Return the distance at which held-out intents come out best.

    Args:
        neighbors: that the head was trained with: a fold's sample holds fewer of an intent.
        learned: what the `held_out_folds` returned.
        stable: without any fold, the distance that `stable_clusters` found; None for the default.
    """
    agreement = np.array([fold.agreement for fold in learned]).reshape(-1, len(_GRID))
    if learned:
        origin, value = LEARNED, plateau_center(_GRID, agreement.mean(axis=0), _PLATEAU)
        radius = float(np.median([fold.reach(value) for fold in learned]))
    else:
        origin, value = (DEFAULT, DEFAULT_INTENT_DISTANCE) if stable is None else (AGREED, stable)
        radius = _RADIUS_SHARE * value
    return IntentDistance(value, radius, _smallest(neighbors), origin, _GRID, agreement)


def intent_f1(
    clusters: np.ndarray, labels: np.ndarray, held: np.ndarray, shares: np.ndarray
) -> float:
    """Return the F1 of clusters over the pairs of rows of which at least one is held out.

    A pair counts for the product of its rows' shares of their intents, so that a large intent
    counts for no more than a small one. Pairs of two other rows are left out: the head has seen
    their labels, or nobody knows them.

    Args:
        clusters: (n,) of the rows.
        labels: (n,) of the rows; those that are SUSPECTED_NOVEL are of none of the held-out intents.
        held: (n,) bool, whether a row's intent is held out.
        shares: (n,) float64, what a row is of its intent.
    """
    groupings = (np.stack([clusters, labels]), clusters, labels)
    together, clustered, alike = (_pairs(of, shares, held) for of in groupings)
    return 2 * together / (clustered + alike) if clustered + alike else 1.0


def _shares(labels: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Return what each row (n,) is of its intent: a labeled one of those that have its label.

    A doubted one is of a new intent, which has as many as one that is held out: labeled ones, and
    those of the log, which are what the known intents have there, on average.
    """
    _, intent, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    known, held_out = (len(np.unique(labels[rows])) for rows in (labels >= 0, held))
    new = np.count_nonzero(labels == UNLABELED) / known + np.count_nonzero(held) / held_out
    return np.where(labels == SUSPECTED_NOVEL, 1 / new, 1 / sizes[intent])


def _sample(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Choose the rows a fold is learned on: labeled ones evenly over intents, then the others."""
    labeled = np.flatnonzero(labels >= 0)
    fewest = SMALLEST_INTENT * len(np.unique(labels[labeled]))
    look_known = min(MAX_FOLD_ROWS // 2, int(np.count_nonzero(labels == UNLABELED)))
    most = min(MAX_FOLD_ROWS, max(_LABELED_ROWS, look_known, fewest))
    chosen = labeled[sample_evenly(labels[labeled], most, random)]
    others = random.permutation(np.flatnonzero(labels < 0))[: MAX_FOLD_ROWS - len(chosen)]
    return np.sort(np.concatenate([chosen, others]))


def _thinned(
    labels: np.ndarray, most: Mapping[int, int], random: np.random.Generator
) -> np.ndarray:
    """Return the rows that are left, sorted, where some intents keep only so many of theirs."""
    kept = np.ones(len(labels), bool)
    for intent, count in most.items():
        kept[random.permutation(np.flatnonzero(labels == intent))[count:]] = False
    return np.flatnonzero(kept)


def _pairs(groups: np.ndarray, weights: np.ndarray, held: np.ndarray) -> float:
    """Weigh the pairs of rows of one group of which at least one is held out.

    It is 0 exactly where there are none: what a row has with itself is taken off group by group.
    """
    index = np.unique(groups, axis=-1, return_inverse=True)[1]
    out, rest, own = (
        np.bincount(index, of) for of in (weights * held, weights * ~held, (weights * held) ** 2)
    )
    return float((out * (out + 2 * rest) - own).sum() / 2)


def _smallest(neighbors: int) -> int:
    return max(2, round(_SMALL_SHARE * neighbors))
