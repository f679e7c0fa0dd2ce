"""The space of the known intents: a small network that pulls labeled utterances together.

``z = normalize(x' + MLP(x))`` like the metric head, but learned from labels alone (supervised
contrastive loss, Khosla et al., arXiv 2004.11362) in a fixed number of steps, so that stage I can
afford one for every fold. The nearest labeled utterance in this space tells unknown intents from
known ones better than distances in the encoder's own.
"""

import numpy as np
import torch

from advin.discovery.compute.precision import autocast, best_precision
from advin.discovery.metric.losses import contrastive_loss, same_label
from advin.discovery.metric.training import MetricHead, drop, forward, initial_weights

_HIDDEN = 512
_STEPS = 200
_BATCH = 512
# Utterances of one intent that meet in a batch, at most; fewer where intents are many.
_TOGETHER = 8
_RATE = 3e-3
_DECAY = 1e-2
_TEMPERATURE = 0.07
_DROPOUT = 0.3


def train_known_space(vectors: np.ndarray, labels: np.ndarray, seed: int) -> MetricHead:
    """Train a head on labeled vectors.

    The same rows, seed and thread count give the same weights.

    Args:
        vectors: (n, d) unit vectors.
        labels: (n,) int64 class of each, 0 or above.
        seed: of the weights, the batches and the dropout.
    """
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.from_numpy(vectors.astype(np.float32)), torch.from_numpy(labels)
    weights = initial_weights(x.shape[1], _HIDDEN, generator)
    # With one intent there is nothing to tell apart: the space stays as it is.
    if len(np.unique(labels)) > 1:
        _train(x, y, [w.requires_grad_() for w in weights], generator)
    return MetricHead(*(w.detach().numpy() for w in weights))


def _train(x, y, weights: list[torch.Tensor], generator: torch.Generator) -> None:
    optimizer = torch.optim.AdamW(weights, lr=_RATE, weight_decay=_DECAY, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, _RATE, total_steps=_STEPS, pct_start=0.05, cycle_momentum=False
    )
    precision = best_precision()
    batches = _Batches(y, generator)
    for _ in range(_STEPS):
        rows = batches.draw()
        with autocast(precision):
            z = forward(drop(x[rows], _DROPOUT, generator), weights)
            loss = contrastive_loss(z, same_label(y[rows]), _TEMPERATURE)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


class _Batches:
    """Batches of random rows, a few of each of the intents that were drawn."""

    def __init__(self, labels: torch.Tensor, generator: torch.Generator):
        self._order = torch.argsort(labels, stable=True)
        counts = torch.bincount(labels)
        present = counts > 0
        self._counts = counts[present]
        self._starts = (torch.cumsum(counts, 0) - counts)[present]
        self._generator = generator

    def draw(self) -> torch.Tensor:
        """Draw row numbers: rows as frequent as they are, or in groups where intents are many."""
        n, g = len(self._order), self._generator
        if _BATCH >= _TOGETHER * len(self._counts) // 2:
            return torch.randint(n, (min(_BATCH, n),), generator=g)
        groups = _BATCH // _TOGETHER
        drawn = torch.randperm(len(self._counts), generator=g)[:groups].repeat_interleave(_TOGETHER)
        share = torch.rand(len(drawn), generator=g)
        return self._order[self._starts[drawn] + (share * self._counts[drawn]).long()]
