import pytest
import torch
from torch.nn import functional

from advin.discovery.metric.losses import contrastive_loss, margin_loss, same_label

TEMPERATURE = 0.1


def drawn(rows=40, dimension=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return functional.normalize(torch.randn(rows, dimension, generator=generator), dim=1)


def weights_of_pairs(rows=40, seed=1):
    """Random weights 0, ½ or 1, mostly 0; they differ in the two directions of a pair."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randint(-5, 3, (rows, rows), generator=generator).clamp(min=0) / 2
    return weights.fill_diagonal_(0)


def by_definition(z, positives):
    """The loss row by row, as Khosla et al. define it."""
    losses = []
    for i, row in enumerate(positives):
        if row.sum() > 0:
            others = [j for j in range(len(z)) if j != i]
            logits = z @ z[i] / TEMPERATURE
            likelihood = logits - logits[others].logsumexp(0)
            losses.append(-(row * likelihood).sum() / row.sum())
    return torch.stack(losses).mean()


def loss_and_gradient(loss, z, *arguments):
    z = z.clone().requires_grad_()
    value = loss(z, *arguments)
    (3 * value).backward()
    return value.detach(), z.grad


def test_loss_and_gradient_match_the_definition():
    z, positives = drawn(), weights_of_pairs()
    positives[[3, 17]] = 0  # These rows have no weight, but others are pushed away from them.
    expected = loss_and_gradient(by_definition, z, positives)
    found = loss_and_gradient(contrastive_loss, z, positives, TEMPERATURE)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_a_batch_without_positives_has_no_gradient():
    loss, gradient = loss_and_gradient(contrastive_loss, drawn(), torch.zeros(40, 40), TEMPERATURE)
    assert loss == 0 and not gradient.any()


def test_bfloat16_gives_nearly_the_same_gradient():
    z, positives = drawn(dimension=64), weights_of_pairs()
    exact = loss_and_gradient(contrastive_loss, z, positives, TEMPERATURE)[1]
    with torch.autocast("cpu", torch.bfloat16):
        reduced = loss_and_gradient(contrastive_loss, z, positives, TEMPERATURE)[1]
    assert reduced.dtype == torch.float32
    assert functional.cosine_similarity(exact.flatten(), reduced.flatten(), dim=0) > 0.999


@pytest.mark.parametrize(
    ("loss", "settings"), [(contrastive_loss, (TEMPERATURE,)), (margin_loss, (0.2, 0.8))]
)
def test_a_gradient_step_pulls_rows_with_the_same_label_together(loss, settings):
    z = drawn()
    positives = same_label(torch.arange(len(z)) % 4)
    gradient = loss_and_gradient(loss, z, positives, *settings)[1]
    moved = functional.normalize(z - 0.1 * gradient / gradient.norm(), dim=1)
    gap = [(x @ x.T)[positives > 0].mean() - (x @ x.T).mean() for x in (z, moved)]
    assert gap[1] > gap[0]


def test_a_row_is_no_positive_of_itself():
    pairs = same_label(torch.tensor([0, 1, 0, 0]))
    assert pairs.tolist() == [[0, 0, 1, 1], [0, 0, 0, 0], [1, 0, 0, 1], [1, 0, 1, 0]]
