"""Check an output folder before anything is loaded or computed."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from apache_beam.io.filesystems import FileSystems

from advin.pipelines import storage
from advin.pipelines.errors import SettingsError


def check_output(flag: str, folder: str, reads: Mapping[str, str | None]) -> None:
    """Check that a folder can be written to and lies outside all folders that are read.

    Nothing stays behind: folders and files that are made for the check are deleted.

    Args:
        flag: the flag that names the folder, for messages.
        folder: the folder, which need not exist.
        reads: files, folders or globs that are read, by flag.

    Raises:
        SettingsError: if the folder cannot be used.
    """
    if not storage.is_local(folder):
        _check_file_system(flag, folder)
        return
    path = Path(os.path.realpath(folder))
    for other, read in reads.items():
        if read and storage.is_local(read) and os.path.isdir(read):
            above = Path(os.path.realpath(read))
            if path == above or above in path.parents:
                raise SettingsError(
                    f"{flag} {folder} lies in the folder {other} {read}, which is read: choose a "
                    "folder outside"
                )
    _check_writable(flag, folder)


def _check_file_system(flag: str, folder: str) -> None:
    try:
        FileSystems.get_filesystem(folder)
    except Exception as error:  # each file system raises its own errors
        raise SettingsError(f"{flag} {folder}: {storage.reason(error)}") from error


def _check_writable(flag: str, folder: str) -> None:
    """Make the folder and a file in it, and delete what was made."""
    if os.path.lexists(folder) and not os.path.isdir(folder):
        kind = "a link to nothing" if os.path.islink(folder) else "a file"
        raise SettingsError(f"{flag}: cannot write into the folder {folder}: it is {kind}")
    made: list[Path] = []
    try:
        for path in (*reversed(Path(folder).parents), Path(folder)):
            if not path.exists():
                path.mkdir()
                made.append(path)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{flag}: cannot write into the folder {folder}: {storage.reason(error)}"
        ) from error
    finally:
        for path in reversed(made):
            path.rmdir()
