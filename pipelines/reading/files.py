"""Find input files and determine their formats."""

from dataclasses import dataclass

from apache_beam.io.filesystem import FileMetadata
from apache_beam.io.filesystems import FileSystems

from advin.pipelines.errors import SettingsError
from advin.pipelines.reading.decompress import COMPRESSIONS, compression_of

FORMATS = {
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "text",
}


@dataclass(frozen=True, slots=True)
class InputFile:
    """One input file.

    Attributes:
        path: path on any Beam file system.
        format: a value of `FORMATS`.
        size: bytes.
        modified: time of the last change, in seconds since 1970; 0 if the file system has none.
    """

    path: str
    format: str
    size: int
    modified: float


def find_files(pattern: str) -> list[InputFile]:
    """Return the files that match a path, folder or glob on any Beam file system, sorted by path.

    Raises:
        SettingsError: if no file matches, or a format is unknown.
    """
    return [_describe(m) for m in _match(pattern)]


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _match(pattern: str) -> list[FileMetadata]:
    try:
        is_glob = any(c in pattern for c in "*?[")
        found = FileSystems.match([pattern])[0].metadata_list
        if not is_glob:
            inside = FileSystems.match([FileSystems.join(pattern, "*")])[0].metadata_list
            found = inside or found
    except Exception as error:  # each file system raises its own errors
        raise SettingsError(f"cannot list {pattern}: {first_line(error)}") from error
    found = [m for m in found if not FileSystems.split(m.path)[1].startswith((".", "_"))]
    if not found:
        raise SettingsError(
            f"the pattern {pattern} matches no file"
            if is_glob
            else f"no such file or folder: {pattern}"
        )
    return sorted(found, key=lambda m: m.path)


def _describe(metadata: FileMetadata) -> InputFile:
    name = FileSystems.split(metadata.path)[1]
    stem = name.removesuffix(compression_of(name))
    suffix = "." + stem.rpartition(".")[2].lower()
    if suffix not in FORMATS or (suffix == ".parquet" and stem != name):
        raise SettingsError(
            f"{metadata.path}: the file name has no known ending; use one of "
            f"{', '.join(FORMATS)}, and for compressed files other than Parquet add "
            f"{' or '.join(COMPRESSIONS)}"
        )
    return InputFile(
        metadata.path,
        FORMATS[suffix],
        metadata.size_in_bytes,
        metadata.last_updated_in_seconds or 0.0,
    )
