"""Training of the metric head of stage II, which pulls utterances of one intent together.

Positive pairs are labeled pairs (supervised contrastive loss, arXiv 2004.11362) and nearest
neighbors among all utterances (after MTP-CLNN, Zhang et al., ACL 2022), near in the learned space
and by their words. Rows that stage I suspects to be novel are not pulled towards labeled rows;
otherwise a novel intent beside a known one would be learned as a part of it.
"""

import numpy as np
import torch

from advin.discovery.compute.precision import autocast, best_precision
from advin.discovery.labels import SUSPECTED_NOVEL
from advin.discovery.metric.head import BLOCK_ROWS, MetricHead, drop, forward, initial_weights
from advin.discovery.metric.losses import loss_function, minimize, same_label
from advin.discovery.metric.neighbors import nearest_neighbors
from advin.discovery.metric.rows import TrainingRows
from advin.discovery.metric.settings import HeadSettings

# Added to the progress, so that the first step moves the weights, too.
_FIRST_PROGRESS = 1e-3


def train_metric_head(rows: TrainingRows, settings: HeadSettings) -> MetricHead:
    """Train a metric head; it needs no labels.

    The same rows, settings and thread count give the same weights on a CPU. A GPU is used if there
    is one.

    Args:
        rows: at most `settings.training.max_rows` rows, as neighbor search is quadratic.
        settings: resolved settings.

    Raises:
        ValueError: if there are too many rows.
    """
    config = settings.training
    if len(rows) > config.max_rows:
        raise ValueError(
            f"{len(rows)} rows, but at most {config.max_rows} can be trained on: sample them"
        )
    generator = torch.Generator().manual_seed(settings.seed)
    weights = initial_weights(rows.vectors.shape[1], config.hidden, config.dimension, generator)
    if len(rows) >= 2:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        weights = [weight.to(device).requires_grad_() for weight in weights]
        optimizer = torch.optim.AdamW(
            weights, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: _rate(step / config.steps, config.warmup)
        )
        loss = _TrainingLoss(rows, settings, weights, generator)
        minimize(loss.of_step, config.steps, optimizer, schedule)
    return MetricHead(*(weight.detach().cpu().numpy() for weight in weights))


def _rate(progress: float, warmup: float) -> float:
    """Return the learning rate as a share of its peak: a linear rise, then half a cosine."""
    warm = min(1.0, (progress + _FIRST_PROGRESS) / warmup)
    return warm * 0.5 * (1 + float(np.cos(np.pi * progress)))


class _TrainingLoss:
    """The loss of each step: random batches with neighbors, and batches of labeled rows."""

    def __init__(
        self,
        rows: TrainingRows,
        settings: HeadSettings,
        weights: list[torch.Tensor],
        generator: torch.Generator,
    ) -> None:
        n, device = len(rows), weights[0].device
        lexical = torch.zeros(n, 0) if rows.lexical is None else torch.from_numpy(rows.lexical)
        self._config, self._settings = settings.training, settings
        self._weights, self._generator = weights, generator
        self._vectors = torch.from_numpy(rows.vectors).to(device)
        self._labels = torch.from_numpy(rows.labels).to(device)
        self._lexical = settings.training.lexical_weight * lexical.to(device)
        self._views = None if rows.views is None else torch.from_numpy(rows.views).to(device)
        self._labeled = torch.nonzero(self._labels >= 0).flatten()
        self._unlabeled = torch.nonzero(self._labels < 0).flatten()
        self._loss = loss_function(settings.training)
        self._precision = best_precision()
        # Position of each row in the batch, -1 outside of it.
        self._place = torch.full((n,), -1, device=device)
        self._order = torch.empty(0, dtype=torch.int64)
        self._neighbors = torch.empty(0)

    def of_step(self, step: int) -> torch.Tensor:
        """Return the loss of the next batches, differentiable in the weights."""
        if step % self._config.refresh == 0:
            self._search_neighbors()
        rows = self._next_rows()
        batches = [(1.0, self._seen(rows), self._neighbor_positives(rows))]
        weight = self._settings.labeled_weight
        if weight > 0 and len(self._labeled) >= 2:
            order = torch.randperm(len(self._labeled), generator=self._generator)
            pick = order[: self._config.labeled_batch]
            rows = self._labeled[pick.to(self._labeled.device)]
            batches.append((weight, self._vectors[rows], same_label(self._labels[rows])))
        with autocast(self._precision):
            losses = [
                weight
                * self._loss(
                    forward(drop(seen, self._config.dropout, self._generator), self._weights),
                    positives,
                )
                for weight, seen, positives in batches
            ]
        return torch.stack(losses).sum()

    def _search_neighbors(self) -> None:
        with torch.no_grad(), autocast(self._precision):
            parts = [forward(part, self._weights) for part in self._vectors.split(BLOCK_ROWS)]
            searched = torch.cat([torch.cat(parts), self._lexical], dim=1)
        k = min(self._settings.neighbors, len(self._vectors) - 1)
        self._neighbors = nearest_neighbors(searched, k, self._precision)
        # A row is no positive of itself, so its own number stands for "no neighbor".
        fewer = self._settings.unlabeled_neighbors
        self._neighbors[self._unlabeled, fewer:] = self._unlabeled[:, None]

    def _next_rows(self) -> torch.Tensor:
        if not len(self._order):
            self._order = torch.randperm(len(self._vectors), generator=self._generator)
        size = self._config.batch
        rows, self._order = self._order[:size], self._order[size:]
        return rows.to(self._vectors.device)

    def _seen(self, rows: torch.Tensor) -> torch.Tensor:
        """Return each row as a whole or as one of its views, all equally likely: (b, d)."""
        whole = self._vectors[rows]
        if self._views is None:
            return whole
        drawn = torch.randint(-1, len(self._views), (len(rows),), generator=self._generator)
        drawn = drawn.to(rows.device)
        return torch.where((drawn < 0)[:, None], whole, self._views[drawn, rows].to(whole.dtype))

    def _neighbor_positives(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the (b, b) weights of a batch's pairs as positives, zero on the diagonal."""
        within = torch.arange(len(rows), device=rows.device)
        self._place[rows] = within
        at = self._place[self._neighbors[rows]]
        self._place[rows] = -1
        # A neighbor outside the batch is put on the diagonal, which is cleared.
        at = torch.where(at < 0, within[:, None], at)
        positives = torch.zeros(len(rows), len(rows), device=rows.device)
        positives.scatter_(1, at, 1.0).fill_diagonal_(0)
        own = self._labels[rows]
        labeled = torch.nonzero(own >= 0).flatten()
        suspected = torch.nonzero(own == SUSPECTED_NOVEL).flatten()
        positives[labeled[:, None], labeled] = same_label(own[labeled])
        positives[labeled[:, None], suspected] = 0
        positives[suspected[:, None], labeled] = 0
        return positives
