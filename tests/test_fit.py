"""Training data: the order of its parts, and when views are needed."""

import numpy as np
import pytest

from advin.discovery.config import Config
from advin.discovery.encoding.texts import EmbeddedTexts
from advin.discovery.encoding.views import partial_text
from advin.discovery.fit import TrainingData, needs_views
from advin.discovery.labels import UNLABELED

DIMENSION = 8


def vectors_of(texts) -> np.ndarray:
    """Different vectors for different texts."""
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


def test_rows_are_the_log_then_labeled_then_out_of_domain_texts_with_views():
    data = data_of([0, 0, 1]).with_views(vectors_of, Config())
    rows = data.rows(Config())
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
def test_views_are_needed_if_labels_are_too_few(labels, effort, expected):
    assert needs_views(data_of(labels).labels, Config.preset(effort)) is expected


def test_each_text_needs_its_vector():
    with pytest.raises(ValueError, match="2 texts, but 1 vectors"):
        EmbeddedTexts(["a", "b"], np.zeros((1, DIMENSION)))
