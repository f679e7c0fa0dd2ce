"""Texts together with their vectors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class EmbeddedTexts:
    """Texts with their vectors.

    Attributes:
        texts: (n,) texts.
        vectors: (n, d) float16 or float32 vectors of the encoder, unit norm.

    Raises:
        ValueError: if the lengths differ.
    """

    texts: Sequence[str]
    vectors: np.ndarray

    def __post_init__(self) -> None:
        """Check that each text has a vector."""
        if len(self.texts) != len(self.vectors):
            raise ValueError(
                f"{len(self.texts)} texts, but {len(self.vectors)} vectors: give one for each"
            )

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.texts)

    def take(self, rows: np.ndarray) -> "EmbeddedTexts":
        """Return the rows (m,), given by number or as a mask, in this order."""
        numbers = np.arange(len(self))[rows]
        return EmbeddedTexts([self.texts[i] for i in numbers], self.vectors[numbers])

    @staticmethod
    def joined(parts: "Sequence[EmbeddedTexts]") -> "EmbeddedTexts":
        """Return the rows of all parts, at least one, in order."""
        return EmbeddedTexts(
            [text for part in parts for text in part.texts],
            np.concatenate([part.vectors for part in parts]),
        )
