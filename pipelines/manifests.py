"""Read manifests and claims from the folders of runs, stages and models."""

from typing import TypeVar

from advin.pipelines import storage
from advin.pipelines.errors import SettingsError
from advin.schemas.manifest import Claim, ManifestError, ModelManifest, RunManifest, StageManifest

M = TypeVar("M", Claim, ModelManifest, RunManifest, StageManifest)


def read_manifest(path: str, kind: type[M]) -> M | None:
    """Return the content of a manifest or claim, or None if there is no such file.

    Raises:
        SettingsError: if the file cannot be read, or holds something else.
    """
    if not storage.exists(path):
        return None
    try:
        return kind.from_json(storage.read_bytes(path))
    except (OSError, ManifestError) as error:
        raise SettingsError(f"cannot read {path}: {storage.reason(error)}") from error


def is_file_name(name: str) -> bool:
    """Return True if a name from a manifest stays inside its folder."""
    return name not in {"", ".", ".."} and "/" not in name and "\\" not in name
