"""The identity of an encoder: vectors of two different encoders are never compared."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from advin.discovery.encoding.encoder import Encoder, EncoderError
from advin.schemas.typed_json import checked


@checked
@checked
@dataclass(frozen=True, slots=True)
class EncoderIdentity:
    """Which encoder made the vectors.

    Attributes:
        name: hub id or folder of the encoder.
        digest: SHA-256 of everything that determines the vectors (see `Encoder.digest`).
        dimension: length of a vector.
        sentence_dimension: length of the sentence vector, which is the first part of a vector.
        precision: "fp32" or "bf16".
        languages: ISO 639 codes of the languages that it reads, separated by commas; empty if that
            is not known.
    """

    name: str
    digest: str
    dimension: int
    sentence_dimension: int
    precision: str
    languages: str = ""

    @classmethod
    def of(cls, encoder: Encoder) -> Self:
        """Return the identity of a loaded encoder."""
        return cls(
            name=encoder.name,
            digest=encoder.digest,
            dimension=encoder.dimension,
            sentence_dimension=encoder.sentence_dimension,
            precision=encoder.precision,
            languages=encoder.languages,
        )

    def reads(self, language: str) -> bool:
        """True if the encoder reads a language, or if its languages are not known."""
        return not self.languages or language in self.languages.split(",")

    def parts(self, vectors: np.ndarray) -> list[np.ndarray]:
        """Return the parts of vectors (n, dimension): sentence vector and middle layer, if any."""
        bounds = [self.sentence_dimension] if self.sentence_dimension < self.dimension else []
        return list(np.split(vectors, bounds, axis=1))

    def sentence_part(self, vectors: np.ndarray) -> np.ndarray:
        """Return the sentence vectors of full vectors.

        Sentence vectors separate domains better; full vectors separate intents better
        (benchmarks/history.md, *Domains*).

        Args:
            vectors: (n, dimension) unit vectors, or means of unit vectors.

        Returns:
            (n, sentence_dimension) unit vectors, or their means.
        """
        # A vector with a middle layer has two parts of the same norm.
        parts = 1 if self.sentence_dimension == self.dimension else 2
        return vectors[:, : self.sentence_dimension] * np.float32(parts**0.5)

    def check_same(self, current: "EncoderIdentity") -> None:
        """Check that the current encoder is the one that a model was fitted with.

        Raises:
            EncoderError: if its digest or a dimension differs.
        """
        ours, theirs = (
            (e.digest, e.dimension, e.sentence_dimension, e.precision) for e in (self, current)
        )
        if ours != theirs:
            fitted, given = (
                f"{e.name} ({e.digest[:12]}, {e.dimension} dimensions, {e.precision})"
                for e in (self, current)
            )
            raise EncoderError(
                f"the model was fitted with encoder {fitted}, but the current encoder is {given}: "
                "use the same encoder, or fit the model again"
            )
