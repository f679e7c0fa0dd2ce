"""A small network that maps vectors into a learned space.

``z = normalize(x' + W2 gelu(W1 x + b1) + b2)``, where x' is the beginning of x, as long as z.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch.nn import functional

from advin.discovery.metric.rows import checked_vectors

# Rows that are mapped or searched at the same time.
BLOCK_ROWS = 1024


@dataclass(frozen=True, slots=True)
class MetricHead:
    """A trained head.

    Attributes:
        weight_in: (hidden, d) float32.
        bias_in: (hidden,) float32.
        weight_out: (e, hidden) float32.
        bias_out: (e,) float32.
    """

    weight_in: np.ndarray
    bias_in: np.ndarray
    weight_out: np.ndarray
    bias_out: np.ndarray

    def transform(self, vectors: np.ndarray) -> np.ndarray:
        """Map vectors (n, d) into the learned space.

        Returns:
            (n, e) float32, unit norm.

        Raises:
            ValueError: if vectors have another dimension than those of the training.
        """
        vectors = checked_vectors(vectors)
        if vectors.shape[1] != self.weight_in.shape[1]:
            raise ValueError(
                f"vectors have {vectors.shape[1]} dimensions, but the head was trained on "
                f"{self.weight_in.shape[1]}: use the encoder it was trained with"
            )
        weights = [torch.from_numpy(np.asarray(getattr(self, f.name))) for f in fields(self)]
        with torch.inference_mode():
            parts = [
                forward(torch.from_numpy(vectors[start : start + BLOCK_ROWS]), weights)
                for start in range(0, len(vectors), BLOCK_ROWS)
            ]
        none = np.zeros((0, len(self.bias_out)), np.float32)
        return torch.cat(parts).numpy() if parts else none

    def rounded(self) -> "MetricHead":
        """Return the head with weights in float16 precision, as models hold compared heads."""
        halves = {name: weights.astype(np.float16) for name, weights in self.to_arrays().items()}
        return self.from_arrays(halves)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the state as named arrays."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "MetricHead":
        """Restore a head from the arrays of `to_arrays`."""
        return cls(**{f.name: np.asarray(arrays[f.name], np.float32) for f in fields(cls)})


def stacked_heads(heads: Sequence[MetricHead]) -> dict[str, np.ndarray]:
    """Return heads of equal shape as float16 arrays with one more axis; none without heads."""
    if not heads:
        return {}
    return {
        f.name: np.stack([getattr(head, f.name) for head in heads]).astype(np.float16)
        for f in fields(MetricHead)
    }


def unstacked_heads(arrays: dict[str, np.ndarray]) -> tuple[MetricHead, ...]:
    """Restore heads from the arrays of `stacked_heads`."""
    if not arrays:
        return ()
    n = len(arrays["bias_in"])
    return tuple(MetricHead.from_arrays({k: v[i] for k, v in arrays.items()}) for i in range(n))


def initial_weights(
    dimension: int, hidden: int, learned: int, generator: torch.Generator
) -> list[torch.Tensor]:
    """Return the four weights of a new head.

    The output layer is zero, so an untrained head returns the beginning of x, normalized.

    Args:
        dimension: of the vectors.
        hidden: units of the hidden layer.
        learned: largest dimension of the learned space.
        generator: source of randomness.
    """
    learned = min(dimension, learned)
    return [
        torch.randn(hidden, dimension, generator=generator) / dimension**0.5,
        torch.zeros(hidden),
        torch.zeros(learned, hidden),
        torch.zeros(learned),
    ]


def forward(x: torch.Tensor, weights: list[torch.Tensor]) -> torch.Tensor:
    """Map rows (n, d) through a head that is given as its four weights: (n, e), unit norm."""
    weight_in, bias_in, weight_out, bias_out = weights
    inner = functional.gelu(functional.linear(x, weight_in, bias_in))
    own = x[:, : len(bias_out)]
    return functional.normalize(own + functional.linear(inner, weight_out, bias_out), dim=1)


def drop(x: torch.Tensor, share: float, generator: torch.Generator) -> torch.Tensor:
    """Set a random share of the features to zero and scale the others up accordingly."""
    if share == 0:
        return x
    keep = torch.rand(x.shape, generator=generator).to(x.device) >= share
    return x * keep / (1 - share)
