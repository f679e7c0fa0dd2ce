"""Lexical vectors, of texts that share words, parts of words, or nothing."""

import os
import subprocess
import sys
from itertools import product

import numpy as np
import pytest

from advin.discovery.encoding.lexical import DIMENSIONS, lexical_vectors

VERBS = ["cancel", "track", "change", "return", "refund", "repeat"]
THINGS = ["parcel", "order", "address", "voucher", "invoice", "newsletter", "password", "booking"]


def templated(copies=12):
    """Texts of 48 kinds: two words say which, and a number the copy."""
    kinds = product(VERBS, THINGS, range(copies))
    return [f"{verb} the {thing} of {1000 + n}" for n, (verb, thing, _) in enumerate(kinds)]


def test_what_shares_its_words_is_near():
    texts = templated()
    vectors = lexical_vectors(texts)
    assert vectors.shape == (len(texts), DIMENSIONS) and vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -1)
    kind = np.arange(len(texts)) // 12
    assert (kind[similarity.argmax(axis=1)] == kind).mean() > 0.95


def test_parts_of_words_count_and_case_does_not():
    texts = [
        "rebooking a flight",
        "REBOOKED A FLIGHT",
        "lost luggage",
        "losing my luggages",
        "menu",
    ]
    similarity = lexical_vectors(texts) @ lexical_vectors(texts).T
    assert similarity[0, 1] > 0.9 > 0.1 > abs(similarity[0, 2])
    assert similarity[2, 3] > 0.9
    assert not similarity[4].any()


def test_scripts_without_spaces_are_compared_by_characters():
    texts = ["取消我的订单", "请取消我的订单", "天气怎么样啊", "明天天气怎么样啊"]
    similarity = lexical_vectors(texts) @ lexical_vectors(texts).T
    assert similarity[0, 1] > 0.9 and similarity[2, 3] > 0.9 and abs(similarity[0, 2]) < 0.1


@pytest.mark.parametrize("texts", [[], ["one"], ["one", "two"], ["", ""], ["?", "!!"]])
def test_without_anything_in_common_there_are_no_dimensions(texts):
    assert lexical_vectors(texts).shape == (len(texts), 0)


def test_the_number_of_threads_changes_nothing():
    """Bytes must not depend on it: the model is the same on any machine of a kind."""
    script = (
        "import sys; from test_lexical import templated; "
        "from advin.discovery.encoding.lexical import *;"
        "sys.stdout.buffer.write(lexical_vectors(templated(40)).tobytes())"
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
