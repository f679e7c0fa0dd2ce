"""Losses over the pairs of a batch, and the loop that minimizes a loss.

Positive pairs are pulled together; all other pairs are pushed apart.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.nn import functional

from advin.discovery.config import MetricConfig

# Logit of a row with itself, which is no pair.
_NO_PAIR = -1e4


def same_label(labels: torch.Tensor) -> torch.Tensor:
    """Return (b, b) float weights of pairs: 1 if two rows (b,) share a label, 0 on the diagonal."""
    return (labels[:, None] == labels[None, :]).float().fill_diagonal_(0)


def contrastive_loss(z: torch.Tensor, positives: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the supervised contrastive loss with weighted pairs (arXiv 2004.11362, L_out).

    It is the mean over rows of −Σ w log softmax, where w are the weights of the row's positives
    divided by their sum. A row without positives does not count.

    Args:
        z: (b, d) unit vectors.
        positives: (b, b) float weights of the pairs, zero on the diagonal.
        temperature: divisor of the cosines.
    """
    return _Contrastive.apply(z, positives, temperature)  # type: ignore[no-untyped-call]


class _Contrastive(torch.autograd.Function):
    """The loss with its gradient in closed form: ((P − W) + (P − W)ᵀ) z / (temperature × rows).

    P are the probabilities of the softmax, W the normalized weights of each row. Autograd needs
    twice as many (b, b) matrices and one more product, which takes a fifth to a half more time.
    """

    @staticmethod
    def forward(
        ctx: Any, z: torch.Tensor, positives: torch.Tensor, temperature: float
    ) -> torch.Tensor:
        weight = positives.sum(1, keepdim=True)
        # The weight of a row in the mean: zero without a positive.
        share = (weight > 0) / (weight > 0).sum().clamp(min=1)
        logits = ((z / temperature) @ z.T).float().fill_diagonal_(_NO_PAIR)
        log_likelihood = torch.log_softmax(logits, dim=1)
        targets = positives * (share / weight.clamp(min=torch.finfo(weight.dtype).tiny))
        loss = -torch.dot(targets.flatten(), log_likelihood.flatten())
        pull = log_likelihood.exp_().mul_(share).sub_(targets)
        ctx.save_for_backward((pull + pull.T) @ z / temperature)
        return loss

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (of_z,) = ctx.saved_tensors
        return gradient * of_z, None, None


def margin_loss(z: torch.Tensor, positives: torch.Tensor, near: float, far: float) -> torch.Tensor:
    """Return the pairwise margin loss of ADVIN (arXiv 2006.01208).

    Args:
        z: (b, d) unit vectors.
        positives: (b, b), above 0 for positive pairs.
        near: distance, 1 - cosine, inside which positive pairs are pulled.
        far: distance beyond which all other pairs are pushed.
    """
    distance = 1 - z @ z.T
    same = positives > 0
    other = ~same & ~torch.eye(len(z), dtype=torch.bool, device=z.device)
    pull = functional.relu(distance[same] - near).square()
    push = functional.relu(far - distance[other]).square()
    return sum((part.mean() for part in (pull, push) if len(part)), z.sum() * 0.0)


def loss_function(
    config: MetricConfig,
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Return the configured loss as a function of vectors (b, d) and positives (b, b)."""
    if config.loss == "contrastive":
        return partial(contrastive_loss, temperature=config.temperature)
    return partial(margin_loss, near=config.near_margin, far=config.far_margin)


def minimize(
    loss: Callable[[int], torch.Tensor],
    steps: int,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> None:
    """Take steps of an optimizer.

    Args:
        loss: from the number of the step to the loss of its batch.
        steps: number of steps.
        optimizer: holds the weights.
        schedule: learning rate after each step.
    """
    for step in range(steps):
        value = loss(step)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        schedule.step()
