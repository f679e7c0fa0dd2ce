"""Read and write model folders on any Beam file system."""

import functools
from dataclasses import dataclass, replace

from apache_beam.io.filesystems import FileSystems

from advin.discovery.config import Config
from advin.discovery.model import CONFIG, TENSORS, Model, ModelError
from advin.pipelines import storage
from advin.pipelines.errors import SettingsError
from advin.schemas.ids import content_id


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
        return tuple(storage.join(self.folder, name) for name in (TENSORS, CONFIG))

    def load(self) -> Model:
        """Read the model.

        Raises:
            SettingsError: if the folder has no model, or its files cannot be read.
        """
        model = load_model(self.folder)
        return model if self.config is None else replace(model, config=self.config)


def save_model(folder: str, model: Model) -> None:
    """Write a model folder. Its config.json is written last and marks the folder as complete."""
    files = model.to_files()
    for name in (TENSORS, CONFIG):
        storage.write_bytes(storage.join(folder, name), files[name])
    # Two models that are written within one tick of the file system's clock have equal times.
    _read_model.cache_clear()


def model_exists(folder: str) -> bool:
    """Return True if a folder holds a complete model."""
    return storage.exists(storage.join(folder, CONFIG))


def load_model(folder: str) -> Model:
    """Read a model folder. A process reads it again only if its files have changed.

    Raises:
        SettingsError: if the folder has no model, or its files cannot be read.
    """
    if not model_exists(folder):
        raise SettingsError(
            f"no model in {folder} (no {CONFIG}): fit one with `advin fit`, or give --labeled"
        )
    return _read_model(folder, _file_versions(folder))


def _file_versions(folder: str) -> tuple[tuple[int, float], ...]:
    """Return the size and modification time of each file, which differ for another model."""
    paths = [storage.join(folder, name) for name in (CONFIG, TENSORS)]
    return tuple(
        (file.size_in_bytes, file.last_updated_in_seconds or 0.0)
        for match in FileSystems.match(paths)
        for file in match.metadata_list
    )


@functools.lru_cache(maxsize=2)
def _read_model(folder: str, versions: tuple[tuple[int, float], ...]) -> Model:
    """Read a model folder; `versions` is only a part of the cache's key."""
    try:
        names = (CONFIG, TENSORS)
        return Model.from_files({n: storage.read_bytes(storage.join(folder, n)) for n in names})
    except (OSError, ModelError) as error:
        raise SettingsError(f"cannot read the model in {folder}: {error}") from error


def model_fingerprint(folder: str) -> str:
    """Return a digest of a model's files.

    Raises:
        SettingsError: if the folder has no model, or its files cannot be read.
    """
    load_model(folder)
    parts = [storage.read_bytes(storage.join(folder, name)) for name in (CONFIG, TENSORS)]
    return content_id(*parts)
