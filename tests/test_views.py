"""Tests of views: which words they leave out, and where their vectors go."""

import random

import numpy as np
import pytest

from advin.discovery.config import ViewsConfig
from advin.discovery.encoding.views import embedded_views, partial_text

CONFIG = ViewsConfig()

WORDS = "please cancel the order that was placed under my old address before it ships".split()


def sentences(count: int) -> list[str]:
    draw = random.Random(0)
    return [" ".join(draw.choices(WORDS, k=draw.randint(1, 14))) for _ in range(count)]


def is_part(words: list[str], whole: list[str]) -> bool:
    rest = iter(whole)
    return all(word in rest for word in words)


def test_a_view_leaves_out_a_tenth_of_the_words_and_keeps_the_order_of_the_rest():
    texts = sentences(2_000)
    views = [partial_text(text, 0, 0.1) for text in texts]
    assert all(is_part(v.split(), t.split()) for v, t in zip(views, texts, strict=True))
    before, after = (sum(len(text.split()) for text in made) for made in (texts, views))
    assert after / before == pytest.approx(0.9, abs=0.01)


def test_views_differ_by_number_but_not_between_runs():
    # A different draw would change the training data of every model.
    text = "please cancel the order that was placed under my old address before it ships"
    assert [partial_text(text, number, 0.1) for number in range(3)] == [
        text,
        "please the order that was placed under my old address it ships",
        "please cancel the order was placed my old address before it ships",
    ]


@pytest.mark.parametrize("text", ["", "refund", "我想取消我的订单", "ยกเลิกคำสั่งซื้อ"])
def test_texts_of_one_word_stay_whole(text):
    assert {partial_text(text, number, 0.1) for number in range(50)} == {text}


def test_only_views_that_differ_from_their_text_are_encoded_and_only_once(encoder):
    texts = ["refund", *sentences(300), "我想取消我的订单"]
    asked: list[str] = []

    def encode(batch: list[str]) -> np.ndarray:
        asked.extend(batch)
        return encoder.encode(batch)

    whole = encoder.encode(texts)
    views = embedded_views(texts, whole, encode, CONFIG)
    assert views.shape == (CONFIG.count, *whole.shape) and views.dtype == np.float16
    made = [[partial_text(text, number, 0.1) for text in texts] for number in range(CONFIG.count)]
    differing = {v for row in made for v, text in zip(row, texts, strict=True) if v != text}
    assert sorted(asked) == sorted(differing)
    for view, of_texts in zip(views, made, strict=True):
        cosines = (view.astype(np.float32) * encoder.encode(of_texts)).sum(axis=1)
        assert cosines.min() > 0.999


def test_other_rows_and_their_order_change_no_view(encoder):
    texts = sentences(60)
    vectors = encoder.encode(texts)
    views = embedded_views(texts, vectors, encoder.encode, CONFIG)
    order = np.random.default_rng(0).permutation(60)
    shuffled = embedded_views([texts[i] for i in order], vectors[order], encoder.encode, CONFIG)
    assert shuffled.tobytes() == views[:, order].tobytes()
