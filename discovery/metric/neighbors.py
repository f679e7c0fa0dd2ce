"""Neighbors that count as positives: how many, and which ones."""

from functools import partial

import numpy as np
import torch

from advin.discovery.compute.parallel import run_parallel
from advin.discovery.compute.precision import FP32, autocast
from advin.discovery.config import NeighborsConfig
from advin.discovery.metric.head import BLOCK_ROWS


def nearest_neighbors(vectors: torch.Tensor, k: int, precision: str = FP32) -> torch.Tensor:
    """Return the k nearest other rows of every row (n, d) by inner product: (n, k) int64."""

    def search(start: int) -> torch.Tensor:
        # A new thread has gradients on and autocast off.
        with torch.no_grad(), autocast(precision):
            scores = vectors[start : start + BLOCK_ROWS] @ vectors.T
            own = torch.arange(start, start + len(scores), device=vectors.device)
            scores[own - start, own] = -torch.inf
            return scores.topk(k, dim=1).indices

    starts = range(0, len(vectors), BLOCK_ROWS)
    return torch.cat(run_parallel([partial(search, start) for start in starts]))


def labels_suffice(labels: np.ndarray, config: NeighborsConfig) -> bool:
    """True if labels (n,) show how large intents are: enough intents have two labels."""
    counts = np.unique(labels[labels >= 0], return_counts=True)[1]
    return int(np.count_nonzero(counts >= 2)) >= config.min_intents


def default_neighbors(vectors: np.ndarray, labels: np.ndarray, config: NeighborsConfig) -> int:
    """Return the neighbor count within which utterances find a given share of their intent.

    For each labeled utterance, the other labeled utterances of its intent are ranked among all
    rows. The count is the quantile `found_share` of these ranks, each intent having the same
    weight. It depends on the size and overlap of intents, not on how many rows are labeled.
    Without enough labels it is `config.default`; `stable_clusters` then finds a better one.

    Args:
        vectors: (n, d) float32, unit norm.
        labels: (n,) int64, below 0 for rows without a label.
        config: bounds and shares.
    """
    largest = max(1, int(len(vectors) * config.max_share))
    if not labels_suffice(labels, config):
        return min(config.default, largest)
    rank, weight = _ranks(vectors, labels, config.ranked_per_intent)
    order = np.argsort(rank, kind="stable")
    reached = np.searchsorted(np.cumsum(weight[order]), config.found_share * weight.sum())
    low, high = min(config.fewest, largest), min(config.most, largest)
    return int(np.clip(rank[order[reached]], low, high))


def unlabeled_neighbors(neighbors: int, labels: np.ndarray, config: NeighborsConfig) -> int:
    """Return the neighbor count of a row without a label.

    `neighbors` counts labeled rows too, but an intent without labels has only rows of the log.
    So the count falls when most rows are labeled (benchmarks/history.md, *Fewer neighbors*).

    Args:
        neighbors: neighbor count of the head.
        labels: (n,) int64 labels of all rows, below 0 for rows without a label.
        config: the factor, and the smallest count.
    """
    share = np.count_nonzero(labels < 0) / max(1, len(labels))
    fewer = round(neighbors * min(1, config.unlabeled_factor * share))
    return max(min(config.fewest, neighbors), fewer)


def _ranks(
    vectors: np.ndarray, labels: np.ndarray, per_intent: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rank the labeled rows of one intent among all rows, for each labeled row.

    Returns:
        ranks of all pairs of rows of one intent, and weights that sum to 1 for each intent.
    """
    ranks, weights = [], []
    for intent in np.unique(labels[labels >= 0]):
        rows = np.flatnonzero(labels == intent)
        rows = rows[:: -(-len(rows) // per_intent)]
        if len(rows) < 2:
            continue
        scores = vectors[rows] @ vectors.T
        for row in range(len(rows)):
            others = np.delete(scores[row, rows], row)
            ordered = np.sort(scores[row])
            # The number of nearer rows, which includes the row itself.
            ranks.append(len(ordered) - np.searchsorted(ordered, others, side="right"))
            weights.append(np.full(len(others), 1.0 / (len(rows) * len(others))))
    return np.concatenate(ranks), np.concatenate(weights)
