"""Language-neutral vectors: without the directions in which the languages of a log differ.

Multilingual encoders place the texts of one language near to each other, whatever they mean. The
mean vectors of the languages differ by that language bias, so the directions between the means are
removed from every vector (Yang et al., EMNLP 2021, arXiv 2109.04727; benchmarks/history.md,
*Languages*).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from advin.discovery.encoding.identity import EncoderIdentity
from advin.discovery.text.config import LanguageConfig
from advin.discovery.text.language import detect, log_languages

_PARTS = "sentence", "middle"


@dataclass(frozen=True, slots=True)
class LanguageDirections:
    """Directions that are removed from vectors.

    Attributes:
        parts: for each part of a vector, (r, p) float32 orthonormal rows; r is the number of
            languages less one. Empty: vectors do not change.
    """

    parts: tuple[np.ndarray, ...] = ()

    @classmethod
    def learn(
        cls,
        texts: Sequence[str],
        vectors: np.ndarray,
        encoder: EncoderIdentity,
        config: LanguageConfig,
    ) -> "LanguageDirections":
        """Find the directions between the languages of a log.

        There is none if the log has one language, or if the encoder reads only one of them.

        Args:
            texts: (n,) utterances of the log, or a sample.
            vectors: (n, d) their unit vectors.
            encoder: the encoder of the vectors.
            config: how languages are found, and the fewest utterances of one.
        """
        languages = [c for c in log_languages(texts, config) if encoder.reads(c)]
        if len(languages) < 2:
            return cls()
        of_text = np.array(detect(texts, languages))
        counts = {language: int(np.count_nonzero(of_text == language)) for language in languages}
        frequent = [c for c in languages if counts[c] >= config.min_utterances]
        if len(frequent) < 2:
            return cls()
        means = np.stack(
            [np.asarray(vectors[of_text == c], np.float64).mean(axis=0) for c in frequent]
        )
        return cls(tuple(_directions(part) for part in encoder.parts(means)))

    def remove(self, vectors: np.ndarray) -> np.ndarray:
        """Return vectors (n, d) without the directions; each part keeps its norm."""
        if not self.parts:
            return vectors
        bounds = np.cumsum([part.shape[1] for part in self.parts])[:-1]
        kept = [
            _without(np.asarray(part, np.float32), directions)
            for part, directions in zip(np.split(vectors, bounds, axis=-1), self.parts, strict=True)
        ]
        return np.concatenate(kept, axis=-1).astype(vectors.dtype)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the state as named arrays."""
        return dict(zip(_PARTS, self.parts, strict=False))

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "LanguageDirections":
        """Restore directions from the arrays of `to_arrays`."""
        return cls(tuple(arrays[name] for name in _PARTS if name in arrays))


def _directions(means: np.ndarray) -> np.ndarray:
    """Return (l - 1, p) orthonormal rows that span the differences between means (l, p)."""
    found = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)[2]
    return found[: len(means) - 1].astype(np.float32)


def _without(part: np.ndarray, directions: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(part, axis=-1, keepdims=True)
    # Unlike a product of matrices, these sums do not depend on the number of rows.
    along = np.einsum("...d,rd->...r", part, directions)
    rest = part - np.einsum("...r,rd->...d", along, directions)
    length = np.linalg.norm(rest, axis=-1, keepdims=True)
    return np.where(length > 0, rest * (norm / np.where(length > 0, length, 1)), part)
