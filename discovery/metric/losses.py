"""Losses over the pairs of a batch: what is positive is pulled together, all else pushed apart."""

from collections.abc import Callable

import torch
from torch.nn import functional

# Margins of the pairwise margin loss, as 1 - cosine.
_NEAR, _FAR = 0.2, 0.8
# What is no pair at all gets this for a logit.
_NEVER = -1e4


def same_label(labels: torch.Tensor) -> torch.Tensor:
    """Weight of every pair of rows as a positive: 1 if they share a label, 0 on the diagonal."""
    return (labels[:, None] == labels[None, :]).float().fill_diagonal_(0)


def contrastive_loss(z: torch.Tensor, positives: torch.Tensor, temperature: float) -> torch.Tensor:
    """Mean over rows of −Σ w log softmax over the positives' weights w (SupCon, L_out).

    Args:
        z: (b, d) unit vectors.
        positives: (b, b) float weights of the pairs, zero on the diagonal; rows without any count
            for nothing.
        temperature: that the cosines are divided by.
    """
    return _Contrastive.apply(z, positives, temperature)


class _Contrastive(torch.autograd.Function):
    """The loss with its gradient in closed form: of z, ((P − W) + (P − W)ᵀ) z over τ and rows.

    P are the softmax's probabilities, W the weights of each row divided by their sum. Autograd goes
    through twice as many matrices of pairs, and one more product: a fifth to a half more time.
    """

    @staticmethod
    def forward(ctx, z, positives, temperature):
        weight = positives.sum(1, keepdim=True)
        # A row counts for this, if it has a positive.
        share = (weight > 0) / (weight > 0).sum().clamp(min=1)
        logits = ((z / temperature) @ z.T).float().fill_diagonal_(_NEVER)
        log_likelihood = torch.log_softmax(logits, dim=1)
        targets = positives * (share / weight.clamp(min=torch.finfo(weight.dtype).tiny))
        loss = -torch.dot(targets.flatten(), log_likelihood.flatten())
        pull = log_likelihood.exp_().mul_(share).sub_(targets)
        ctx.save_for_backward((pull + pull.T) @ z / temperature)
        return loss

    @staticmethod
    def backward(ctx, gradient):
        (of_z,) = ctx.saved_tensors
        return gradient * of_z, None, None


def margin_loss(z: torch.Tensor, positives: torch.Tensor, temperature: float) -> torch.Tensor:
    """ADVIN's pairwise margin loss: positives inside one margin, all others outside another."""
    del temperature
    distance = 1 - z @ z.T
    same = positives > 0
    other = ~same & ~torch.eye(len(z), dtype=torch.bool, device=z.device)
    pull = functional.relu(distance[same] - _NEAR).square()
    push = functional.relu(_FAR - distance[other]).square()
    return sum((part.mean() for part in (pull, push) if len(part)), z.sum() * 0.0)


LOSSES: dict[str, Callable[..., torch.Tensor]] = {
    "contrastive": contrastive_loss,
    "margin": margin_loss,
}
