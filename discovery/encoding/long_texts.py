"""Texts that are longer than the encoder reads: encoded in pieces.

The encoder cuts a text at its longest input. Here the vector of a longer text is the mean over
pieces of it, each a few sentences, so that a request counts wherever it stands.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from advin.discovery.encoding.encoder import Encoder

_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+")


def long_rows(texts: Sequence[str], encoder: "Encoder") -> list[int]:
    """Return the rows of the texts that are longer than the encoder reads.

    An encoder without a longest input, or without a tokenizer, reads texts of any length.
    """
    longest = getattr(encoder.model, "max_seq_length", None)
    tokenizer = getattr(encoder.model, "tokenizer", None)
    if longest is None or not callable(tokenizer):
        return []
    # A token has at least one character.
    rows = [i for i, text in enumerate(texts) if len(text) > longest]
    return [i for i in rows if len(tokenizer(texts[i], verbose=False)["input_ids"]) > longest]


def encode_long(text: str, encoder: "Encoder", piece_words: int) -> np.ndarray:
    """Return the (d,) float32 unit vector of a long text: the mean over its pieces.

    Args:
        text: a text longer than the encoder reads.
        encoder: the encoder.
        piece_words: most words of a piece.
    """
    mean = encoder.encode(pieces(text, piece_words)).astype(np.float64).mean(axis=0)
    return (mean / np.linalg.norm(mean)).astype(np.float32)


def pieces(text: str, piece_words: int) -> list[str]:
    """Split a text at the ends of sentences into pieces of at most so many words.

    A longer sentence is split between words.
    """
    found: list[list[str]] = []
    for sentence in _SENTENCE_END.split(text):
        words = sentence.split()
        for start in range(0, len(words), piece_words):
            part = words[start : start + piece_words]
            if found and len(found[-1]) + len(part) <= piece_words:
                found[-1] += part
            else:
                found.append(part)
    return [" ".join(words) for words in found]
