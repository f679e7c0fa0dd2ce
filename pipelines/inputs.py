"""Input files: find them, determine their formats and check their columns.

All checks here run before a job starts and raise `SettingsError`. Errors in single rows are found
later, by `pipelines.readers`, and become rejects.
"""

import bz2
import contextlib
import csv
import gzip
import io
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystem import FileMetadata
from apache_beam.io.filesystems import CompressionTypes, FileSystems

from advin.pipelines.errors import SettingsError

FORMATS = {
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "text",
}
COMPRESSIONS: dict[str, Callable[[BinaryIO], Any]] = {".gz": gzip.open, ".bz2": bz2.open}
DELIMITERS = {"csv": ",", "tsv": "\t"}
# Rows of a JSONL file that are read to find its columns.
_PROBED_ROWS = 100


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns to read.

    Attributes:
        text: column of the texts.
        intent: column of the intents; None for an input without labels.
        domain: column of the domains; None for an input without domains.
    """

    text: str = "text"
    intent: str | None = None
    domain: str | None = None

    @property
    def required(self) -> list[str]:
        """Columns that every file must have; the domain column is optional."""
        return [c for c in (self.text, self.intent) if c is not None]

    @property
    def all(self) -> list[str]:
        """All columns, with the required ones first."""
        return self.required + ([self.domain] if self.domain is not None else [])


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


def find_input(pattern: str, columns: Columns, flag: str) -> list[InputFile]:
    """Find the files that match a path, folder or glob, and check them.

    Args:
        pattern: a file, folder or glob on any Beam file system.
        columns: the columns to read.
        flag: the command-line flag that the pattern was given to, for messages.

    Returns:
        the files that are not empty, sorted by path.

    Raises:
        SettingsError: if no file matches, all files are empty, a format is unknown, or a column is
            missing or does not hold text.
    """
    try:
        files = [_describe(m) for m in _match(pattern, flag)]
        full = [f for f in files if f.size]
        if not full:
            raise SettingsError(f"{flag}: {pattern} is empty: give a file with at least one row")
        for file in full:
            _check_columns(file, columns, flag)
    except SettingsError as error:
        raise SettingsError(f"{flag}: {str(error).removeprefix(f'{flag}: ')}") from error
    return full


def input_fingerprint(files: list[InputFile]) -> list[dict]:
    """Return the path, format, size and modification time of each file, as JSON values."""
    return [asdict(f) for f in files]


@contextlib.contextmanager
def open_stream(path: str) -> Iterator[BinaryIO]:
    """Open a file for reading bytes. A file whose name ends in .gz or .bz2 is decompressed."""
    with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as raw:
        decompress = COMPRESSIONS.get(compression_of(path))
        if decompress is None:
            yield raw
        else:
            with decompress(raw) as stream:
                yield stream


def compression_of(path: str) -> str:
    """Return ".gz" or ".bz2" if the name of a file ends so, else an empty string."""
    return next((suffix for suffix in COMPRESSIONS if path.endswith(suffix)), "")


def _match(pattern: str, flag: str) -> list[FileMetadata]:
    try:
        is_glob = any(c in pattern for c in "*?[")
        found = FileSystems.match([pattern])[0].metadata_list
        if not is_glob:
            inside = FileSystems.match([FileSystems.join(pattern, "*")])[0].metadata_list
            found = inside or found
    except Exception as error:  # each file system raises its own errors
        raise SettingsError(f"cannot list {pattern}: {_first_line(error)}") from error
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


def _check_columns(file: InputFile, columns: Columns, flag: str) -> None:
    try:
        found = _columns_of(file)
    except (OSError, pa.ArrowInvalid, ValueError, EOFError) as error:
        raise SettingsError(
            f"cannot read {file.path} as {file.format}: {_first_line(error)}"
        ) from error
    if found is None:
        if columns.intent is not None:
            raise SettingsError(
                f"{file.path} is plain text and has no column {columns.intent!r}: "
                "give labeled utterances as Parquet, JSONL, CSV or TSV"
            )
        return
    missing = [c for c in columns.required if c not in found]
    if missing:
        there = ", ".join(sorted(found)) or "none"
        raise SettingsError(
            f"{file.path} has no column {missing[0]!r}; its columns are: {there}. "
            "Name the columns with --text-column, --intent-column and --domain-column"
        )
    for column in columns.all:
        if found.get(column, "text") != "text":
            raise SettingsError(
                f"{file.path}: column {column!r} holds {found[column]}, not text; "
                "name the columns with --text-column, --intent-column and --domain-column"
            )


def _columns_of(file: InputFile) -> dict[str, str] | None:
    """Return the type of each column: "text" or the name of another type. None for plain text."""
    if file.format == "text":
        return None
    with open_stream(file.path) as stream:
        if file.format == "parquet":
            schema = pq.read_schema(stream)
            return {f.name: "text" if _is_text(f.type) else str(f.type) for f in schema}
        lines = io.TextIOWrapper(stream, encoding="utf-8", errors="replace", newline="")
        if file.format == "jsonl":
            return _json_columns(itertools.islice(lines, _PROBED_ROWS))
        header = next(csv.reader(lines, delimiter=DELIMITERS[file.format]), [])
        return {name.removeprefix("\ufeff"): "text" for name in header}


def _json_columns(lines: Iterator[str]) -> dict[str, str]:
    """Return the type of each column in some rows: "text" if at least one row holds text."""
    found: dict[str, str] = {}
    for line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue  # the reader rejects this row
        if not isinstance(row, dict):
            continue
        for name, value in row.items():
            kind = "text" if isinstance(value, str) or value is None else type(value).__name__
            if found.get(name) != "text":
                found[name] = kind
    return found


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_null(kind)
    )


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
