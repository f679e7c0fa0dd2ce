"""Lexical vectors: which words, and which parts of words, utterances have in common.

Two utterances of one intent often share the very words, and to an encoder that has never seen the
words of a trade, what only sounds alike is as near. Both together find more of the positives that
the metric head learns from than either.
"""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array, hstack
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import randomized_svd
from threadpoolctl import threadpool_limits

# On train splits 96, 192 and 384 are equally good (`benchmarks/history.md`).
DIMENSIONS = 128
# Hashed, so that memory is bounded whatever the texts hold: words and pairs of them, and parts of
# words, which bear misspelling and serve scripts that do not space words.
_BUCKETS = 1 << 18
_COUNTERS = tuple(
    HashingVectorizer(
        analyzer=analyzer, ngram_range=lengths, n_features=_BUCKETS, norm=None, alternate_sign=False
    )
    for analyzer, lengths in (("word", (1, 2)), ("char_wb", (3, 4)))
)
_ITERATIONS = 2
# Characters of a text that count: about what the encoder reads of it.
_LONGEST = 1_000


def lexical_vectors(texts: Sequence[str]) -> np.ndarray:
    """Return the latent semantic analysis of the texts (Deerwester et al., 1990).

    TF-IDF, with sublinear term frequency, of words, pairs of words and character 3- and 4-grams
    that at least two of the texts hold, brought to at most `DIMENSIONS`. The same texts in the same
    order give the same vectors, whatever the number of threads.

    Args:
        texts: (n,) utterances.

    Returns:
        (n, e) float32, unit norm, or zero where a text shares nothing with another; e is 0 if none
        does.
    """
    if len(texts) < 2:
        return np.zeros((len(texts), 0), np.float32)
    read = [text[:_LONGEST] for text in texts]
    terms = hstack([_weighed(counter.transform(read)) for counter in _COUNTERS], format="csr")
    if not terms.shape[1]:
        return np.zeros((len(texts), 0), np.float32)
    components = min(DIMENSIONS, *terms.shape)
    # Sums in another order would give other last bits.
    with threadpool_limits(1, user_api="blas"):
        left, scale, _ = randomized_svd(terms, components, n_iter=_ITERATIONS, random_state=0)
    return normalize(left * scale).astype(np.float32)


def _weighed(counts: csr_array) -> csr_array:
    shared = counts[:, np.bincount(counts.indices, minlength=_BUCKETS) >= 2]
    return TfidfTransformer(sublinear_tf=True).fit_transform(shared) if shared.nnz else shared
