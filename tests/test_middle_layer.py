"""Tests of the middle layer, and of encoders without one."""

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding, Transformer

from advin.discovery.compute.precision import FP32
from advin.discovery.encoding import encoder as encoders
from advin.discovery.encoding.encoder import EncoderError, load_encoder
from advin.discovery.encoding.identity import EncoderIdentity

TEXTS = ["my kitchen tap drips", "book a flight to oslo", "hi", "tap " * 90, ""]


@pytest.fixture(scope="module")
def bare() -> SentenceTransformer:
    """Return the same weights as a plain SentenceTransformer."""
    return SentenceTransformer(str(encoders._packaged_default()), device="cpu")


def middle_of(text: str, bare: SentenceTransformer) -> np.ndarray:
    """Return the mean of all tokens after half of the layers, for one text without padding."""
    tokens = bare.tokenizer([text], truncation=True, max_length=256, return_tensors="pt")
    layers = bare[0].auto_model.encoder
    with torch.inference_mode():
        hidden = bare[0].auto_model.embeddings(tokens["input_ids"])
        for layer in layers.layer[: len(layers.layer) // 2]:
            found = layer(hidden)
            hidden = found if isinstance(found, torch.Tensor) else found[0]
    mean = hidden[0].mean(0).numpy()
    return mean / np.linalg.norm(mean)


def test_a_vector_consists_of_sentence_vector_and_middle_layer(encoder_fp32, bare):
    vectors = encoder_fp32.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), encoder_fp32.dimension) == (len(TEXTS), 768)
    sentence, middle = np.split(vectors, [encoder_fp32.sentence_dimension], axis=1)
    own = bare.encode(TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(sentence * 2**0.5, own, atol=1e-5)
    for row, text in zip(middle, TEXTS, strict=True):
        np.testing.assert_allclose(row * 2**0.5, middle_of(text, bare), atol=1e-5)


def test_the_sentence_part_has_unit_norm_and_is_linear(encoder_fp32, bare):
    identity, vectors = EncoderIdentity.of(encoder_fp32), encoder_fp32.encode(TEXTS)
    part = identity.sentence_part(vectors)
    np.testing.assert_allclose(part, bare.encode(TEXTS, normalize_embeddings=True), atol=1e-5)
    of_mean = identity.sentence_part(vectors.mean(axis=0, keepdims=True))
    np.testing.assert_allclose(of_mean[0], part.mean(axis=0), atol=1e-6)


def test_an_encoder_without_layers_keeps_its_vectors(bare, tmp_path):
    words = StaticEmbedding(bare.tokenizer, embedding_dim=16)
    SentenceTransformer(modules=[words], device="cpu").save_pretrained(str(tmp_path))
    encoder = load_encoder(str(tmp_path), 2, FP32)
    vectors = encoder.encode(TEXTS[:3])
    assert encoder.dimension == encoder.sentence_dimension == 16 == vectors.shape[1]
    np.testing.assert_array_equal(EncoderIdentity.of(encoder).sentence_part(vectors), vectors)


def test_an_encoder_that_does_not_return_its_layers_keeps_its_vectors(bare, monkeypatch):
    forward = Transformer.forward

    def without_layers(self, features, **kwargs):
        found = forward(self, features, **kwargs)
        return {name: found[name] for name in found if name != "all_layer_embeddings"}

    monkeypatch.setattr(Transformer, "forward", without_layers)
    encoder = load_encoder.__wrapped__(None, 2, FP32)
    assert encoder.dimension == encoder.sentence_dimension == 384
    np.testing.assert_allclose(
        encoder.encode(TEXTS), bare.encode(TEXTS, normalize_embeddings=True), atol=1e-5
    )


def test_an_error_of_an_encoder_is_not_mistaken_for_missing_layers(monkeypatch):
    def broken(self, features, **kwargs):
        return {}["pooler"]

    monkeypatch.setattr(Transformer, "forward", broken)
    with pytest.raises(EncoderError, match="KeyError: 'pooler'"):
        load_encoder.__wrapped__(None, 2, FP32)
