"""Centered vectors: without the part that the vectors of all texts share."""

from typing import Any

import torch
from torch.nn import functional


class Centering(torch.nn.Module):
    """Last module of a SentenceTransformer: subtracts a mean vector, and normalizes.

    All vectors of E5 lie in a narrow cone: the mean cosine of unrelated texts is 0.8. Without the
    common part, it is close to that of other encoders (All-but-the-Top, Mu and Viswanath, ICLR
    2018; benchmarks/history.md, *Languages*).

    Attributes:
        mean: (d,) float32.
    """

    mean: torch.Tensor

    def __init__(self, mean: torch.Tensor):
        """Keep the mean vector."""
        super().__init__()
        # It follows from the weights, so it is no part of the state that identifies the encoder.
        self.register_buffer("mean", mean.float(), persistent=False)

    def get_embedding_dimension(self) -> int:
        """Return the length of a vector, as SentenceTransformer asks for it."""
        return len(self.mean)

    def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Center the sentence vectors."""
        centered = features["sentence_embedding"].float() - self.mean
        return features | {"sentence_embedding": functional.normalize(centered, dim=1)}
