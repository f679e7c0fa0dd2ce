"""Find input files, find out how they are laid out, and check their columns.

All checks here run before a job starts and raise `SettingsError`. Errors in single rows are found
later, by `reading.read`, and become rejects.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace

from advin.pipelines.errors import SettingsError, one_line
from advin.pipelines.reading import delimited, json_rows, parquet, sheets
from advin.pipelines.reading.columns import AMBIGUOUS, TEXT, Columns, Types, likely
from advin.pipelines.reading.dialects import sniff
from advin.pipelines.reading.encodings import detect
from advin.pipelines.reading.files import InputFile, find_files, first_line
from advin.pipelines.reading.layout import Layout
from advin.pipelines.reading.streams import open_stream

_log = logging.getLogger("advin")

# Bytes of a file that show how it is laid out.
_SNIFFED_BYTES = 1 << 20
# Most files or kinds of files that a log line names.
_LISTED = 3
_MAGIC = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zXZ\0": ".xz", b"\x28\xb5\x2f\xfd": ".zst"}
_MAGIC |= {b"PK\x03\x04": ".zip or .xlsx", b"PAR1": ".parquet"}


def find_input(pattern: str, columns: Columns, flag: str) -> list[InputFile]:
    """Find the files that match a path, folder or glob, and check them.

    Args:
        pattern: a file, folder or glob on any Beam file system.
        columns: the columns to read.
        flag: the command-line flag that the pattern was given to, for messages.

    Returns:
        the files that are not empty with their layouts, sorted by path.

    Raises:
        SettingsError: if no file matches, all files are empty, a format is unknown, or a column is
            missing or does not hold text.
    """
    try:
        found = find_files(pattern)
        full = [f for f in found.files if f.size]
        if not full:
            raise SettingsError(f"{pattern} is empty: give a file with at least one row")
        files = [_checked(file, columns, flag) for file in full]
    except SettingsError as error:
        raise SettingsError(f"{flag}: {error}") from error
    _report(flag, files, found.passed_over)
    return files


def input_fingerprint(files: list[InputFile]) -> list[dict]:
    """Return what identifies each file, and its layout, as JSON values."""
    return [asdict(f) for f in files]


def _report(flag: str, files: Sequence[InputFile], passed_over: Sequence[str]) -> None:
    """Log one line on the layouts of the files, and one on files that are not read."""
    kinds = Counter(f"{file.format} ({file.layout})" for file in files)
    shown = ", ".join(f"{n} × {kind}" if n > 1 else kind for kind, n in kinds.most_common(_LISTED))
    of = files[0].name if len(files) == 1 else f"{len(files)} files"
    _log.info("%s", one_line(f"{flag}: {of}: {shown}"))
    if passed_over:
        names = ", ".join(passed_over[:_LISTED]) + (", …" if len(passed_over) > _LISTED else "")
        _log.warning(
            "%s", one_line(f"{flag}: {len(passed_over)} hidden or foreign files not read: {names}")
        )


def _checked(file: InputFile, columns: Columns, flag: str) -> InputFile:
    """Return a file with its layout; refuse it if it lacks a column."""
    try:
        layout, found = _inspect(file, columns)
    except SettingsError:
        raise
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"cannot read {file.name} as {file.format}: {first_line(error)}"
        ) from error
    if found is None:
        if columns.intent is not None:
            raise SettingsError(
                f"{file.name} is plain text and has no column {columns.intent!r}: "
                "give labeled utterances as Parquet, JSONL, CSV, TSV or XLSX"
            )
    else:
        _check_columns(file, columns, found, flag)
    return replace(file, layout=layout)


def _check_columns(file: InputFile, columns: Columns, found: Types, flag: str) -> None:
    for role, column in columns.roles:
        kind = found.get(column, TEXT if role == "domain" else None)
        if kind is None:
            there = ", ".join(sorted(found)) or "none"
            hint = likely(role, column, found)
            raise SettingsError(
                f"{file.name} has no column {column!r}; its columns are: {there}; "
                f"name the {role} column by {columns.flag(role, flag)}"
                + (f", likely {hint!r}" if hint else "")
            )
        if kind == AMBIGUOUS:
            raise SettingsError(
                f"{file.name} has several columns {column!r}: rename all but one of them"
            )
        if kind != TEXT:
            raise SettingsError(
                f"{file.name}: column {column!r} holds {kind}, not text; name a column of text by "
                f"{columns.flag(role, flag)}"
            )


def _inspect(file: InputFile, columns: Columns) -> tuple[Layout, Types | None]:
    """Return the layout of a file, and the type of each column; None for plain text."""
    with open_stream(file) as stream:
        if file.format == "parquet":
            found = parquet.column_types(stream)
            if set(columns.required) <= found.keys():
                parquet.check_first_rows(stream, columns)
            return file.layout, found
        if file.format == "xlsx":
            return _choose_sheet(sheets.column_types(stream, file.name), columns)
        data = stream.read(_SNIFFED_BYTES)
    for magic, ending in _MAGIC.items():
        if data.startswith(magic):
            raise SettingsError(
                f"{file.name} is no {file.format}: its content is of another format; rename it so "
                f"that it ends in {ending}"
            )
    encoding = detect(data)
    text = data.decode(encoding, "replace").removeprefix("\ufeff")
    line_end = "\r" if text.count("\r") > 2 * text.count("\n") else "\n"
    layout = Layout(encoding, line_end=line_end)
    text = text.replace(line_end, "\n")
    if file.format == "text":
        return layout, None
    if file.format == "jsonl":
        return layout, json_rows.column_types(text)
    layout = sniff(text, file.format, columns.required, layout)
    return layout, delimited.column_types(text, layout)


def _choose_sheet(found: dict[str, Types], columns: Columns) -> tuple[Layout, Types]:
    """Return the first sheet that has the required columns, or the first sheet."""
    for sheet, types in found.items():
        if set(columns.required) <= types.keys():
            return Layout(sheet=sheet), types
    if not found:
        raise ValueError("the workbook has no sheet")
    sheet, types = next(iter(found.items()))
    return Layout(sheet=sheet), types
