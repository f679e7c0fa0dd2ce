"""The open classifier of the seeds: (K+1)-way, on labelled intents plus out-of-domain text.

ADVIN (Vedula et al., arXiv 2006.01208) and the (K+1)-way baseline of the field: multinomial
logistic regression on the encoder's vectors with one more class for whatever belongs to no intent.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from sklearn.linear_model import LogisticRegression

# Unit vectors are small numbers: weak regularisation, and few steps are enough.
_STRENGTH = 30.0
_STEPS = 100


@dataclass(frozen=True, slots=True)
class OpenClassifier:
    """Weights (k + 1, d) and biases (k + 1,); the last class is the open one."""

    weights: np.ndarray
    biases: np.ndarray

    @classmethod
    def fit(cls, vectors: np.ndarray, labels: np.ndarray, ood: np.ndarray) -> Self:
        """Fit to labelled vectors (n, d), labels 0 … k - 1, and out-of-domain vectors (o, d)."""
        opened = labels.max() + 1
        x = np.concatenate([vectors, ood]).astype(np.float64)
        y = np.concatenate([labels, np.full(len(ood), opened)])
        model = LogisticRegression(C=_STRENGTH, max_iter=_STEPS, class_weight="balanced").fit(x, y)
        weights, biases = model.coef_, model.intercept_
        if len(weights) == 1:  # scikit-learn's form for two classes
            weights = np.concatenate([-weights, weights]) / 2
            biases = np.concatenate([-biases, biases]) / 2
        return cls(weights, biases)

    def log_odds(self, vectors: np.ndarray) -> np.ndarray:
        """Return (n,) log-odds of the open class against the best known one."""
        logits = vectors.astype(np.float64) @ self.weights.T + self.biases
        return logits[:, -1] - logits[:, :-1].max(axis=1)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the state as named arrays."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Self:
        """Restore what `to_arrays` returned."""
        return cls(**{f.name: arrays[f.name] for f in fields(cls)})
