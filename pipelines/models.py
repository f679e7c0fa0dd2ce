"""Model folders on any Beam file system."""

import functools
from dataclasses import dataclass, replace

from advin.discovery.config import Config
from advin.discovery.model import CONFIG, TENSORS, Model, ModelError
from advin.pipelines import storage
from advin.pipelines.errors import SettingsError
from advin.schemas.ids import content_id


@dataclass(frozen=True)
class ModelFolder:
    """A model and the configuration it is used with.

    Attributes:
        folder: folder of the model.
        config: replaces the configuration that the model was fitted with; None keeps it.
    """

    folder: str
    config: Config | None = None

    def load(self) -> Model:
        """Read the model, once in a process.

        Raises:
            SettingsError: if there is no model, or it cannot be read.
        """
        model = load_model(self.folder)
        return model if self.config is None else replace(model, config=self.config)


def save_model(folder: str, model: Model) -> None:
    """Write a model folder. The configuration is written last: with it, the folder is complete."""
    files = model.to_files()
    for name in (TENSORS, CONFIG):
        storage.write_bytes(storage.join(folder, name), files[name])


def model_exists(folder: str) -> bool:
    """Return True if a folder holds a complete model."""
    return storage.exists(storage.join(folder, CONFIG))


@functools.lru_cache(maxsize=2)
def load_model(folder: str) -> Model:
    """Read a model folder, once in a process.

    Raises:
        SettingsError: if there is no model, or it cannot be read.
    """
    if not model_exists(folder):
        raise SettingsError(
            f"no model in {folder} (no {CONFIG}): make one with `advin fit`, or give --labeled"
        )
    try:
        names = (CONFIG, TENSORS)
        return Model.from_files({n: storage.read_bytes(storage.join(folder, n)) for n in names})
    except (OSError, ModelError) as error:
        raise SettingsError(f"cannot read the model in {folder}: {error}") from error


def model_fingerprint(folder: str) -> str:
    """Return a digest of a model's files."""
    load_model(folder)
    parts = [storage.read_bytes(storage.join(folder, name)) for name in (CONFIG, TENSORS)]
    return content_id(*parts)
