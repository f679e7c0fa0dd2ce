"""Tests of other encoders, and of changed default weights."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from advin.discovery.compute.precision import FP32
from advin.discovery.encoding import encoder as encoders
from advin.discovery.encoding.encoder import Encoder, EncoderError, load_encoder

TEXTS = ["my kitchen tap drips", "book a flight to oslo", "what is the weather", "hi", "tap " * 90]
WEIGHTS = "model.safetensors"


@pytest.fixture
def folder(tmp_path) -> Path:
    """Return a copy of the default encoder."""
    source = encoders._packaged_default()
    assert source is not None
    return shutil.copytree(source, tmp_path / "encoder")


def load_anew(spec: Path | None) -> Encoder:
    """Load an encoder as a new process would."""
    return load_encoder.__wrapped__(spec and str(spec), 2, FP32)


def change_weights(folder: Path, change) -> None:
    weights = load_file(folder / WEIGHTS)
    change(weights)
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})


def test_the_digest_does_not_depend_on_the_folder(encoder_fp32, folder):
    assert load_anew(folder).digest == encoder_fp32.digest


def test_missing_weights_without_effect_do_not_change_the_digest_between_loads(
    encoder_fp32, folder
):
    def drop_pooler(weights):
        for name in [name for name in weights if name.startswith("pooler.")]:
            del weights[name]

    change_weights(folder, drop_pooler)
    first, second = load_anew(folder), load_anew(folder)
    assert first.model is not second.model
    assert first.digest == second.digest
    np.testing.assert_array_equal(first.encode(TEXTS), encoder_fp32.encode(TEXTS))


def test_changed_weights_change_the_digest(encoder_fp32, folder):
    def shift(weights):
        weights["encoder.layer.5.output.dense.bias"][0] += 1e-3

    change_weights(folder, shift)
    assert load_anew(folder).digest != encoder_fp32.digest


FIRST_TOKEN = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
PROMPT = {"prompts": {"query": "query: "}, "default_prompt_name": "query"}


@pytest.mark.parametrize(
    ("file", "changed"),
    [("1_Pooling/config.json", FIRST_TOKEN), ("config_sentence_transformers.json", PROMPT)],
    ids=["pooling", "prompt"],
)
def test_pooling_and_prompt_change_the_digest(encoder_fp32, folder, file, changed):
    settings = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps(settings | changed))
    other = load_anew(folder)
    assert np.abs(encoder_fp32.encode(TEXTS) - other.encode(TEXTS)).max() > 0.01
    assert encoder_fp32.digest != other.digest


def test_a_folder_without_an_encoder_raises_an_error_with_its_name(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EncoderError, match=rf"cannot load encoder '{tmp_path}'.*give the folder"):
        load_encoder(str(tmp_path), 2)


def test_changed_packaged_weights_raise_an_error(folder, monkeypatch):
    package = folder.parent / "site" / encoders._PACKAGE
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    folder.rename(package / "model")
    weights = package / "model" / WEIGHTS
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.delitem(sys.modules, encoders._PACKAGE, raising=False)
    with pytest.raises(EncoderError, match=rf"{WEIGHTS} has sha256 .*get the model from the hub"):
        load_anew(None)
