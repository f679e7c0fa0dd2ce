"""The open-set classifier: known intents plus one class for everything else.

Follows ADVIN (arXiv 2006.01208) and the (K+1)-way baseline of the field: multinomial logistic
regression on the encoder's vectors. The last class is trained on out-of-domain text.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import torch
from torch.nn import functional

from advin.discovery.config import OpenSetConfig
from advin.discovery.metric.losses import minimize


@dataclass(frozen=True, slots=True)
class OpenClassifier:
    """A trained classifier of k known intents and the open class, which is the last one.

    Attributes:
        weights: (k + 1, d) float32.
        biases: (k + 1,) float32.
    """

    weights: np.ndarray
    biases: np.ndarray

    @classmethod
    def fit(
        cls,
        vectors: np.ndarray,
        labels: np.ndarray,
        ood: np.ndarray,
        config: OpenSetConfig,
        seed: int = 0,
    ) -> Self:
        """Train a classifier in a fixed number of steps.

        All classes have the same weight, however many rows they have. The same rows, seed and
        thread count give the same weights.

        Args:
            vectors: (n, d) labeled vectors.
            labels: (n,) int64 known intents, 0 … k - 1.
            ood: (o, d) vectors of out-of-domain text.
            config: the optimizer.
            seed: seed of the batches.

        Raises:
            ValueError: if there is no labeled row or no out-of-domain row.
        """
        if len(vectors) == 0 or len(ood) == 0:
            raise ValueError(
                f"{len(vectors)} labeled and {len(ood)} out-of-domain rows: give some of both"
            )
        classes = int(labels.max()) + 2
        y = np.concatenate([labels, np.full(len(ood), classes - 1)])
        counts = np.bincount(y, minlength=classes)
        x = torch.from_numpy(np.concatenate([vectors, ood]).astype(np.float32))
        balance = torch.from_numpy(1 / np.maximum(counts, 1) * (len(y) / classes)).float()
        target = torch.from_numpy(y.astype(np.int64))
        layer = (torch.zeros(classes, x.shape[1]), torch.zeros(classes))
        weights, biases = (w.requires_grad_() for w in layer)
        optimizer = torch.optim.AdamW(
            [weights, biases], lr=config.learning_rate, weight_decay=config.weight_decay
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.steps)
        generator = torch.Generator().manual_seed(seed)

        def loss(step: int) -> torch.Tensor:
            rows = torch.randint(len(x), (min(config.batch, len(x)),), generator=generator)
            logits = functional.linear(x[rows], weights, biases)
            return functional.cross_entropy(logits, target[rows], weight=balance)

        minimize(loss, config.steps, optimizer, schedule)
        return cls(weights.detach().numpy(), biases.detach().numpy())

    def log_odds(self, vectors: np.ndarray) -> np.ndarray:
        """Return the log-odds (n,) of the open class against the best known intent."""
        logits = vectors.astype(np.float32) @ self.weights.T + self.biases
        return logits[:, -1] - logits[:, :-1].max(axis=1)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the state as named arrays."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Self:
        """Restore a classifier from the arrays of `to_arrays`."""
        return cls(**{f.name: arrays[f.name] for f in fields(cls)})
