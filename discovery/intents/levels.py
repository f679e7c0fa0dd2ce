"""Three nested levels of novel intents: coarse, auto and fine.

Stage II finds novel intents at the learned distance. If labels and log do not match, that distance
is too small for the log. The worse they match, the farther the level auto merges the intents, by
average linkage (`merging.py`). The level coarse merges them further. The level fine splits the
intents of stage II into the parts that the tree of clusters has at the fine distance
(docs/explanation/method.md, *Levels*).
"""

from dataclasses import dataclass

import numpy as np

from advin.discovery.clustering.config import LevelsConfig
from advin.discovery.clustering.linkage import average_linkage
from advin.discovery.clustering.tree import Linkage
from advin.discovery.compute.classes import unit_rows
from advin.discovery.intents.assignment import Intents, Parts
from advin.discovery.intents.rules import IntentRules
from advin.discovery.labels import NOVEL

COARSE, AUTO, FINE = "coarse", "auto", "fine"
# From the coarsest level to the finest one.
LEVELS = (COARSE, AUTO, FINE)


@dataclass(frozen=True, slots=True)
class Level:
    """The intents at one level, none of which has parts.

    Attributes:
        intents: known intents, then novel ones.
        leaves: for each of the k intents, the int64 rows of its leaves; see `Intents`.
        distance: distance, 1 - cosine, at which the tree has the novel intents as clusters.
    """

    intents: Intents
    leaves: list[np.ndarray]
    distance: float

    @property
    def novel(self) -> np.ndarray:
        """(n,) int64 rows of the novel intents."""
        return np.flatnonzero(self.intents.kinds == NOVEL)


@dataclass(frozen=True, slots=True)
class Levels:
    """All levels of a run.

    Attributes:
        by_name: each of `LEVELS` by its name.
        default: name of the level that the tables intents and assignments hold.
    """

    by_name: dict[str, Level]
    default: str

    def parents(self, name: str) -> list[int | None]:
        """Return the row of each intent's parent at the next coarser level.

        It is None for known intents, and for all intents of the coarsest level.
        """
        level, place = self.by_name[name], LEVELS.index(name)
        if place == 0:
            return [None] * len(level.leaves)
        above = self.by_name[LEVELS[place - 1]]
        parent = {int(leaf): row for row in above.novel for leaf in above.leaves[row]}
        return [parent.get(int(leaves[0])) for leaves in level.leaves]


def levels_of(
    intents: Intents, kept: np.ndarray, sizes: np.ndarray, rules: IntentRules, config: LevelsConfig
) -> Levels:
    """Return all levels of the intents, and choose the default level.

    The default level is the configured one. If that is fine, and fine has more than
    `config.max_intents` novel intents, the default level is auto. If auto or coarse has more, the
    most similar ones are merged.

    Args:
        intents: all clusters, with parts.
        kept: (k,) rows of the clusters that are intents, known ones first.
        sizes: (k,) distinct utterances of these intents, at least 1 for a novel intent.
        rules: the distance of stage II, and that of the level fine.
        config: the configured level, and the largest number of novel intents.
    """
    rows_of = intents.leaf_clusters
    leaves = [_leaves(intents, rows_of, row) for row in kept.tolist()]
    found = Level(_chosen(intents, kept), leaves, rules.distance)
    fine = _split(found, intents, rules.fine)
    default: str = config.granularity
    most = config.max_intents
    if default == FINE and len(fine.novel) > most:
        default = AUTO
    merges = _NovelTree.of(found, sizes)
    most_auto = most if default == AUTO else len(found.leaves)
    return Levels(
        {
            COARSE: merges.merged(intents.merges.coarse, most),
            AUTO: merges.merged(intents.merges.auto, most_auto),
            FINE: fine,
        },
        default,
    )


def _leaves(intents: Intents, rows_of: np.ndarray, row: int) -> np.ndarray:
    """Return the leaves of one cluster: its parts, or else the cluster itself."""
    m = len(intents.kinds)
    parts = np.flatnonzero(rows_of[m:] == row)
    return m + parts if len(parts) else np.array([row])


def _chosen(intents: Intents, rows: np.ndarray) -> Intents:
    """Return some of the clusters, without parts."""
    return Intents(
        intents.centroids[rows],
        intents.kinds[rows],
        intents.radii[rows],
        intents.log_odds[rows],
        intents.norms[rows],
        Parts.none(intents.centroids.shape[1]),
        intents.merges,
    )


def _split(found: Level, intents: Intents, distance: float) -> Level:
    """Split each intent into its parts, if it has any. A part keeps the norm of the intent."""
    rows = np.repeat(np.arange(len(found.leaves)), [len(leaves) for leaves in found.leaves])
    leaves = np.concatenate([np.zeros(0, np.int64), *found.leaves])
    split = _chosen(found.intents, rows)
    everything = np.concatenate([intents.centroids, intents.parts.centroids])
    split.centroids[:] = everything[leaves]
    return Level(split, [np.array([leaf]) for leaf in leaves], distance)


@dataclass(frozen=True, slots=True)
class _NovelTree:
    """The novel intents of stage II, and the tree of their merges.

    Attributes:
        found: the intents of stage II.
        sizes: (k,) distinct utterances of these intents.
        means: (n, d) float64 means of the utterances of the n novel intents.
        tree: average linkage of the novel intents.
    """

    found: Level
    sizes: np.ndarray
    means: np.ndarray
    tree: Linkage

    @classmethod
    def of(cls, found: Level, sizes: np.ndarray) -> "_NovelTree":
        """Link the novel intents of a level."""
        novel = found.novel
        weights = sizes[novel].astype(np.float64)
        means = found.intents.centroids[novel].astype(np.float64) * found.intents.norms[novel, None]
        # No two clusters are less similar than the floor: the tree has one root.
        return cls(
            found, sizes, means, average_linkage(means * weights[:, None], weights, floor=-2)
        )

    def merged(self, distance: float, most: int) -> Level:
        """Merge novel intents.

        Args:
            distance: up to which intents merge.
            most: largest number of novel intents after the merges.
        """
        found, novel = self.found, self.found.novel
        labels, least = self.tree.cut_to(1 - distance, most)
        known = np.setdiff1d(np.arange(len(found.leaves)), novel)
        groups = [known[[i]] for i in range(len(known))]
        groups += [novel[labels == label] for label in np.unique(labels)]
        first = np.array([group[0] for group in groups], np.int64)
        merged = _chosen(found.intents, first)
        for i, group in enumerate(groups):
            if len(group) > 1:
                _merge(merged, i, self.means[np.isin(novel, group)], self.sizes[group])
        leaves = [np.concatenate([found.leaves[row] for row in group]) for group in groups]
        return Level(merged, leaves, max(found.distance, 1 - least))


def _merge(merged: Intents, row: int, means: np.ndarray, sizes: np.ndarray) -> None:
    """Set the centroid of a merged intent from the means (g, d) and sizes (g,) of its members."""
    mean = np.average(means, axis=0, weights=sizes)
    merged.centroids[row] = unit_rows(mean).astype(np.float16)
    merged.norms[row] = np.linalg.norm(mean)
