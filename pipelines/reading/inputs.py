"""Find input files, find out how they are laid out, and check their columns.

All checks here run before a job starts and raise `SettingsError`. Errors in single rows are found
later, by `reading.read`, and become rejects.
"""

import csv
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from advin.pipelines.errors import SettingsError, one_line
from advin.pipelines.reading import delimited, parquet, sheets
from advin.pipelines.reading.checks import check_columns, check_export, has_hypotheses
from advin.pipelines.reading.columns import TEXT, Columns, Types
from advin.pipelines.reading.detection import (
    PROBED_ROWS,
    export_of,
    files_of_export,
    probe_json,
)
from advin.pipelines.reading.dialects import sniff
from advin.pipelines.reading.encodings import detect
from advin.pipelines.reading.files import InputFile, find_files, first_line
from advin.pipelines.reading.json_values import ROW_BYTES
from advin.pipelines.reading.layout import Layout
from advin.pipelines.reading.partitions import inner_columns
from advin.pipelines.reading.paths import root_column
from advin.pipelines.reading.streams import open_stream
from advin.pipelines.reading.training import parse_nlu

_log = logging.getLogger("advin")

# Bytes of a file that show how it is laid out.
_SNIFFED_BYTES = 1 << 20
_WITHOUT_COLUMNS = ("text", "utterances", "conversation")
_NESTED = ("json", "jsonl", "yaml")
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
    files, passed_over = _found(pattern, columns, flag)
    _report(flag, files, passed_over)
    return files


def inspect(file: InputFile, columns: Columns) -> tuple[Types, list[Any]]:
    """Return the types of the columns of a file, and its first rows, at most `PROBED_ROWS`."""
    _, found, rows = _inspect(file, inner_columns(file.path, columns))
    return found, rows


def check_input(pattern: str, columns: Columns, flag: str) -> None:
    """Refuse what `find_input` refuses, and log nothing."""
    _found(pattern, columns, flag)


def _found(pattern: str, columns: Columns, flag: str) -> tuple[list[InputFile], list[str]]:
    """Return the files of an input, and the names of files that are not read."""
    try:
        found = find_files(pattern)
        full = [f for f in found.files if f.size]
        if not full:
            raise SettingsError(f"{pattern} is empty: give a file with at least one row")
        full, foreign = files_of_export(full, columns.export)
        files = []
        for file in full:
            try:
                files.append(_checked(file, columns, flag))
            except SettingsError:
                if not _may_be_foreign(file, full):
                    raise
                foreign.append(file)
        if not files:
            raise SettingsError(f"{pattern} has no file with texts")
    except SettingsError as error:
        raise SettingsError(f"{flag}: {error}") from error
    return files, [*found.passed_over, *(f.name for f in foreign)]


def _may_be_foreign(file: InputFile, files: Sequence[InputFile]) -> bool:
    """Return True if a file that lacks the columns may hold settings next to the data."""
    if file.format == "yaml":
        return len(files) > 1
    return file.format == "json" and any(f.format not in ("json", "yaml") for f in files)


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
    columns = inner_columns(file.path, columns)
    try:
        file, found, rows = _inspect(file, columns)
    except SettingsError:
        raise
    except (OSError, ValueError, csv.Error) as error:
        raise SettingsError(
            f"cannot read {file.name} as {file.format}: {first_line(error)}"
        ) from error
    if file.format in _WITHOUT_COLUMNS:
        if file.format == "text" and columns.intent is not None:
            raise SettingsError(
                f"{file.name} is plain text and has no column {columns.intent!r}: "
                "give labeled utterances as Parquet, JSONL, CSV, TSV or XLSX"
            )
    elif file.layout.export is not None:
        check_export(file, columns, rows)
    else:
        check_columns(file, columns, found, rows, flag)
        if has_hypotheses(columns, rows):
            return replace(file, layout=replace(file.layout, hypotheses=True))
    return file


# A file with its layout, the types of its columns, and its first rows.
_Inspected = tuple[InputFile, Types, list[Any]]


def _inspect(file: InputFile, columns: Columns) -> _Inspected:
    with open_stream(file) as stream:
        if file.format == "parquet":
            rows = parquet.first_rows(stream, columns, PROBED_ROWS)
            return _as_export(file, rows, columns), parquet.column_types(stream), rows
        if file.format == "xlsx":
            heads = sheets.heads(stream, file.name, PROBED_ROWS)
            sheet = _choose_sheet(heads, columns)
            found, rows = heads[sheet]
            return _as_export(replace(file, layout=Layout(sheet=sheet)), rows, columns), found, rows
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
    text = text.replace(line_end, "\n")
    layout = replace(file.layout, encoding=encoding, line_end=line_end)
    file = replace(file, layout=layout)
    if file.format in _WITHOUT_COLUMNS:
        return file, {}, []
    if file.format in _NESTED:
        return _inspect_nested(file, data if layout.is_usual else text.encode(), columns)
    layout = sniff(text, file.format, columns.required, layout)
    rows = delimited.first_rows(text, layout, PROBED_ROWS)
    file = _as_export(replace(file, layout=layout), rows, columns)
    return file, delimited.column_types(text, layout), rows


def _inspect_nested(file: InputFile, head: bytes, columns: Columns) -> _Inspected:
    """Inspect JSON or YAML.

    Args:
        file: the file.
        head: the first megabyte of the file as it is read, in UTF-8.
        columns: the columns to read.
    """
    whole = len(head) < _SNIFFED_BYTES
    if file.format == "yaml":
        nlu = parse_nlu(head if whole else _read(file, ROW_BYTES))
        return replace(file, layout=replace(file.layout, export="rasa-nlu")), {}, [nlu]
    probe = probe_json(head, file, columns)
    if not probe.readable and not whole:
        # The first row, or the only one, is longer than the head.
        probe = probe_json(_read(file, ROW_BYTES), file, columns)
    names = (name for row in probe.rows if isinstance(row, dict) for name in row)
    return probe.file, dict.fromkeys(names, TEXT), probe.rows


def _read(file: InputFile, size: int) -> bytes:
    with open_stream(file) as stream:
        return stream.read(size)


def _as_export(file: InputFile, rows: list[Any], columns: Columns) -> InputFile:
    export = file.layout.export or export_of(rows, columns)
    return replace(file, layout=replace(file.layout, export=export))


def _choose_sheet(heads: dict[str, sheets.Head], columns: Columns) -> str:
    """Return the first sheet that has the required columns, or the first sheet."""
    if not heads:
        raise ValueError("the workbook has no sheet")
    for sheet, (types, _) in heads.items():
        if all(root_column(column, types) for column in columns.required):
            return sheet
    return next(iter(heads))
