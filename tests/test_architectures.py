"""Tests of encoders of other architectures, each made here with small random weights."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import (
    Dense,
    Normalize,
    Pooling,
    StaticEmbedding,
    Transformer,
)
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    MPNetConfig,
    MPNetModel,
    PreTrainedModel,
)

from advin.discovery.compute.precision import FP32
from advin.discovery.encoding import encoder as encoders
from advin.discovery.encoding.encoder import Encoder, EncoderError, load_encoder
from advin.discovery.encoding.identity import EncoderIdentity

TEXTS = ["my kitchen tap drips", "book a flight to oslo", "hi", "tap " * 90]
WORDS = 30_522


def load_anew(folder: Path) -> Encoder:
    """Load an encoder as a new process would."""
    return load_encoder.__wrapped__(str(folder), 2, FP32)


def saved(folder: Path, network: PreTrainedModel, *rest: torch.nn.Module, **settings) -> Path:
    """Save an encoder with this network and the words of the default encoder."""
    source = encoders._packaged_default()
    assert source is not None
    AutoTokenizer.from_pretrained(source).save_pretrained(folder / "network")
    network.save_pretrained(folder / "network")
    first = Transformer(str(folder / "network"), max_seq_length=32)
    model = SentenceTransformer(modules=[first, *rest], device="cpu", **settings)
    model.save_pretrained(str(folder / "encoder"))
    return folder / "encoder"


def static(folder: Path) -> Path:
    """Save word vectors, whose mean is the sentence vector."""
    source = encoders._packaged_default()
    assert source is not None
    words = StaticEmbedding(AutoTokenizer.from_pretrained(source), embedding_dim=24)
    SentenceTransformer(modules=[words], device="cpu").save_pretrained(str(folder / "encoder"))
    return folder / "encoder"


def distilbert(folder: Path) -> Path:
    """Save three layers, whose first token is the sentence vector."""
    config = DistilBertConfig(vocab_size=WORDS, dim=48, n_layers=3, n_heads=4, hidden_dim=64)
    return saved(folder, DistilBertModel(config), Pooling(48, pooling_mode="cls"))


def mpnet(folder: Path) -> Path:
    """Save two layers with relative positions."""
    config = MPNetConfig(
        vocab_size=WORDS,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
    )
    return saved(folder, MPNetModel(config), Pooling(32, pooling_mode="mean"))


def bert(folder: Path) -> Path:
    """Save an encoder with a prompt, whose sentence vector passes a dense layer."""
    config = BertConfig(
        vocab_size=WORDS,
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=64,
    )
    rest = (Pooling(32, pooling_mode="mean"), Dense(32, 20), Normalize())
    prompts = {"query": "find: "}
    return saved(folder, BertModel(config), *rest, prompts=prompts, default_prompt_name="query")


ARCHITECTURES = {static: (24, 0), distilbert: (48, 48), mpnet: (32, 32), bert: (20, 32)}


@pytest.mark.parametrize(
    ("make", "lengths"), ARCHITECTURES.items(), ids=[f.__name__ for f in ARCHITECTURES]
)
def test_an_encoder_of_any_architecture_gives_unit_vectors_with_its_middle_layer(
    tmp_path: Path, make: Callable[[Path], Path], lengths: tuple[int, int]
):
    folder = make(tmp_path)
    encoder = load_anew(folder)
    vectors = encoder.encode(TEXTS)
    assert (encoder.sentence_dimension, encoder.dimension) == (lengths[0], sum(lengths))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    own = SentenceTransformer(str(folder), device="cpu").encode(TEXTS, normalize_embeddings=True)
    part = EncoderIdentity.of(encoder).sentence_part(vectors)
    np.testing.assert_allclose(part, own, atol=1e-5)
    assert load_anew(folder).digest == encoder.digest


def test_the_activation_of_a_dense_layer_changes_the_digest(tmp_path: Path):
    folder = bert(tmp_path)
    before = load_anew(folder)
    config = next(folder.glob("*_Dense/config.json"))
    config.write_text(config.read_text().replace("activation.Tanh", "linear.Identity"))
    after = load_anew(folder)
    assert np.abs(before.encode(TEXTS) - after.encode(TEXTS)).max() > 1e-3
    assert before.digest != after.digest


def nan_weight(folder: Path) -> None:
    file = folder / "model.safetensors"
    weights = load_file(file)
    name = next(name for name in weights if name.endswith("word_embeddings.weight"))
    weights[name][WORDS - 1] = np.nan
    save_file(weights, file, metadata={"format": "pt"})


def zero_weights(folder: Path) -> None:
    file = folder / "model.safetensors"
    weights = {name: np.zeros_like(value) for name, value in load_file(file).items()}
    save_file(weights, file, metadata={"format": "pt"})


def cut_weights(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])


def no_tokenizer(folder: Path) -> None:
    for file in folder.glob("*token*"):
        file.unlink()


def no_modules(folder: Path) -> None:
    (folder / "modules.json").write_text("[]")


@pytest.mark.parametrize(
    "damage", [nan_weight, zero_weights, cut_weights, no_tokenizer, no_modules]
)
def test_a_broken_encoder_raises_an_error_with_its_folder(
    tmp_path: Path, damage: Callable[[Path], None]
):
    folder = distilbert(tmp_path)
    damage(folder)
    with pytest.raises(EncoderError, match="encoder '") as found:
        load_anew(folder)
    assert "\n" not in str(found.value)


def test_a_folder_of_other_files_raises_an_error(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("no encoder")
    with pytest.raises(EncoderError, match="cannot load encoder"):
        load_anew(tmp_path)
    shutil.rmtree(tmp_path)
    with pytest.raises(EncoderError, match="no such encoder folder"):
        load_anew(tmp_path)
