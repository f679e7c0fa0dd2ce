"""Views of utterances: what is left out, and where the vectors of what is left go."""

import random

import numpy as np
import pytest

from advin.discovery.encoding.views import VIEWS, embedded_views, partial_text

WORDS = "please cancel the order that was placed under my old address before it ships".split()


def sentences(count: int) -> list[str]:
    draw = random.Random(0)
    return [" ".join(draw.choices(WORDS, k=draw.randint(1, 14))) for _ in range(count)]


def is_part(words: list[str], whole: list[str]) -> bool:
    rest = iter(whole)
    return all(word in rest for word in words)


def test_about_a_tenth_of_the_words_is_left_out_and_the_others_keep_their_order():
    texts = sentences(2_000)
    views = [partial_text(text, 0) for text in texts]
    assert all(is_part(v.split(), t.split()) for v, t in zip(views, texts, strict=True))
    before, after = (sum(len(text.split()) for text in made) for made in (texts, views))
    assert after / before == pytest.approx(0.9, abs=0.01)


def test_views_differ_by_their_number_and_not_from_run_to_run():
    # Of this very text: another draw would change what every model is learned from.
    text = "please cancel the order that was placed under my old address before it ships"
    assert [partial_text(text, number) for number in range(3)] == [
        text,
        "please the order that was placed under my old address it ships",
        "please cancel the order was placed my old address before it ships",
    ]


@pytest.mark.parametrize("text", ["", "refund", "我想取消我的订单", "ยกเลิกคำสั่งซื้อ"])
def test_what_cannot_be_taken_apart_stays_whole(text):
    assert {partial_text(text, number) for number in range(50)} == {text}


def test_only_what_differs_is_encoded_and_once(encoder):
    texts = ["refund", *sentences(300), "我想取消我的订单"]
    asked: list[str] = []

    def encode(batch: list[str]) -> np.ndarray:
        asked.extend(batch)
        return encoder.encode(batch)

    whole = encoder.encode(texts)
    views = embedded_views(texts, whole, encode)
    assert views.shape == (VIEWS, *whole.shape) and views.dtype == np.float16
    made = [[partial_text(text, number) for text in texts] for number in range(VIEWS)]
    differing = {v for row in made for v, text in zip(row, texts, strict=True) if v != text}
    assert sorted(asked) == sorted(differing)
    for view, of_texts in zip(views, made, strict=True):
        cosines = (view.astype(np.float32) * encoder.encode(of_texts)).sum(axis=1)
        assert cosines.min() > 0.999


def test_other_rows_and_another_order_change_no_view(encoder):
    texts = sentences(60)
    vectors = encoder.encode(texts)
    views = embedded_views(texts, vectors, encoder.encode)
    order = np.random.default_rng(0).permutation(60)
    shuffled = embedded_views([texts[i] for i in order], vectors[order], encoder.encode)
    assert shuffled.tobytes() == views[:, order].tobytes()
