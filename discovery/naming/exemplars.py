"""Exemplars: a few utterances that show what an intent contains."""

from collections.abc import Sequence

import numpy as np

from advin.discovery.config import NamingConfig
from advin.discovery.naming.terms import centrality, is_readable
from advin.discovery.text.cleaning import normalize


def exemplars(
    vectors: np.ndarray, texts: Sequence[str], weights: np.ndarray, config: NamingConfig
) -> list[int]:
    """Choose utterances that show an intent: the medoid first, then a spread.

    The medoid has the highest mean similarity to all utterances. Each further exemplar is the one
    farthest from those already chosen, among the more central half. Texts of readable length are
    preferred if there are enough of them. Of several spellings of one text, only the most frequent
    one can be chosen. Ties break by text.

    Args:
        vectors: (m, d) unit vectors.
        texts: (m,) utterances.
        weights: (m,) number of occurrences of each utterance, above 0.
        config: number of exemplars and readable lengths.

    Returns:
        indices of the exemplars, at most `config.exemplars`.
    """
    best_spelling: dict[str, int] = {}
    for i in sorted(range(len(texts)), key=lambda i: (-weights[i], texts[i])):
        best_spelling.setdefault(normalize(texts[i]), i)
    rows = [best_spelling[text] for text in sorted(best_spelling)]
    readable = [i for i in rows if is_readable(len(texts[i].split()), config)]
    rows = readable if len(readable) >= config.exemplars else rows
    if not rows:
        return []
    closeness = centrality(vectors, weights)[rows]
    half = max(config.exemplars, -(-len(rows) // 2))
    central = [rows[i] for i in np.argsort(-closeness, kind="stable")[:half]]
    points = np.asarray(vectors, np.float64)[central]
    chosen = [0]
    nearest = points @ points[0]
    while len(chosen) < min(config.exemplars, len(central)):
        nearest[chosen] = np.inf
        chosen.append(int(np.argmin(nearest)))
        nearest = np.maximum(nearest, points @ points[chosen[-1]])
    return [central[i] for i in chosen]
