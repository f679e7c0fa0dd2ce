"""Views of an utterance: its text with some words left out.

A view mostly keeps the intent of its utterance. A metric head that places views beside the whole
text learns, without labels, which words carry the intent (word dropout, Iyyer et al., ACL 2015;
CLEAR, arXiv 2012.15466).
"""

import random
from collections.abc import Callable, Sequence

import numpy as np

from advin.discovery.config import ViewsConfig
from advin.discovery.encoding.encoder import batches_by_length


def partial_text(text: str, number: int, dropout: float) -> str:
    """Return a view of a text.

    Args:
        text: an utterance.
        number: number of the view; the same number always gives the same view.
        dropout: probability that a word is left out, 0 to 1.

    Returns:
        the text without some words; the whole text if no word would be left.
    """
    # Seeded by the text, so that neither other texts nor their order change a view.
    draw = random.Random(f"{number} {text}")
    return " ".join(word for word in text.split() if draw.random() >= dropout) or text


def embedded_views(
    texts: Sequence[str],
    vectors: np.ndarray,
    encode: Callable[[list[str]], np.ndarray],
    config: ViewsConfig,
) -> np.ndarray:
    """Make views of each text, and encode each distinct view that differs from its text.

    Args:
        texts: (n,) utterances.
        vectors: (n, d) unit vectors of the whole texts.
        encode: from (m,) texts to (m, d) unit vectors, by the same encoder.
        config: number of views and word dropout.

    Returns:
        (config.count, n, d) float16 unit vectors.
    """
    views = np.repeat(np.asarray(vectors, np.float16)[None], config.count, axis=0)
    where: dict[str, list[tuple[int, int]]] = {}
    for number in range(config.count):
        for row, text in enumerate(texts):
            view = partial_text(text, number, config.word_dropout)
            if view != text:
                where.setdefault(view, []).append((number, row))
    distinct = list(where)
    for batch_rows in batches_by_length(distinct, distinct):
        batch = [distinct[row] for row in batch_rows]
        for view, vector in zip(batch, encode(batch), strict=True):
            numbers, rows = zip(*where[view], strict=True)
            views[numbers, rows] = vector
    return views
