"""Model folders on any Beam file system."""

import functools

from advin.discovery.model import CONFIG, TENSORS, Model, ModelError
from advin.pipelines import storage
from advin.pipelines.errors import SettingsError
from advin.schemas.ids import content_id


def save_model(folder: str, model: Model) -> None:
    """Write a model folder; the configuration comes last, as the sign that it is whole."""
    files = model.to_files()
    for name in (TENSORS, CONFIG):
        storage.write_bytes(storage.join(folder, name), files[name])


def model_exists(folder: str) -> bool:
    """Tell whether a folder holds a whole model."""
    return storage.exists(storage.join(folder, CONFIG))


@functools.lru_cache(maxsize=2)
def load_model(folder: str) -> Model:
    """Read a model folder, once a process.

    Raises:
        SettingsError: if there is none, or it cannot be read.
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
    """Return a digest of a model's files: another model is another run."""
    load_model(folder)
    parts = [storage.read_bytes(storage.join(folder, name)) for name in (CONFIG, TENSORS)]
    return content_id(*parts)
