"""Read and write model folders on any Beam file system."""

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from advin.discovery.config import Config
from advin.discovery.model import CONFIG, TENSORS, Model, ModelError
from advin.pipelines import storage
from advin.pipelines.errors import SettingsError
from advin.pipelines.manifests import read_manifest
from advin.schemas.ids import content_id
from advin.schemas.manifest import MANIFEST, ModelManifest

_FILES = (TENSORS, CONFIG)


@dataclass(frozen=True)
class ModelFolder:
    """A model folder and the configuration to use the model with.

    Attributes:
        folder: folder of the model.
        config: configuration to use instead of the one in the folder; None uses the latter.
    """

    folder: str
    config: Config | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of the model's files."""
        return tuple(storage.join(self.folder, name) for name in (*_FILES, MANIFEST))

    def load(self) -> Model:
        """Read the model.

        Raises:
            SettingsError: if the folder has no model, or its files cannot be read.
        """
        model = load_model(self.folder)
        return model if self.config is None else replace(model, config=self.config)


def save_model(folder: str, model: Model, fingerprint: str = "") -> None:
    """Write a model folder. Its manifest is written last and marks the folder as complete.

    Args:
        folder: the folder, which may hold another model.
        model: the model.
        fingerprint: digest of the inputs and settings of the fit; "" if no pipeline fitted it.
    """
    files = model.to_files()
    manifest = ModelManifest(fingerprint, _digests(files))
    # The model that was there is incomplete from now on.
    storage.delete(storage.join(folder, MANIFEST))
    for name in _FILES:
        storage.write_bytes(storage.join(folder, name), files[name])
    storage.write_text(storage.join(folder, MANIFEST), manifest.to_json())
    # Two models that are written within one tick of the file system's clock have equal times.
    _read_model.cache_clear()


def model_exists(folder: str) -> bool:
    """Return True if a folder holds a complete model."""
    return storage.exists(storage.join(folder, MANIFEST))


def fitted_on(folder: str) -> str | None:
    """Return the digest of the inputs and settings that a model was fitted on.

    It is None if there is no complete model, and "" if no pipeline fitted it.

    Raises:
        SettingsError: if the model's files cannot be read.
    """
    if not model_exists(folder):
        return None
    load_model(folder)
    return _manifest(folder).fingerprint


def is_fitted_on(folder: str, fingerprint: str) -> bool:
    """Return True if a folder holds a complete model that was fitted on these settings."""
    try:
        return fitted_on(folder) == fingerprint
    except SettingsError:
        return False


def check_replaceable(folder: str, fingerprint: str, overwrite: bool) -> None:
    """Check that a fit may write its model into a folder.

    Args:
        folder: the folder.
        fingerprint: digest of the inputs and settings of the fit.
        overwrite: True if another model may be replaced.

    Raises:
        SettingsError: if the folder holds a complete model of another fit.
    """
    if model_exists(folder) and not overwrite and not is_fitted_on(folder, fingerprint):
        raise SettingsError(
            f"--model {folder} holds a model that was fitted on other inputs or settings: choose "
            "another folder, or replace that model with --overwrite"
        )


def load_model(folder: str) -> Model:
    """Read a model folder. A process reads it again only if its files have changed.

    Raises:
        SettingsError: if the folder has no model, or its files are damaged.
    """
    if not model_exists(folder):
        if any(file.name in _FILES for file in storage.list_folder(folder)):
            raise SettingsError(
                f"cannot read the model: {MANIFEST} is missing; fit it again into {folder}"
            )
        raise SettingsError(
            f"no model in {folder} (no {MANIFEST}): fit one with `advin fit`, or give --labeled"
        )
    return _read_model(folder, _file_versions(folder))


def _file_versions(folder: str) -> tuple[storage.FileInfo, ...]:
    """Return the size and modification time of each file, which differ for another model."""
    names = (*_FILES, MANIFEST)
    return tuple(file for file in storage.list_folder(folder) if file.name in names)


@functools.lru_cache(maxsize=2)
def _read_model(folder: str, versions: tuple[storage.FileInfo, ...]) -> Model:
    """Read a model folder; `versions` is only a part of the cache's key."""
    try:
        files = {name: _read_file(folder, name) for name in _FILES}
        model = Model.from_files(files)
    except ModelError as error:
        raise SettingsError(
            f"cannot read the model: {error}; fit it again into {folder}"
        ) from error
    expected, found = _manifest(folder).files, _digests(files)
    for name in _FILES:
        if expected.get(name) != found[name]:
            raise SettingsError(
                f"cannot read the model: {name} has changed since the fit; fit it again into "
                f"{folder}"
            )
    return model


def _read_file(folder: str, name: str) -> bytes:
    try:
        return storage.read_bytes(storage.join(folder, name))
    except OSError as error:
        raise ModelError(f"{name}: {storage.reason(error)}") from error


def _manifest(folder: str) -> ModelManifest:
    manifest = read_manifest(storage.join(folder, MANIFEST), ModelManifest)
    if manifest is None:
        raise SettingsError(f"no model in {folder} (no {MANIFEST}): fit one with `advin fit`")
    return manifest


def _digests(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: file_digest(name, files[name]) for name in _FILES}


def file_digest(name: str, data: bytes) -> str:
    """Return the SHA-256 of a valid file of a model, as its manifest holds it.

    The layout of config.json does not count. Neither does its encoder, which is compared with the
    one that is loaded.
    """
    if name == CONFIG:
        values = json.loads(data)
        values.pop("encoder")
        data = json.dumps(values, sort_keys=True).encode()
    return hashlib.sha256(data).hexdigest()


def model_fingerprint(folder: str) -> str:
    """Return a digest of a model's files.

    Raises:
        SettingsError: if the folder has no model, or its files are damaged.
    """
    load_model(folder)
    digests = _manifest(folder).files
    return content_id(*(digests[name].encode() for name in _FILES))
