"""The space of the known intents: a small head trained on labels alone.

It has the network of the metric head and the supervised contrastive loss (arXiv 2004.11362), but a
fixed, small number of steps, so that stage I can train one in every fold. The nearest labeled
utterance in this space separates unknown intents from known ones better than distances in the
encoder's space do.
"""

import numpy as np
import torch

from advin.discovery.compute.precision import autocast, best_precision
from advin.discovery.config import KnownSpaceConfig
from advin.discovery.metric.head import MetricHead, drop, forward, initial_weights
from advin.discovery.metric.losses import contrastive_loss, minimize, same_label


def train_known_space(
    vectors: np.ndarray, labels: np.ndarray, config: KnownSpaceConfig, seed: int
) -> MetricHead:
    """Train a head on labeled vectors.

    The same rows, seed and thread count give the same weights.

    Args:
        vectors: (n, d) unit vectors.
        labels: (n,) int64 known intents, 0 or above.
        config: network and optimizer.
        seed: seed of weights, batches and dropout.
    """
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.from_numpy(vectors.astype(np.float32)), torch.from_numpy(labels)
    weights = initial_weights(x.shape[1], config.hidden, config.dimension, generator)
    # A single intent has nothing to be separated from: the space stays as it is.
    if len(np.unique(labels)) > 1:
        _train(x, y, [w.requires_grad_() for w in weights], config, generator)
    return MetricHead(*(w.detach().numpy() for w in weights))


def _train(
    x: torch.Tensor,
    y: torch.Tensor,
    weights: list[torch.Tensor],
    config: KnownSpaceConfig,
    generator: torch.Generator,
) -> None:
    optimizer = torch.optim.AdamW(
        weights, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        config.learning_rate,
        total_steps=config.steps,
        # The schedule divides by the steps of the warm-up less one.
        pct_start=max(config.warmup, 2 / config.steps),
        cycle_momentum=False,
    )
    precision = best_precision()
    batches = _Batches(y, config, generator)

    def loss(step: int) -> torch.Tensor:
        rows = batches.draw()
        with autocast(precision):
            z = forward(drop(x[rows], config.dropout, generator), weights)
            return contrastive_loss(z, same_label(y[rows]), config.temperature)

    minimize(loss, config.steps, optimizer, schedule)


class _Batches:
    """Random batches of rows; with many intents, a few rows of each drawn intent."""

    def __init__(
        self, labels: torch.Tensor, config: KnownSpaceConfig, generator: torch.Generator
    ) -> None:
        self._order = torch.argsort(labels, stable=True)
        counts = torch.bincount(labels)
        present = counts > 0
        self._counts = counts[present]
        self._starts = (torch.cumsum(counts, 0) - counts)[present]
        self._batch, self._together = config.batch, config.rows_per_intent
        self._generator = generator

    def draw(self) -> torch.Tensor:
        """Return the row numbers of the next batch."""
        n, g = len(self._order), self._generator
        # Random rows hold enough pairs of one intent, half of `rows_per_intent` on average.
        if self._batch >= self._together * len(self._counts) // 2:
            return torch.randint(n, (min(self._batch, n),), generator=g)
        groups = self._batch // self._together
        intents = torch.randperm(len(self._counts), generator=g)[:groups]
        drawn = intents.repeat_interleave(self._together)
        share = torch.rand(len(drawn), generator=g)
        return self._order[self._starts[drawn] + (share * self._counts[drawn]).long()]
