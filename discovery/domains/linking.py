"""Stage III: intents into domains.

Known domains keep their names: their intents are merged beforehand, and two known domains are never
merged. Novel intents join a known domain or form a novel one, by average linkage of their centered
centroids down to a second learned distance. Domains differ in density: the intents of one lie close
together, those of another far apart, and no single cosine separates both. So a similarity is taken
relative to the neighborhoods of the two intents (cross-domain similarity local scaling, CSLS,
Conneau et al., arXiv 1710.04087, there against hubs in bilingual dictionaries).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from advin.discovery.evaluation.agreement import plateau_center

# Similarities of all pairs of intents are held at once.
MAX_INTENTS = 10_000

# Used when there are too few domains. `python -m benchmarks.domains` has 1.2 as the best one where
# domains are whole; this is a cautious one: two parts of a domain are merged at a glance, a mixed
# domain is not.
DEFAULT_DOMAIN_DISTANCE = 1.0

# With fewer known domains of two intents, holding half of them out tells too little.
MIN_DOMAINS = 5
_DRAWS = 20
_GRID = np.round(np.arange(0.5, 1.61, 0.02), 2)
# Nearest intents that make a neighborhood: as many as a known domain has intents, within bounds.
_NEIGHBORS = (3, 10)
_NEIGHBORS_WITHOUT_DOMAINS = 5
# Cuts whose agreement is within this share of the best one count as equally good. ARI on forty
# draws of clinc150, massive_en and sgd: 51.1, 77.1, 63.3 at 0.03; 52.1, 77.6, 64.0 at 0.05; 52.4,
# 77.5, 62.8 at 0.08.
_PLATEAU = 0.05


@dataclass(frozen=True, slots=True)
class DomainDistance:
    """A learned distance, and how well each distance on the grid did on held-out domains.

    Attributes:
        value: average 1 - `local_similarity` up to which intents are one domain.
        learned: False if the value is the default.
        grid: (g,) distances that were tried.
        agreement: (g,) mean pairwise F1 on the intents of held-out domains.
    """

    value: float
    learned: bool
    grid: np.ndarray
    agreement: np.ndarray


def learn_domain_distance(
    centroids: np.ndarray, domains: Sequence[str | None], seed: int = 0
) -> DomainDistance:
    """Learn the distance by holding out half of the known domains, again and again.

    Args:
        centroids: (k, d) of the known intents.
        domains: the domain of each, or None.
        seed: of the draws.
    """
    names, index, sizes = np.unique(
        [d or "" for d in domains], return_inverse=True, return_counts=True
    )
    usable = np.flatnonzero((sizes >= 2) & (names != ""))
    if len(usable) < MIN_DOMAINS:
        return DomainDistance(DEFAULT_DOMAIN_DISTANCE, False, _GRID, np.zeros(len(_GRID)))
    near = _neighborhood(domains)
    rng = np.random.default_rng(seed)
    agreement = np.zeros((_DRAWS, len(_GRID)))
    for draw in range(_DRAWS):
        held_out = rng.permutation(usable)[: len(usable) // 2]
        held = np.isin(index, held_out)
        anchors = np.where(held | (names[index] == ""), -1, index)
        tree = _Tree(centroids, anchors, near)
        for column, cut in enumerate(_GRID):
            agreement[draw, column] = _pair_f1(tree.cut(1 - cut), index, held)
    mean = agreement.mean(axis=0)
    return DomainDistance(plateau_center(_GRID, mean, _PLATEAU), True, _GRID, mean)


def link_domains(
    centroids: np.ndarray, known_domains: Sequence[str | None], distance: float
) -> list[str | int]:
    """Return the domain of each intent: a known one's name, or the number of a novel one.

    Args:
        centroids: (k, d) of intents, known and novel.
        known_domains: the domain of each known intent, None for all others.
        distance: the learned one.

    Returns:
        (k,) names, and for novel domains the position of their first intent.

    Raises:
        ValueError: if there are more than MAX_INTENTS intents.
    """
    names = sorted({d for d in known_domains if d is not None})
    anchors = np.array([names.index(d) if d is not None else -1 for d in known_domains], np.int64)
    labels = _Tree(centroids, anchors, _neighborhood(known_domains)).cut(1 - distance)
    name_of = {int(labels[i]): d for i, d in enumerate(known_domains) if d is not None}
    return [name_of.get(int(label), int(label)) for label in labels]


def _neighborhood(known_domains: Sequence[str | None]) -> int:
    sizes = np.unique([d for d in known_domains if d is not None], return_counts=True)[1]
    return (
        int(np.clip(round(sizes.mean()), *_NEIGHBORS)) if len(sizes) else _NEIGHBORS_WITHOUT_DOMAINS
    )


def local_similarity(centroids: np.ndarray, neighbors: int) -> np.ndarray:
    """Return (k, k) similarities of intents relative to their neighborhoods.

    CSLS: cos(a, b) - (r(a) + r(b)) / 2 of the centered centroids (k, d), where r is the mean cosine
    to the nearest `neighbors` intents. The diagonal is not meant to be used.
    """
    x = centroids.astype(np.float64)
    x = x - x.mean(axis=0) if len(x) else x
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    cosine = x @ x.T
    near = min(neighbors, len(x) - 1)
    if near < 1:
        return cosine
    others = cosine - 3 * np.eye(len(x))
    density = np.partition(others, -near, axis=1)[:, -near:].mean(axis=1)
    return cosine - (density[:, None] + density[None, :]) / 2


class _Tree:
    """Average linkage under the constraint that two anchors are never in one cluster."""

    def __init__(self, centroids: np.ndarray, anchors: np.ndarray, neighbors: int):
        k = len(centroids)
        if k > MAX_INTENTS:
            raise ValueError(f"{k} intents, but at most {MAX_INTENTS} can be linked into domains")
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
        """Merge the most similar pair again and again; rows and columns are positions in slots."""
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
        """Return (k,) labels after all merges of at least this similarity."""
        into = np.arange(len(self._cluster))
        for keep, drop, value in self._merges:
            # Constraints can make a later merge a better one: the first that is too far ends it.
            if value < similarity:
                break
            into[drop] = keep
        labels = self._cluster.copy()
        while (into[labels] != labels).any():
            labels = into[labels]
        return labels


def _pair_f1(labels: np.ndarray, truth: np.ndarray, held: np.ndarray) -> float:
    """Pairwise F1 of pairs of which at least one intent is held out."""
    together = labels[:, None] == labels[None, :]
    alike = truth[:, None] == truth[None, :]
    counted = (held[:, None] | held[None, :]) & ~np.eye(len(labels), dtype=bool)
    right = (together & alike & counted).sum()
    total = (together & counted).sum() + (alike & counted).sum()
    return float(2 * right / total) if total else 1.0
