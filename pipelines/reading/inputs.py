"""Find input files and check their columns.

All checks here run before a job starts and raise `SettingsError`. Errors in single rows are found
later, by `reading.read`, and become rejects.
"""

from dataclasses import asdict

import pyarrow as pa

from advin.pipelines.errors import SettingsError
from advin.pipelines.reading import delimited, json_rows, parquet
from advin.pipelines.reading.columns import TEXT, Columns, Types
from advin.pipelines.reading.decompress import open_stream
from advin.pipelines.reading.files import InputFile, find_files, first_line


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
        files = find_files(pattern)
        full = [f for f in files if f.size]
        if not full:
            raise SettingsError(f"{flag}: {pattern} is empty: give a file with at least one row")
        for file in full:
            _check_columns(file, columns)
    except SettingsError as error:
        raise SettingsError(f"{flag}: {str(error).removeprefix(f'{flag}: ')}") from error
    return full


def input_fingerprint(files: list[InputFile]) -> list[dict]:
    """Return the path, format, size and modification time of each file, as JSON values."""
    return [asdict(f) for f in files]


def _check_columns(file: InputFile, columns: Columns) -> None:
    try:
        found = _column_types(file)
    except (OSError, pa.ArrowInvalid, ValueError, EOFError) as error:
        raise SettingsError(
            f"cannot read {file.path} as {file.format}: {first_line(error)}"
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
        if found.get(column, TEXT) != TEXT:
            raise SettingsError(
                f"{file.path}: column {column!r} holds {found[column]}, not text; "
                "name the columns with --text-column, --intent-column and --domain-column"
            )


def _column_types(file: InputFile) -> Types | None:
    """Return the type of each column; None for plain text."""
    if file.format == "text":
        return None
    with open_stream(file.path) as stream:
        if file.format == "parquet":
            return parquet.column_types(stream)
        if file.format == "jsonl":
            return json_rows.column_types(stream)
        return delimited.column_types(stream, file.format)
