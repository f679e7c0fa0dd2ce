"""Similarity of utterances to labeled utterances by character n-grams.

Bot builders and customers word a request differently, and an encoder may not know the vocabulary of
a trade. If the encoder is unsure, shared parts of words help to tell intents apart
(benchmarks/history.md, *Characters in stage I*).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.preprocessing import normalize

from advin.discovery.compute.classes import sample_evenly
from advin.discovery.config import NoveltyConfig


@dataclass(frozen=True, slots=True)
class CharacterSimilarity:
    """TF-IDF vectors of the character n-grams of labeled utterances, as a sparse matrix.

    Attributes:
        rarity: (b,) float32 inverse document frequency of each bucket of n-grams.
        values: (z,) float32 weights above 0; the weights of one utterance have the norm 1.
        buckets: (z,) int32 bucket of each weight, 0 … b - 1.
        ends: (m,) int32 number of weights up to the end of each utterance.
        classes: (m,) int64 known intent of each utterance, sorted.
        lengths: (2,) int64 characters of the shortest and of the longest n-gram.
    """

    rarity: np.ndarray
    values: np.ndarray
    buckets: np.ndarray
    ends: np.ndarray
    classes: np.ndarray
    lengths: np.ndarray

    @classmethod
    def fit(
        cls, texts: Sequence[str], labels: np.ndarray, config: NoveltyConfig, seed: int = 0
    ) -> Self:
        """Count the n-grams of labeled utterances. An even sample holds at least one per intent.

        Args:
            texts: (n,) utterances.
            labels: (n,) int64 known intents.
            config: lengths of n-grams, and numbers of buckets and of utterances.
            seed: seed of the sample.
        """
        most = max(config.character_labels, len(np.unique(labels)))
        kept = sample_evenly(labels, most, np.random.default_rng(seed))
        order = kept[np.argsort(labels[kept], kind="stable")]
        lengths = np.array([config.min_ngram, config.max_ngram])
        counts = _counts([texts[i] for i in order], config.character_buckets, lengths)
        found_in = np.bincount(counts.indices, minlength=config.character_buckets)
        rarity = (1 + np.log((1 + len(order)) / (1 + found_in))).astype(np.float32)
        weights = _weighted(counts, rarity)
        return cls(
            rarity=rarity,
            values=weights.data,
            buckets=weights.indices.astype(np.int32),
            ends=weights.indptr[1:].astype(np.int32),
            classes=labels[order].astype(np.int64),
            lengths=lengths,
        )

    def similarities(self, texts: Sequence[str], n_intents: int) -> np.ndarray:
        """Return the cosine of n texts with the most similar utterance of each known intent.

        Returns:
            (n, n_intents) float32, 0 to 1; 0 for intents without utterances.
        """
        found = np.zeros((len(texts), n_intents), np.float32)
        if not len(texts):
            return found
        ends = np.concatenate([[0], self.ends])
        shape = (len(self.ends), len(self.rarity))
        labeled = csr_array((self.values, self.buckets, ends), shape=shape).T.tocsr()
        weights = _weighted(_counts(texts, len(self.rarity), self.lengths), self.rarity)
        present, starts = np.unique(self.classes, return_index=True)
        # Blocks of as many rows as there are buckets bound the memory.
        for start in range(0, len(texts), len(self.rarity)):
            rows = slice(start, start + len(self.rarity))
            cosines = (weights[rows] @ labeled).toarray()
            found[rows, present] = np.maximum.reduceat(cosines, starts, axis=1)
        return found

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the state as named arrays."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Self:
        """Restore the similarity from the arrays of `to_arrays`."""
        return cls(**{f.name: arrays[f.name] for f in fields(cls)})


def _counts(texts: Sequence[str], buckets: int, lengths: np.ndarray) -> csr_array:
    """Return how often texts (n,) hold n-grams of each bucket: (n, buckets) float32."""
    shortest, longest = lengths.tolist()
    counter = HashingVectorizer(
        analyzer="char_wb",
        ngram_range=(shortest, longest),
        n_features=buckets,
        norm=None,
        alternate_sign=False,
        dtype=np.float32,
    )
    return csr_array(counter.transform(texts))


def _weighted(counts: csr_array, rarity: np.ndarray) -> csr_array:
    """Return TF-IDF weights with sublinear term frequency; each row has the norm 1 or is zero."""
    weights = (1 + np.log(counts.data)) * rarity[counts.indices]
    return normalize(csr_array((weights, counts.indices, counts.indptr), shape=counts.shape))
