"""Tampered models: each is refused with one line that names the file, or works as a model.

A model works if a change means nothing, or if the manifest was changed to agree with it.

ADVIN_FUZZ_MODELS says how many; `make fuzz` tries 300.
"""

import contextlib
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from tampering import array_changes, byte_changes, file_changes, json_changes

from advin.discovery.compute.precision import FP32
from advin.discovery.config import Config
from advin.discovery.encoding.identity import EncoderIdentity
from advin.discovery.metric.head import MetricHead
from advin.discovery.model import CONFIG, TENSORS, Model
from advin.discovery.novelty.calibration import fit_novelty
from advin.discovery.selection.distance import LEARNED, IntentDistance
from advin.pipelines.errors import SettingsError, one_line
from advin.pipelines.models import file_digest, load_model, save_model
from advin.runners.cli import main
from advin.schemas.manifest import MANIFEST, ModelManifest
from tests.synthetic import DIMENSION, draw_intents, in_words, wordless

CASES = int(os.environ.get("ADVIN_FUZZ_MODELS", "80"))
INTENTS = 4
# Bytes may change in all files, the rest only in files of its kind.
CHANGES = [
    *((CONFIG, name, change) for name, change in {**json_changes, **file_changes}.items()),
    *((MANIFEST, name, change) for name, change in {**json_changes, **file_changes}.items()),
    *((TENSORS, name, change) for name, change in {**array_changes, **file_changes}.items()),
    *((f, name, c) for f in (CONFIG, TENSORS, MANIFEST) for name, c in byte_changes.items()),
]


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """The folder of a model of synthetic intents, with all arrays that a model may have."""
    folder = tmp_path_factory.mktemp("original") / "model"
    vectors, labels = draw_intents(INTENTS, 12)
    outside = draw_intents(3, 10, seed=1)[0]
    rng = np.random.default_rng(0)
    sizes = [(16, DIMENSION), (16,), (8, 16), (8,)]
    model = Model(
        encoder=EncoderIdentity("test", "0" * 64, DIMENSION, DIMENSION, FP32),
        config=Config().with_values({"novelty.space.steps": 5}),
        intents=tuple("abcd"),
        domains=("x", None, "y", "x"),
        novelty=fit_novelty(
            in_words(vectors, labels), labels, INTENTS, Config().novelty, wordless(outside)
        ),
        head=MetricHead(*(rng.normal(size=size).astype(np.float32) for size in sizes)),
        distance=IntentDistance(0.4, 0.45, 15, LEARNED, np.arange(5) / 5, rng.random((3, 5))),
        domain_distance=0.9,
        domain_origin=LEARNED,
        anchors=vectors,
        anchor_labels=labels.astype(np.int64),
        label_density=np.full(INTENTS, 40.0),
    )
    save_model(str(folder), model)
    use(load_model(str(folder)))
    return folder


def seal(folder: Path) -> None:
    """Write the digests of the files into the manifest, as someone who means harm would."""
    manifest = ModelManifest.from_json((folder / MANIFEST).read_bytes())
    for name in (CONFIG, TENSORS):
        # Files that do not even parse have no digest.
        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
            manifest.files[name] = file_digest(name, (folder / name).read_bytes())
    (folder / MANIFEST).write_text(manifest.to_json())


def use(model: Model) -> None:
    """Do what a run does with a model."""
    vectors, labels = draw_intents(INTENTS, 3, seed=2)
    assert np.isfinite(model.head.transform(vectors)).all()
    if model.novelty is not None:
        found = model.novelty.score(in_words(vectors, labels))
        assert np.isfinite(found.probability).all()
        assert set(found.best_class.tolist()) <= set(range(INTENTS))


def tampered(original: Path, target: Path, seed: int) -> tuple[str, str]:
    """Copy a model and change a file; return the file and the change."""
    chance = random.Random(seed)
    file, name, change = chance.choice(CHANGES)
    shutil.copytree(original, target)
    change(target / file, chance)
    files = (target / f for f in (CONFIG, TENSORS, MANIFEST))
    if chance.random() < 0.5 and file != MANIFEST and all(f.is_file() for f in files):
        seal(target)
        name += ", sealed"
    return file, name


def content(model: Model) -> dict[str, str]:
    """Return the digests of a model's files; those leave out the encoder, which a run checks."""
    return {name: file_digest(name, data) for name, data in model.to_files().items()}


def refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must be refused; return its only line."""
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("advin: ") and line.isprintable() and len(line) <= 300
    return line


def check_line(line: str, expected: str, file: str, what: str) -> None:
    assert line == one_line(expected), what
    assert file in line or file == MANIFEST, (what, line)


def test_a_tampered_model_is_refused_with_one_line_or_works(original, tmp_path, capsys):
    (tmp_path / "log.txt").write_text("where is my parcel\n")
    loaded = sealed = 0
    before = load_model(str(original))
    for seed in range(CASES):
        target = tmp_path / str(seed)
        file, name = tampered(original, target, seed)
        try:
            model = load_model(str(target))
        except SettingsError as error:
            arguments = ["discover", "--input", str(tmp_path / "log.txt"), "--model", str(target)]
            line = refusal([*arguments, "--output", str(tmp_path / "out")], capsys)
            check_line(line, f"advin: {error}", file, f"{seed}: {name}")
            assert not (tmp_path / "out").exists()
        else:
            use(model)
            loaded += 1
            sealed += name.endswith("sealed")
            assert name.endswith("sealed") or content(model) == content(before), name
    print(
        f"\n{CASES} tampered models: {CASES - loaded} refused with one line, {loaded} valid, of "
        f"which {sealed} have a changed manifest that agrees"
    )
    assert loaded < CASES / 5
