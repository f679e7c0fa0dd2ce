"""The precision of the encoder: its effect on vectors, and how it is chosen and checked."""

import numpy as np
import pytest

from advin.discovery.compute.precision import BF16, FP32, best_precision
from advin.discovery.encoding.encoder import EncoderError, load_encoder
from advin.discovery.encoding.identity import EncoderIdentity

TEXTS = ["my kitchen tap drips", "book a flight to oslo", "what is the weather", "hi", "tap " * 90]


def test_bfloat16_hardly_changes_vectors_and_changes_the_digest():
    exact, reduced = load_encoder(None, 2, FP32), load_encoder(None, 2, BF16)
    cosine = (exact.encode(TEXTS) * reduced.encode(TEXTS)).sum(axis=1)
    assert cosine.min() > 0.999
    assert not np.array_equal(exact.encode(TEXTS), reduced.encode(TEXTS))
    assert exact.digest != reduced.digest


def test_the_best_precision_is_the_default():
    assert load_encoder(None, 2).precision == best_precision()


def test_a_model_refuses_vectors_of_another_precision():
    fitted, now = (
        EncoderIdentity.of(encoder)
        for encoder in (load_encoder(None, 2, FP32), load_encoder(None, 2, BF16))
    )
    with pytest.raises(
        EncoderError, match=r"dimensions, fp32.* dimensions, bf16.*use the same encoder"
    ):
        fitted.check_same(now)
