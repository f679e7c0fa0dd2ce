"""The open classifier of the seeds: (K+1)-way, trained on labeled intents plus out-of-domain text.

ADVIN (Vedula et al., arXiv 2006.01208) and the (K+1)-way baseline of the field: multinomial
logistic regression on the encoder's vectors with one more class for what belongs to no intent.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import torch
from torch.nn import functional

# A fixed number of steps on small batches: the time follows from the number of intents alone.
_STEPS = 400
_BATCH = 1024
_RATE = 0.3
_DECAY = 1e-4


@dataclass(frozen=True, slots=True)
class OpenClassifier:
    """Weights (k + 1, d) and biases (k + 1,); the last class is the open one."""

    weights: np.ndarray
    biases: np.ndarray

    @classmethod
    def fit(cls, vectors: np.ndarray, labels: np.ndarray, ood: np.ndarray, seed: int = 0) -> Self:
        """Fit to labeled vectors (n, d) with labels 0 … k - 1, and out-of-domain vectors (o, d).

        Classes weigh the same, however many rows they have. The same rows, seed and thread count
        give the same weights.

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
        optimizer = torch.optim.AdamW([weights, biases], lr=_RATE, weight_decay=_DECAY)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _STEPS)
        generator = torch.Generator().manual_seed(seed)
        for _ in range(_STEPS):
            rows = torch.randint(len(x), (min(_BATCH, len(x)),), generator=generator)
            logits = functional.linear(x[rows], weights, biases)
            loss = functional.cross_entropy(logits, target[rows], weight=balance)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        return cls(weights.detach().numpy(), biases.detach().numpy())

    def log_odds(self, vectors: np.ndarray) -> np.ndarray:
        """Return (n,) log-odds of the open class against the best known one."""
        logits = vectors.astype(np.float32) @ self.weights.T + self.biases
        return logits[:, -1] - logits[:, :-1].max(axis=1)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the state as named arrays."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Self:
        """Restore what `to_arrays` returned."""
        return cls(**{f.name: arrays[f.name] for f in fields(cls)})
