"""Views of an utterance: its text with some words left out, as people leave them out themselves.

Most views are of the same intent as the whole. A metric head that has to put them where the whole
belongs learns which words an intent hangs on, without labels (word dropout, Iyyer et al., ACL 2015;
deletion as augmentation for contrastive learning, CLEAR, arXiv 2012.15466).
"""

import random
from collections.abc import Callable, Sequence

import numpy as np

from advin.discovery.encoding.encoder import batches_by_length

# `benchmarks/history.md` tells what a quarter of the words, and other numbers of views, would give.
VIEWS = 4
_LEFT_OUT = 0.1


def partial_text(text: str, number: int) -> str:
    """Return the text without about a tenth of its words; the same each time for one number.

    A text of which nothing would be left stays whole, as one without spaces does.
    """
    # Seeded by the text, so that neither other texts nor their order change a view.
    draw = random.Random(f"{number} {text}")
    return " ".join(word for word in text.split() if draw.random() >= _LEFT_OUT) or text


def embedded_views(
    texts: Sequence[str], vectors: np.ndarray, encode: Callable[[list[str]], np.ndarray]
) -> np.ndarray:
    """Make `VIEWS` views of each text, and encode those that differ from it.

    Args:
        texts: (n,) utterances.
        vectors: (n, d) of the whole texts.
        encode: from (m,) texts to their (m, d) vectors, by the same encoder.

    Returns:
        (VIEWS, n, d) float16.
    """
    views = np.repeat(np.asarray(vectors, np.float16)[None], VIEWS, axis=0)
    where: dict[str, list[tuple[int, int]]] = {}
    for number in range(VIEWS):
        for row, text in enumerate(texts):
            view = partial_text(text, number)
            if view != text:
                where.setdefault(view, []).append((number, row))
    distinct = list(where)
    for batch_rows in batches_by_length(distinct, distinct):
        batch = [distinct[row] for row in batch_rows]
        for view, vector in zip(batch, encode(batch), strict=True):
            numbers, rows = zip(*where[view], strict=True)
            views[numbers, rows] = vector
    return views
