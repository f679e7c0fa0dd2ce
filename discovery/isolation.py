"""Isolation: how far an utterance is from those that are nearest to it.

Intents differ in how dense they are, and one distance cannot suit all of them. So what two
utterances are apart is taken less the mean of what each is apart from its nearest: local scaling
(Zelnik-Manor and Perona, NIPS 2004), in the form of CSLS (Conneau et al., ICLR 2018). It is linear:
the mean over the pairs of two clusters is the similarity of their mean vectors and the mean of
their mean isolations, so clusters are sums as before, and average linkage stays what it is.
"""

import faiss
import numpy as np

from discovery.classes import sample_evenly

# Fewer neighbours than the smallest intent that is asked for has. With 5, 10 and 20, of novel
# intents of 20 or more 65, 69 and 67 % are recovered on massive_en end to end (fast, five logs).
_NEIGHBOURS = 10
# Rows that utterances are held against: how near the nearest are depends on their number.
MAX_REFERENCE = 10_000
_MAX_LABELLED = 4_000
# Kept in these steps: sums are exact then, in any order.
_STEP = 2.0**-10
_CHUNK = 2_048


def isolation(vectors: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return how far each row is from its nearest in the reference, on average over ten.

    The nearest of all is left out, as it may be the row itself.

    Args:
        vectors: (n, d) float32, unit norm.
        reference: (r, d) float32, unit norm: a sample of what is clustered.

    Returns:
        (n,) float64, 1 - cosine in steps of 2^-10; 0 if there are fewer than two rows to be near.
    """
    found = np.zeros(len(vectors))
    k = min(_NEIGHBOURS + 1, len(reference))
    if k < 2:
        return found
    vectors, reference = (np.ascontiguousarray(v, np.float32) for v in (vectors, reference))
    for start in range(0, len(vectors), _CHUNK):
        rows = vectors[start : start + _CHUNK]
        near = faiss.knn(rows, reference, k, metric=faiss.METRIC_INNER_PRODUCT)[1][:, 1:]
        # Anew in float64: the last bits of a search follow the number of threads.
        cosine = np.einsum("id,ikd->ik", rows.astype(np.float64), reference[near])
        found[start : start + _CHUNK] = 1 - cosine.mean(axis=1)
    return np.rint(found / _STEP) * _STEP


def reference_rows(labels: np.ndarray) -> tuple[np.ndarray, int]:
    """Choose what a log's utterances are held against, much as where its distance was learned.

    Args:
        labels: (m,) of labelled utterances.

    Returns:
        rows of them, evenly over intents; and how many utterances of the log are to join them.
    """
    rows = sample_evenly(labels, _MAX_LABELLED, np.random.default_rng(0))
    return rows, MAX_REFERENCE - len(rows)


def lifted(means: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return rows whose inner products with `mirrored` ones are locally scaled similarities.

    ⟨lifted a, mirrored lifted b⟩ = ⟨a, b⟩ + (isolation of a + isolation of b) / 2.

    Args:
        means: (n, d) float32 mean vectors.
        levels: (n,) their mean isolations.

    Returns:
        (n, d + 2) float32.
    """
    half = (np.asarray(levels, np.float32) / 2)[:, None]
    return np.hstack([means, np.ones_like(half), half])


def mirrored(rows: np.ndarray) -> np.ndarray:
    """Return rows (n, d + 2) with the last two columns exchanged."""
    return np.hstack([rows[:, :-2], rows[:, -1:], rows[:, -2:-1]])
