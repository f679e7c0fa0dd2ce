"""Model folders: a process reads a folder again if another model was saved there."""

import os

import numpy as np
import pytest

from advin.discovery.compute.precision import FP32
from advin.discovery.config import Config
from advin.discovery.encoding.identity import EncoderIdentity
from advin.discovery.metric.head import MetricHead
from advin.discovery.model import Model
from advin.discovery.selection.distance import DEFAULT, IntentDistance
from advin.pipelines.errors import SettingsError
from advin.pipelines.models import ModelFolder, load_model, model_fingerprint, save_model

DIMENSION = 4


def model_with(domain_distance: float) -> Model:
    """Return a small model without known intents."""
    zeros, bias = np.zeros((DIMENSION, DIMENSION), np.float32), np.zeros(DIMENSION, np.float32)
    return Model(
        encoder=EncoderIdentity("test", "", DIMENSION, DIMENSION, FP32),
        config=Config(),
        intents=(),
        domains=(),
        novelty=None,
        head=MetricHead(zeros, bias, zeros, bias),
        distance=IntentDistance(0.4, 0.4, 15, DEFAULT, np.zeros(0), np.zeros((0, 0))),
        domain_distance=domain_distance,
        domain_origin=DEFAULT,
        anchors=np.zeros((0, DIMENSION), np.float16),
        anchor_labels=np.zeros(0, np.int64),
        label_density=np.zeros(0),
    )


def test_a_model_is_read_once_while_its_files_do_not_change(tmp_path):
    save_model(str(tmp_path), model_with(0.5))
    assert load_model(str(tmp_path)) is load_model(str(tmp_path))


def test_a_model_saved_into_the_same_folder_replaces_the_old_one(tmp_path):
    folder = ModelFolder(str(tmp_path))
    for distance in (0.5, 0.6):
        save_model(str(tmp_path), model_with(distance))
        assert folder.load().domain_distance == distance


def test_a_model_that_another_process_saved_replaces_the_old_one(tmp_path):
    folder, other = tmp_path / "model", tmp_path / "other"
    for path, distance in ((folder, 0.5), (other, 0.6)):
        save_model(str(path), model_with(distance))
    assert load_model(str(folder)).domain_distance == 0.5
    for path in other.iterdir():
        later = path.stat().st_mtime + 10
        os.utime(path, (later, later))
        path.replace(folder / path.name)
    assert load_model(str(folder)).domain_distance == 0.6


def test_the_fingerprint_of_a_folder_changes_with_its_model(tmp_path):
    save_model(str(tmp_path), model_with(0.5))
    before = model_fingerprint(str(tmp_path))
    save_model(str(tmp_path), model_with(0.6))
    assert model_fingerprint(str(tmp_path)) != before


def test_a_configuration_replaces_the_one_in_the_folder(tmp_path):
    save_model(str(tmp_path), model_with(0.5))
    config = Config().with_values({"naming.documents": 7})
    found = ModelFolder(str(tmp_path), config).load()
    assert found.config == config and found.domain_distance == 0.5


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"no model in .* fit one with `advin fit`"):
        load_model(str(tmp_path))
