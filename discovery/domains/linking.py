"""Stage III: link intents into domains.

Novel intents join a known domain or form a novel one, by average linkage of their centroids down
to a second learned distance. Intents of a known domain are merged first, and two known domains are
never merged. Domains differ in density, so no single cosine separates all of them: a similarity is
taken relative to the neighborhoods of both intents (CSLS, Conneau et al., arXiv 1710.04087).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from advin.discovery.compute.classes import unit_rows
from advin.discovery.config import DomainsConfig, grid
from advin.discovery.selection.plateau import plateau_center


@dataclass(frozen=True, slots=True)
class DomainDistance:
    """A learned distance, and the agreement of each distance that was tried.

    Attributes:
        value: largest mean 1 - `local_similarity` at which two groups of intents are one domain.
        learned: False if the value is the default.
        grid: (g,) distances that were tried.
        agreement: (g,) mean pairwise F1 on the intents of held-out domains, 0 to 1.
    """

    value: float
    learned: bool
    grid: np.ndarray
    agreement: np.ndarray


def learn_domain_distance(
    centroids: np.ndarray, domains: Sequence[str | None], config: DomainsConfig, seed: int = 0
) -> DomainDistance:
    """Learn the distance that best recovers known domains while they are held out.

    Args:
        centroids: (k, d) centroids of the known intents.
        domains: (k,) domain of each intent, or None.
        config: number of draws, share of held-out domains, and grid of distances.
        seed: seed of the draws.

    Returns:
        the learned distance; the default if fewer than `config.min_domains` domains have two
        intents.

    Raises:
        ValueError: if there are more than `config.max_intents` intents.
    """
    _check_size(len(centroids), config)
    cuts = grid(config.grid)
    names, index, sizes = np.unique(
        [d or "" for d in domains], return_inverse=True, return_counts=True
    )
    usable = np.flatnonzero((sizes >= 2) & (names != ""))
    if len(usable) < config.min_domains:
        return DomainDistance(config.default, False, cuts, np.zeros(len(cuts)))
    neighbors = _neighborhood_size(domains, config)
    rng = np.random.default_rng(seed)
    agreement = np.zeros((config.draws, len(cuts)))
    for draw in range(config.draws):
        held_out = rng.permutation(usable)[: int(len(usable) * config.held_out_share)]
        is_held_out = np.isin(index, held_out)
        anchors = np.where(is_held_out | (names[index] == ""), -1, index)
        tree = _AnchoredTree(centroids, anchors, neighbors)
        for column, cut in enumerate(cuts):
            agreement[draw, column] = _pair_f1(tree.cut(1 - cut), index, is_held_out)
    mean = agreement.mean(axis=0)
    return DomainDistance(plateau_center(cuts, mean, config.plateau), True, cuts, mean)


def link_domains(
    centroids: np.ndarray,
    known_domains: Sequence[str | None],
    distance: float,
    config: DomainsConfig,
) -> list[str | int]:
    """Return the domain of each intent.

    Args:
        centroids: (k, d) centroids of known and novel intents.
        known_domains: (k,) domain of each intent that has a known one, else None.
        distance: the learned distance.
        config: neighborhood sizes and the largest number of intents.

    Returns:
        (k,) the name of a known domain, or for a novel domain the position of its first intent.

    Raises:
        ValueError: if there are more than `config.max_intents` intents.
    """
    _check_size(len(centroids), config)
    names = sorted({d for d in known_domains if d is not None})
    anchors = np.array([names.index(d) if d is not None else -1 for d in known_domains], np.int64)
    tree = _AnchoredTree(centroids, anchors, _neighborhood_size(known_domains, config))
    labels = tree.cut(1 - distance)
    name_of = {int(labels[i]): d for i, d in enumerate(known_domains) if d is not None}
    return [name_of.get(int(label), int(label)) for label in labels]


def local_similarity(centroids: np.ndarray, neighbors: int) -> np.ndarray:
    """Return similarities of intents relative to their neighborhoods (CSLS).

    The similarity is cos(a, b) - (r(a) + r(b)) / 2 of centered centroids, where r is the mean
    cosine to the nearest intents.

    Args:
        centroids: (k, d) centroids.
        neighbors: number of nearest intents that make a neighborhood.

    Returns:
        (k, k) float64; values on the diagonal have no meaning.
    """
    x = centroids.astype(np.float64)
    x = x - x.mean(axis=0) if len(x) else x
    x = unit_rows(x)
    cosine = x @ x.T
    near = min(neighbors, len(x) - 1)
    if near < 1:
        return cosine
    others = cosine.copy()
    np.fill_diagonal(others, -np.inf)
    density = np.partition(others, -near, axis=1)[:, -near:].mean(axis=1)
    return cosine - (density[:, None] + density[None, :]) / 2


def _check_size(intents: int, config: DomainsConfig) -> None:
    """Raise ValueError if the similarities of all pairs of intents would take too much memory."""
    if intents > config.max_intents:
        raise ValueError(
            f"{intents} intents, but at most {config.max_intents} can be linked into domains: "
            "raise domains.max_intents if memory allows it"
        )


def _neighborhood_size(domains: Sequence[str | None], config: DomainsConfig) -> int:
    """Return the mean number of intents of a known domain, within bounds."""
    sizes = np.unique([d for d in domains if d is not None], return_counts=True)[1]
    if not len(sizes):
        return config.neighbors_without_domains
    return int(np.clip(round(sizes.mean()), config.min_neighbors, config.max_neighbors))


class _AnchoredTree:
    """Average linkage that never merges two anchors; an anchor is a known domain."""

    def __init__(self, centroids: np.ndarray, anchors: np.ndarray, neighbors: int):
        k = len(centroids)
        self._cluster = np.arange(k)
        self._anchors = anchors.copy()
        for anchor in np.unique(anchors[anchors >= 0]):
            members = np.flatnonzero(anchors == anchor)
            self._cluster[members] = members[0]
        self._slots, slot = np.unique(self._cluster, return_inverse=True)
        self._size = np.bincount(slot, minlength=len(self._slots)).astype(np.float64)
        member = np.zeros((len(self._slots), k))
        member[slot, np.arange(k)] = 1 / self._size[slot]
        self._similarity = member @ local_similarity(centroids, neighbors) @ member.T
        self._merges = self._link()

    def _link(self) -> list[tuple[int, int, float]]:
        """Merge the most similar pair until none may be merged; rows are positions in slots."""
        similarity, size = self._similarity, self._size.copy()
        anchored = self._anchors[self._slots] >= 0
        np.fill_diagonal(similarity, -np.inf)
        similarity[np.ix_(anchored, anchored)] = -np.inf
        best = similarity.argmax(axis=1) if len(size) else np.zeros(0, np.int64)
        merges = []
        for _ in range(len(size) - 1):
            value = similarity[np.arange(len(size)), best]
            a = int(value.argmax())
            if not np.isfinite(value[a]):
                break
            a, b = sorted((a, int(best[a])))
            merges.append((int(self._slots[a]), int(self._slots[b]), float(value.max())))
            row = (size[a] * similarity[a] + size[b] * similarity[b]) / (size[a] + size[b])
            size[a] += size[b]
            anchored[a] |= anchored[b]
            row[[a, b]] = -np.inf
            if anchored[a]:
                row[anchored] = -np.inf
            similarity[a], similarity[:, a] = row, row
            similarity[b], similarity[:, b] = -np.inf, -np.inf
            stale = np.flatnonzero((best == a) | (best == b))
            stale = np.union1d(stale, [a])
            best[stale] = similarity[stale].argmax(axis=1)
        return merges

    def cut(self, similarity: float) -> np.ndarray:
        """Return (k,) int64 labels after all merges of at least this similarity.

        The label of a cluster is the position of its first intent.
        """
        into = np.arange(len(self._cluster))
        for keep, drop, value in self._merges:
            # Under the constraint a later merge can be better, so the first low value ends the cut.
            if value < similarity:
                break
            into[drop] = keep
        labels = self._cluster.copy()
        while (into[labels] != labels).any():
            labels = into[labels]
        return labels


def _pair_f1(labels: np.ndarray, truth: np.ndarray, is_held_out: np.ndarray) -> float:
    """Return the pairwise F1 over pairs of intents of which at least one is held out."""
    together = labels[:, None] == labels[None, :]
    alike = truth[:, None] == truth[None, :]
    counted = (is_held_out[:, None] | is_held_out[None, :]) & ~np.eye(len(labels), dtype=bool)
    right = (together & alike & counted).sum()
    total = (together & counted).sum() + (alike & counted).sum()
    return float(2 * right / total) if total else 1.0
