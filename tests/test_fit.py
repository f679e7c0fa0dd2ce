"""What a model is learned from: the order of its parts, and when views are made of them."""

import numpy as np
import pytest

from advin.discovery.encoding.views import partial_text
from advin.discovery.fit import EmbeddedTexts, FitSettings, TrainingData, needs_views
from advin.discovery.labels import UNLABELED

DIMENSION = 8


def vectors_of(texts) -> np.ndarray:
    """Vectors that tell the texts apart."""
    draws = [np.random.default_rng(list(text.encode())).normal(size=DIMENSION) for text in texts]
    return np.array(draws, np.float16).reshape(-1, DIMENSION)


def data_of(labels) -> TrainingData:
    log, labeled, outside = (
        [f"{part} {i} of some more words" for i in range(count)]
        for part, count in (("log", 5), ("labeled", len(labels)), ("outside", 2))
    )
    intents = tuple(f"i{label}" for label in sorted(set(labels)))
    parts = [EmbeddedTexts(texts, vectors_of(texts)) for texts in (log, labeled, outside)]
    return TrainingData(
        parts[0], parts[1], np.array(labels, int), intents, (None,) * len(intents), parts[2]
    )


def test_the_rows_are_the_log_the_labeled_and_the_rest_each_with_its_views():
    data = data_of([0, 0, 1]).with_views(vectors_of)
    rows = data.rows()
    assert rows.labels.tolist() == [UNLABELED] * 5 + [0, 0, 1] + [UNLABELED] * 2
    texts = data.whole().texts
    assert (rows.vectors == vectors_of(texts)).all()
    assert rows.views is not None
    for number, views in enumerate(rows.views):
        assert (views == vectors_of([partial_text(text, number, 0.1) for text in texts])).all()


@pytest.mark.parametrize(
    ("labels", "effort", "expected"),
    [
        ([], "full", True),
        ([0, 0, 1, 1, 2, 2, 3], "full", True),
        ([0, 0, 1, 1, 2, 2, 3, 3], "full", False),
        ([], "fast", False),
    ],
)
def test_views_are_made_where_labels_do_not_suffice(labels, effort, expected):
    assert needs_views(data_of(labels).labels, FitSettings(effort=effort)) is expected


def test_each_text_needs_its_vector():
    with pytest.raises(ValueError, match="2 texts, but 1 vectors"):
        EmbeddedTexts(["a", "b"], np.zeros((1, DIMENSION)))
