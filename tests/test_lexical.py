"""Tests of lexical vectors: shared words, shared parts of words, and nothing in common."""

import os
import subprocess
import sys
from itertools import product

import numpy as np
import pytest

from advin.discovery.config import LexicalConfig
from advin.discovery.encoding.lexical import lexical_vectors

CONFIG = LexicalConfig()

VERBS = ["cancel", "track", "change", "return", "refund", "repeat"]
THINGS = ["parcel", "order", "address", "voucher", "invoice", "newsletter", "password", "booking"]


def templated(copies=12):
    """Return texts of 48 kinds; two words make a kind, and each copy has a number."""
    kinds = product(VERBS, THINGS, range(copies))
    return [f"{verb} the {thing} of {1000 + n}" for n, (verb, thing, _) in enumerate(kinds)]


def test_texts_with_common_words_are_near():
    texts = templated()
    vectors = lexical_vectors(texts, CONFIG)
    assert vectors.shape == (len(texts), CONFIG.dimensions) and vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -1)
    kind = np.arange(len(texts)) // 12
    assert (kind[similarity.argmax(axis=1)] == kind).mean() > 0.95


def test_parts_of_words_count_and_case_is_ignored():
    texts = [
        "rebooking a flight",
        "REBOOKED A FLIGHT",
        "lost luggage",
        "losing my luggages",
        "menu",
    ]
    similarity = lexical_vectors(texts, CONFIG) @ lexical_vectors(texts, CONFIG).T
    assert similarity[0, 1] > 0.9 > 0.1 > abs(similarity[0, 2])
    assert similarity[2, 3] > 0.9
    assert not similarity[4].any()


def test_scripts_without_spaces_are_compared_by_characters():
    texts = ["取消我的订单", "请取消我的订单", "天气怎么样啊", "明天天气怎么样啊"]
    similarity = lexical_vectors(texts, CONFIG) @ lexical_vectors(texts, CONFIG).T
    assert similarity[0, 1] > 0.9 and similarity[2, 3] > 0.9 and abs(similarity[0, 2]) < 0.1


@pytest.mark.parametrize("texts", [[], ["one"], ["one", "two"], ["", ""], ["?", "!!"]])
def test_texts_without_common_features_have_empty_vectors(texts):
    assert lexical_vectors(texts, CONFIG).shape == (len(texts), 0)


def test_the_number_of_threads_does_not_change_the_bytes():
    """A model must have the same bytes on machines with different numbers of processors."""
    script = (
        "import sys; from test_lexical import CONFIG, templated; "
        "from advin.discovery.encoding.lexical import lexical_vectors;"
        "sys.stdout.buffer.write(lexical_vectors(templated(40), CONFIG).tobytes())"
    )
    folder = os.path.dirname(__file__)
    outputs = [
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"OPENBLAS_NUM_THREADS": threads, "PYTHONPATH": folder},
            cwd=os.path.dirname(folder),
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        for threads in ("1", "2")
    ]
    assert outputs[0] == outputs[1] and outputs[0]
