"""Reduced precision: what it changes, what it must not, and who decides."""

import numpy as np
import pytest

from advin.discovery.compute.precision import BF16, FP32, best_precision
from advin.discovery.encoding.encoder import EncoderError, load_encoder
from advin.discovery.encoding.identity import EncoderIdentity

TEXTS = ["my kitchen tap drips", "book a flight to oslo", "what is the weather", "hi", "tap " * 90]


def test_reduced_precision_hardly_moves_a_vector_and_shows_in_the_digest():
    exact, reduced = load_encoder(None, 2, FP32), load_encoder(None, 2, BF16)
    cosine = (exact.encode(TEXTS) * reduced.encode(TEXTS)).sum(axis=1)
    assert cosine.min() > 0.999
    assert not np.array_equal(exact.encode(TEXTS), reduced.encode(TEXTS))
    assert exact.digest != reduced.digest


def test_the_best_precision_is_taken_when_none_is_named():
    assert load_encoder(None, 2).precision == best_precision()


def test_vectors_of_two_precisions_never_meet():
    fitted, now = (
        EncoderIdentity.of(encoder)
        for encoder in (load_encoder(None, 2, FP32), load_encoder(None, 2, BF16))
    )
    with pytest.raises(
        EncoderError, match=r"dimensions, fp32.* dimensions, bf16.*use the same encoder"
    ):
        fitted.check_same(now)
