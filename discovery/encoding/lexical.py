"""Lexical vectors: similarity by shared words and parts of words.

Two utterances of one intent often share words, and an encoder may not know the vocabulary of a
trade. Lexical and encoder similarity together find more positives for the metric head than either.
"""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array, hstack
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import randomized_svd
from threadpoolctl import threadpool_limits

from advin.discovery.config import LexicalConfig

# Features are hashed into this many columns, so that memory is bounded.
_BUCKETS = 1 << 18


def lexical_vectors(texts: Sequence[str], config: LexicalConfig) -> np.ndarray:
    """Return vectors by latent semantic analysis (Deerwester et al., 1990).

    Features are words, runs of words, and parts of words, weighted by TF-IDF with sublinear term
    frequency. Parts of words tolerate misspellings and serve scripts without spaces. A feature
    counts if at least two texts share it. The same texts in the same order give the same bytes
    with any number of threads.

    Args:
        texts: (n,) utterances.
        config: n-gram lengths and dimensions.

    Returns:
        (n, e) float32 unit vectors, e at most `config.dimensions`; a row is zero if its text
        shares no feature with another text; e is 0 if no text does.
    """
    if len(texts) < 2:
        return np.zeros((len(texts), 0), np.float32)
    beginnings = [text[: config.max_characters] for text in texts]
    features = [_weighted(counter.transform(beginnings)) for counter in _counters(config)]
    terms = hstack(features, format="csr")
    if not terms.shape[1]:
        return np.zeros((len(texts), 0), np.float32)
    components = min(config.dimensions, *terms.shape)
    # The order of summation depends on the number of threads, and the last bits depend on it.
    with threadpool_limits(1, user_api="blas"):
        left, scale, _ = randomized_svd(terms, components, n_iter=2, random_state=0)
    return normalize(left * scale).astype(np.float32)


def _counters(config: LexicalConfig) -> list[HashingVectorizer]:
    """Return the counter of words and the counter of parts of words."""
    lengths = {
        "word": (1, config.max_word_ngram),
        "char_wb": (config.min_character_ngram, config.max_character_ngram),
    }
    return [
        HashingVectorizer(
            analyzer=analyzer, ngram_range=n, n_features=_BUCKETS, norm=None, alternate_sign=False
        )
        for analyzer, n in lengths.items()
    ]


def _weighted(counts: csr_array) -> csr_array:
    """Return TF-IDF weights of the features that at least two texts share."""
    shared = counts[:, np.bincount(counts.indices, minlength=_BUCKETS) >= 2]
    return TfidfTransformer(sublinear_tf=True).fit_transform(shared) if shared.nnz else shared
