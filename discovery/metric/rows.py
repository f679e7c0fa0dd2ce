"""The rows that a metric head is trained on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from advin.discovery.encoding.texts import EmbeddedTexts
from advin.discovery.labels import UNLABELED


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """Vectors of utterances with labels, and optionally lexical vectors and views.

    Attributes:
        vectors: (n, d) float32, unit norm.
        labels: (n,) int64: index of a known intent, UNLABELED, or SUSPECTED_NOVEL. Suspected rows
            are not pulled towards labeled rows.
        lexical: (n, e) float32 lexical vectors of the same utterances; None if neighbors are
            searched by `vectors` alone.
        views: (v, n, d) views of the same utterances; None to train on whole utterances only.
        texts: (n,) the utterances; None stands for empty texts.

    Raises:
        ValueError: if the numbers of rows differ, or values are not finite.
    """

    vectors: np.ndarray
    labels: np.ndarray
    lexical: np.ndarray | None = None
    views: np.ndarray | None = None
    texts: Sequence[str] | None = None

    def __post_init__(self) -> None:
        """Check and convert the arrays."""
        object.__setattr__(self, "vectors", checked_vectors(self.vectors))
        object.__setattr__(self, "labels", np.asarray(self.labels, np.int64))
        if self.labels.shape != (len(self),):
            raise ValueError(
                f"{len(self)} vectors, but labels of shape {self.labels.shape}: give one label each"
            )
        if self.lexical is not None:
            object.__setattr__(self, "lexical", np.asarray(self.lexical, np.float32))
            if len(self.lexical) != len(self):
                raise ValueError(
                    f"{len(self)} vectors, but {len(self.lexical)} lexical ones: give one each"
                )
        if self.views is not None and self.views.shape[1:] != self.vectors.shape:
            raise ValueError(
                f"vectors of shape {self.vectors.shape}, but views of shape {self.views.shape}: "
                "give one of each for every row"
            )

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.vectors)

    def take(self, rows: np.ndarray) -> "TrainingRows":
        """Return the rows with these numbers (m,), in this order."""
        lexical = None if self.lexical is None else self.lexical[rows]
        views = None if self.views is None else self.views[:, rows]
        texts = None if self.texts is None else self.embedded(rows).texts
        return TrainingRows(self.vectors[rows], self.labels[rows], lexical, views, texts)

    def embedded(self, rows: np.ndarray) -> EmbeddedTexts:
        """Return the texts and vectors of the rows with these numbers (m,)."""
        texts = [""] * len(self) if self.texts is None else self.texts
        return EmbeddedTexts(texts, self.vectors).take(rows)


def visible_rows(rows: TrainingRows, held_out: np.ndarray) -> TrainingRows:
    """Hide the labels of held-out rows, and the suspicions that rest on them.

    Args:
        rows: labeled and unlabeled rows.
        held_out: (n,) bool, rows whose labels are hidden.

    Returns:
        the same rows; all but the visible labels are UNLABELED.
    """
    hidden = held_out | (rows.labels < 0)
    return replace(rows, labels=np.where(hidden, UNLABELED, rows.labels))


def checked_vectors(vectors: np.ndarray) -> np.ndarray:
    """Return vectors (n, d) as contiguous float32.

    Raises:
        ValueError: if the shape is wrong or a value is not finite.
    """
    vectors = np.ascontiguousarray(vectors, np.float32)
    if vectors.ndim != 2:
        raise ValueError(f"vectors have shape {vectors.shape}, but must be (rows, dimensions)")
    if not np.isfinite(vectors).all():
        raise ValueError("vectors hold values that are not finite: drop those rows first")
    return vectors
