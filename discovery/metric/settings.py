"""Settings of one head: the configuration with every "auto" resolved."""

from dataclasses import dataclass

import numpy as np

from advin.discovery.config import Config, MetricConfig
from advin.discovery.metric.neighbors import default_neighbors, unlabeled_neighbors
from advin.discovery.metric.rows import TrainingRows


@dataclass(frozen=True, slots=True)
class HeadSettings:
    """Resolved settings of a head.

    Attributes:
        training: loss, network and optimizer. Its fields that may be "auto" are not read: the
            fields below replace them.
        neighbors: nearest neighbors that count as positives.
        unlabeled_neighbors: the same for a row without a label.
        labeled_weight: weight of the batches of labeled rows, 0 or above.
        seed: seed of weights, batches and dropout.
    """

    training: MetricConfig
    neighbors: int
    unlabeled_neighbors: int
    labeled_weight: float
    seed: int = 0


def resolve_head(rows: TrainingRows, config: Config, neighbors: int | None = None) -> HeadSettings:
    """Resolve the automatic settings of a head for its training rows.

    Args:
        rows: the training rows.
        config: the configuration; a number in it is taken as it is.
        neighbors: neighbor count for "auto", such as the one of `stable_clusters`; None for the
            one of `default_neighbors`.
    """
    metric = config.metric
    if metric.neighbors != "auto":
        neighbors = metric.neighbors
    elif neighbors is None:
        neighbors = default_neighbors(rows.vectors, rows.labels, config.neighbors)
    fewer = metric.unlabeled_neighbors
    if fewer == "auto":
        fewer = unlabeled_neighbors(neighbors, rows.labels, config.neighbors)
    weight = metric.labeled_weight
    if weight == "auto":
        weight = labeled_weight(rows.labels, metric)
    return HeadSettings(metric, neighbors, fewer, weight, config.seed)


def candidate_neighbors(config: Config) -> tuple[int, ...]:
    """Return the neighbor counts to choose from without labels: only one if it is configured."""
    if config.metric.neighbors != "auto":
        return (config.metric.neighbors,)
    return config.stability.neighbor_counts


def labeled_weight(labels: np.ndarray, config: MetricConfig) -> float:
    """Return the automatic weight of labeled batches: the labeled rows that random batches lack.

    It is 1 without labels, and falls to 0 when a random batch holds as many labeled rows as a
    labeled batch.

    Args:
        labels: (n,) int64 labels of all rows, below 0 for rows without a label.
        config: batch sizes.
    """
    in_random = config.batch * np.count_nonzero(labels >= 0) / max(1, len(labels))
    return max(0.0, 1 - in_random / config.labeled_batch)
