"""Synthetic intents for the tests: unit vectors around centers that are drawn at random.

unit                rows of unit norm
around              utterances around given centers
draw_intents        intents of equal size around random centers
draw_noisy_intents  the same, where half of the dimensions are noise
draw_mixture        utterances of a few intents of random size
draw_domains        centroids of intents around the centers of their domains
axis_intent         an intent around an axis, for tests that place intents by hand
dense_groups        four dense groups among noise
draw_clusters       clusters of one utterance, as the link stage reads them
in_words            vectors with texts that share words within an intent
wordless            vectors with empty texts

Each generator takes a seed or a generator: a test that goes on drawing passes its own.
"""

import numpy as np

from advin.discovery.clustering.partition import Clusters
from advin.discovery.encoding.texts import EmbeddedTexts

DIMENSION = 24
Seed = int | np.random.Generator


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return the rows of a matrix (n, d) at unit norm."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def around(centers: np.ndarray, labels: np.ndarray, spread: float, seed: Seed) -> np.ndarray:
    """Return unit vectors (n, d): the center of each row's label, plus normal noise."""
    rng = np.random.default_rng(seed)
    return unit(centers[labels] + spread * rng.normal(size=(len(labels), centers.shape[1])))


def draw_intents(
    intents: int,
    rows: int,
    seed: Seed = 0,
    spread: float = 0.7,
    dimension: int = DIMENSION,
) -> tuple[np.ndarray, np.ndarray]:
    """Return unit vectors (intents · rows, dimension) float16 around random centers, and labels."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(intents, dimension))
    labels = np.repeat(np.arange(intents), rows)
    return around(centers, labels, spread, rng).astype(np.float16), labels


def draw_noisy_intents(
    intents: int = 12, rows: int = 40, dimension: int = 32, spread: float = 0.5, seed: Seed = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return interleaved unit vectors (float32) and labels; half of the dimensions mean nothing."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.arange(intents), rows)
    half = dimension // 2
    centers = rng.normal(size=(intents, half))
    signal = centers[labels] + spread * rng.normal(size=(len(labels), half))
    noise = 2 * spread * rng.normal(size=(len(labels), dimension - half))
    return unit(np.concatenate([signal, noise], axis=1)).astype(np.float32), labels


def draw_mixture(n: int, dimension: int = 8, intents: int = 6, seed: Seed = 0) -> np.ndarray:
    """Return n unit vectors, each of an intent that is drawn at random."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(intents, dimension)) * 1.5
    return unit(rng.normal(size=(n, dimension)) + centers[rng.integers(0, intents, n)])


def draw_domains(domains: int, each: int, spread: float = 0.5, seed: Seed = 0) -> np.ndarray:
    """Return centroids (domains · each, DIMENSION) of intents, those of a domain together."""
    rng = np.random.default_rng(seed)
    centers = np.repeat(rng.normal(size=(domains, DIMENSION)), each, axis=0)
    return centers + spread * rng.normal(size=centers.shape)


def axis_intent(axis: int, rows: int, dimension: int, seed: Seed) -> np.ndarray:
    """Return unit vectors (rows, dimension) close to an axis."""
    x = np.random.default_rng(seed).normal(size=(rows, dimension)) * 0.08
    x[:, axis] += 1
    return unit(x)


def dense_groups(
    rows: int, spread: float, noise: int = 0, seed: Seed = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return unit vectors of four groups, then noise; and the labels of the groups' rows."""
    rng = np.random.default_rng(seed)
    x = np.repeat(np.eye(12)[:4], rows, axis=0) + spread * rng.normal(size=(4 * rows, 12))
    return unit(np.concatenate([x, rng.normal(size=(noise, 12))])), np.repeat(range(4), rows)


def draw_clusters(means: np.ndarray, max_weight: int, seed: Seed) -> Clusters:
    """Return clusters of one utterance each, with random ids, weights and scores."""
    rng = np.random.default_rng(seed)
    n = len(means)
    return Clusters(
        ids=np.array([rng.bytes(16).hex() for _ in range(n)], "S32"),
        means=means.astype(np.float16),
        weights=rng.integers(1, max_weight + 1, n),
        sizes=np.ones(n, np.int64),
        log_odds=rng.normal(size=n),
        label_density=rng.random(n),
        intents=rng.integers(0, 3, n),
    )


def in_words(vectors: np.ndarray, labels: np.ndarray, seed: Seed = 0) -> EmbeddedTexts:
    """Return vectors (n, d) with texts of four words, two of them from the six of its intent."""
    rng = np.random.default_rng(seed)
    words = [_words(6, np.random.default_rng(int(label))) for label in labels]
    own = [rng.choice(w, 2, replace=False) for w in words]
    return EmbeddedTexts([" ".join([*w, *_words(2, rng)]) for w in own], vectors)


def _words(n: int, rng: np.random.Generator) -> list[str]:
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    return ["".join(rng.choice(letters, 6)) for _ in range(n)]


def wordless(vectors: np.ndarray) -> EmbeddedTexts:
    """Return vectors (n, d) with empty texts, which resemble no other text."""
    return EmbeddedTexts([""] * len(vectors), vectors)
