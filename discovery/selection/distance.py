"""The distance that separates intents: learned on held-out known intents, or from the log.

Without enough labels, it is the one at which the clusters of the log separate best. With labels,
known intents are held out in turn. A head pulls labeled utterances together far more than those of
an intent it knows nothing about. So each fold trains a head without the labels of some intents,
links all rows, and scores every distance by how well the held-out intents come out: each in one
cluster, apart from the other known intents and from rows that stage I suspects to be novel.
Held-out intents are made as small, beside their neighbors, as a novel intent of the log.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from advin.discovery.clustering.linkage import Linkage, average_linkage
from advin.discovery.compute.classes import nearest_centroids, sample_evenly
from advin.discovery.config import Config, DistanceConfig, grid
from advin.discovery.labels import SUSPECTED_NOVEL, UNLABELED
from advin.discovery.metric.head import MetricHead
from advin.discovery.metric.neighbors import default_neighbors, labels_suffice
from advin.discovery.metric.rows import TrainingRows, visible_rows
from advin.discovery.metric.settings import HeadSettings
from advin.discovery.metric.training import train_metric_head
from advin.discovery.selection.plateau import plateau_center, plateau_ends
from advin.discovery.selection.separation import best_separated, separation_curve
from advin.discovery.selection.stability import Stable

# Origins of a distance: held-out intents, separation of the log without labels, or the default.
LEARNED, SEPARATED, DEFAULT = "learned", "separated", "default"

Suspect = Callable[[TrainingRows], TrainingRows]


@dataclass(frozen=True, slots=True)
class IntentDistance:
    """A distance between intents and how it was found.

    Attributes:
        value: average distance, 1 - cosine, up to which clusters are merged.
        radius: largest distance to its centroid at which an intent takes an utterance.
        small: clusters with fewer rows are leftovers.
        origin: LEARNED, SEPARATED or DEFAULT.
        grid: (g,) distances that were tried.
        quality: (f, g) how good each distance is: `intent_f1` of each fold, or one
            `separation_curve`.
        heads: heads of the folds, or of `stable_clusters`, in float16 precision.
    """

    value: float
    radius: float
    small: int
    origin: str
    grid: np.ndarray
    quality: np.ndarray
    heads: tuple[MetricHead, ...] = ()

    def ends(self, share: float) -> tuple[float, float]:
        """Return the ends of the range of distances that are about as good as the chosen one.

        Args:
            share: share of the best quality that a distance may lack.

        Returns:
            the smallest and the largest distance; `value` twice if no distances were compared.
        """
        if not len(self.quality):
            return self.value, self.value
        return plateau_ends(self.grid, self.quality.mean(axis=0), share, self.value)


@dataclass(frozen=True, slots=True)
class Fold:
    """Rows linked in the space of a head that has not seen the labels of some intents.

    Attributes:
        labels: (n,) int64 all labels, the held-out ones too; SUSPECTED_NOVEL where stage I, fitted
            to all intents, suspects a novel intent.
        held: (n,) bool, rows of held-out intents.
        space: (n, e) float32 rows in the learned space.
        tree: merge tree of the rows.
        f1: `intent_f1` at each distance of the grid.
        head: the head.
    """

    labels: np.ndarray
    held: np.ndarray
    space: np.ndarray
    tree: Linkage
    f1: list[float]
    head: MetricHead

    @classmethod
    def learn(
        cls,
        rows: TrainingRows,
        held_out: np.ndarray,
        settings: HeadSettings,
        config: DistanceConfig,
        suspect: Suspect | None,
    ) -> "Fold":
        """Train a head without the labels of the intents `held_out`, and link all rows."""
        labels, held = rows.labels, np.isin(rows.labels, held_out)
        visible = visible_rows(rows, held)
        head = train_metric_head(visible if suspect is None else suspect(visible), settings)
        space = head.transform(rows.vectors)
        distances = grid(config.grid).tolist()
        tree = average_linkage(space, np.ones(len(space)), floor=1 - distances[-1])
        scored = labels != UNLABELED
        shares = _shares(labels, held)[scored]
        f1 = [
            intent_f1(tree.cut(1 - distance)[scored], labels[scored], held[scored], shares)
            for distance in distances
        ]
        return cls(labels, held, space, tree, f1, head)

    def reach(self, distance: float, config: Config) -> float:
        """Return the radius that covers the configured share of the held-out rows.

        It is a quantile of their distances to the nearest large cluster.

        Args:
            distance: at which the rows are clustered.
            config: share of the rows to cover, and which clusters are large.
        """
        clusters = self.tree.cut(1 - distance)
        visible = np.where(self.held, UNLABELED, self.labels)
        neighbors = default_neighbors(self.space, visible, config.neighbors)
        small = _smallest(neighbors, config.distance)
        _, index, counts = np.unique(clusters, return_inverse=True, return_counts=True)
        large = counts[index] >= small
        large = large if large.any() else np.ones_like(large)
        held, taking = self.space[self.held], self.space[large]
        distances = nearest_centroids(held, taking, clusters[large])[1]
        return round(float(np.quantile(distances, config.distance.coverage)), 4)


def held_out_folds(
    rows: TrainingRows,
    settings: HeadSettings,
    config: Config,
    suspect: Suspect | None = None,
) -> list[Callable[[], Fold]]:
    """Return one training task per fold, to be run by `run_parallel`.

    Args:
        rows: the training rows of the head; rows that look novel are SUSPECTED_NOVEL.
        settings: settings of the head that the distance is for.
        config: the configuration.
        suspect: marks the rows of a fold as SUSPECTED_NOVEL, given its visible labels; None marks
            none.

    Returns:
        the tasks; none if labels do not suffice.
    """
    if not labels_suffice(rows.labels, config.neighbors):
        return []
    intents, counts = np.unique(rows.labels[rows.labels >= 0], return_counts=True)
    usable = intents[counts >= 2]
    random = np.random.default_rng(settings.seed)
    sample = rows.take(_sample(rows.labels, config.distance, random))
    parts = np.array_split(random.permutation(usable), config.distance.folds)
    log, all_log = (int(np.count_nonzero(part.labels < 0)) for part in (sample, rows))
    settings = _scaled(settings, log, all_log)
    # Each held-out intent keeps as many rows as the log has of a known intent.
    fewest = config.distance.smallest_intent
    most = dict(zip(intents, np.maximum(fewest, counts * log // counts.sum()), strict=True))

    def fold(held_out: np.ndarray) -> Callable[[], Fold]:
        kept = _thinned(sample.labels, {intent: most[intent] for intent in held_out}, random)
        return partial(Fold.learn, sample.take(kept), held_out, settings, config.distance, suspect)

    return [fold(held_out) for held_out in parts]


def intent_distance(neighbors: int, folds: Sequence[Fold], config: Config) -> IntentDistance:
    """Return the distance at which held-out intents come out best; without folds, the default.

    Args:
        neighbors: neighbor count of the head that is trained on all rows.
        folds: results of the tasks of `held_out_folds`.
        config: the configuration.
    """
    distances = grid(config.distance.grid)
    quality = np.array([fold.f1 for fold in folds]).reshape(-1, len(distances))
    if folds:
        origin = LEARNED
        value = plateau_center(distances, quality.mean(axis=0), config.distance.plateau)
        radius = float(np.median([fold.reach(value, config) for fold in folds]))
    else:
        origin, value = DEFAULT, config.distance.default
        radius = config.distance.radius_share * value
    small = _smallest(neighbors, config.distance)
    heads = tuple(fold.head.rounded() for fold in folds)
    return IntentDistance(value, radius, small, origin, distances, quality, heads)


def separated_distance(space: np.ndarray, stable: Stable, config: Config) -> IntentDistance:
    """Return the distance at which the clusters of a log separate best.

    Args:
        space: (n, d) float32, unit vectors of a sample of the training rows in the learned space.
        stable: by `stable_clusters`, with the neighbor count of that space.
        config: the configuration.

    Returns:
        the distance; the default if the rows were too few for `stable_clusters`, or if no distance
        separates any clusters.
    """
    default = intent_distance(stable.neighbors, [], config)
    if not stable.heads:
        return default
    distances, ones = grid(config.distance.grid), np.ones(len(space))
    sums = space.astype(np.float64)
    tree = average_linkage(space, ones, floor=1 - float(distances[-1]))
    least = automatic_min_size(default.small, config)
    curve = separation_curve(tree, sums, ones, distances, least)
    value = best_separated(distances, curve, config.distance.plateau)
    if value is None:
        return default
    radius = config.distance.radius_share * value
    return IntentDistance(
        value, radius, default.small, SEPARATED, distances, curve[None], stable.heads
    )


def automatic_min_size(small: int, config: Config) -> int:
    """Return the fewest distinct utterances of a novel intent, from the size of a leftover."""
    share = math.floor(config.intents.min_size_share * small)
    return max(config.distance.smallest_intent, share)


def intent_f1(
    clusters: np.ndarray, labels: np.ndarray, held: np.ndarray, shares: np.ndarray
) -> float:
    """Return the F1 of clusters over the pairs of rows of which at least one is held out.

    A pair is weighted by the product of its rows' shares of their intents, so that all intents
    count the same. Other pairs are left out: the head has seen both labels, or nobody knows them.

    Args:
        clusters: (n,) int cluster of each row.
        labels: (n,) int labels; SUSPECTED_NOVEL rows belong to none of the held-out intents.
        held: (n,) bool, rows of held-out intents.
        shares: (n,) float64 share of each row in its intent.

    Returns:
        0 to 1; 1 if there is no such pair.
    """
    groupings = (np.stack([clusters, labels]), clusters, labels)
    together, clustered, alike = (_pairs(of, shares, held) for of in groupings)
    return 2 * together / (clustered + alike) if clustered + alike else 1.0


def _shares(labels: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Return the share (n,) of each row in its intent.

    A suspected row counts as one of a novel intent as large as the average held-out intent:
    labeled rows plus the rows of the log that look known.
    """
    _, intent, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    known, held_out = (len(np.unique(labels[rows])) for rows in (labels >= 0, held))
    novel = np.count_nonzero(labels == UNLABELED) / known + np.count_nonzero(held) / held_out
    return np.where(labels == SUSPECTED_NOVEL, 1 / novel, 1 / sizes[intent])


def _scaled(settings: HeadSettings, log: int, all_log: int) -> HeadSettings:
    """Return settings for a sample with `log` of `all_log` unlabeled rows.

    Neighborhoods of the sample hold the same share of an intent as those of the whole log.
    """
    neighbors, fewer = (
        max(1, round(count * log / max(1, all_log)))
        for count in (settings.neighbors, settings.unlabeled_neighbors)
    )
    return replace(settings, neighbors=neighbors, unlabeled_neighbors=fewer)


def _sample(labels: np.ndarray, config: DistanceConfig, random: np.random.Generator) -> np.ndarray:
    """Return the sorted numbers of a fold's rows: labeled rows evenly over intents, then others.

    There are as many labeled rows as the log has rows that look known, so that intents in the
    sample are no smaller than in the log (benchmarks/history.md, *Fewer neighbors*).
    """
    labeled = np.flatnonzero(labels >= 0)
    fewest = config.smallest_intent * len(np.unique(labels[labeled]))
    bound = int(config.max_rows * config.max_labeled_share)
    look_known = min(bound, int(np.count_nonzero(labels == UNLABELED)))
    most = min(config.max_rows, max(config.labeled_rows, look_known, fewest))
    chosen = labeled[sample_evenly(labels[labeled], most, random)]
    others = random.permutation(np.flatnonzero(labels < 0))[: config.max_rows - len(chosen)]
    return np.sort(np.concatenate([chosen, others]))


def _thinned(
    labels: np.ndarray, most: Mapping[int, int], random: np.random.Generator
) -> np.ndarray:
    """Return the sorted row numbers that remain if some intents keep at most so many rows."""
    kept = np.ones(len(labels), bool)
    for intent, count in most.items():
        kept[random.permutation(np.flatnonzero(labels == intent))[count:]] = False
    return np.flatnonzero(kept)


def _pairs(groups: np.ndarray, weights: np.ndarray, held: np.ndarray) -> float:
    """Return the weight of all pairs in one group of which at least one row is held out.

    Pairs of a row with itself are subtracted by group, so the result is exactly 0 without pairs.
    """
    index = np.unique(groups, axis=-1, return_inverse=True)[1]
    out, rest, own = (
        np.bincount(index, of) for of in (weights * held, weights * ~held, (weights * held) ** 2)
    )
    return float((out * (out + 2 * rest) - own).sum() / 2)


def _smallest(neighbors: int, config: DistanceConfig) -> int:
    return max(2, round(config.small_share * neighbors))
