"""Read JSON Lines, JSON arrays and JSON values one after another."""

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from advin.pipelines.reading.cells import cell_text, may_hold_json, problem_of
from advin.pipelines.reading.columns import Columns
from advin.pipelines.reading.json_values import JsonValue, json_values, parts_of_broken
from advin.pipelines.reading.lines import read_lines
from advin.pipelines.reading.nested import OTHER_SPEAKER, nested_rows
from advin.pipelines.reading.paths import NotJsonError, is_path, parse_json, select_at
from advin.pipelines.reading.rows import MALFORMED, OVERSIZED, Piece, Row, escaped, rejected


def read_rows(stream: BinaryIO, piece: Piece, columns: Columns) -> Iterator[Row]:
    """Read the rows of a range of bytes, where each line is a JSON object."""
    source = piece.file.name
    for position, line, whole in read_lines(stream, piece):
        if whole:
            yield from parse_line(source, position, line, columns)
        else:
            yield rejected(source, position, line, OVERSIZED)


def parse_line(source: str, position: int, line: bytes, columns: Columns) -> Iterable[Row]:
    """Return the rows of a line."""
    if not line.strip():
        return (Row(source, position, "", problem="empty"),)
    try:
        value = parse_json(line.decode())
    except UnicodeDecodeError:
        return (rejected(source, position, line, "invalid_utf8"),)
    except NotJsonError:
        value = None
    if not isinstance(value, dict):
        return (rejected(source, position, line, MALFORMED),)
    return _value_rows(value, source, position, line, columns)


def read_values(stream: BinaryIO, piece: Piece, columns: Columns) -> Iterator[Row]:
    """Read the rows of a whole JSON file."""
    source = piece.file.name
    for found in json_values(stream, piece.file.layout.array):
        if not found.whole:
            yield rejected(source, found.position, found.data, OVERSIZED)
            continue
        try:
            yield from _parse_value(found, source, columns)
        except NotJsonError:
            for part in parts_of_broken(found):
                yield from parse_line(source, part.position, part.data, columns)


def _parse_value(found: JsonValue, source: str, columns: Columns) -> Iterable[Row]:
    """Return the rows of a value.

    Raises:
        NotJsonError: if it is not JSON.
    """
    try:
        value = parse_json(found.data.removeprefix(BOM_UTF8).decode())
    except UnicodeDecodeError:
        return (rejected(source, found.position, found.data, "invalid_utf8"),)
    if isinstance(value, str) and columns.intent is None:
        return (_text_row(value, source, found),)
    return _value_rows(value, source, found.position, found.data, columns)


def _text_row(value: str, source: str, found: JsonValue) -> Row:
    """Return the row of an element of an array of texts."""
    text, problem = cell_text(value)
    problem = problem or problem_of([text])
    if problem is not None:
        return rejected(source, found.position, found.data, problem)
    return Row(source, found.position, text)


def _value_rows(
    value: Any, source: str, position: int, data: bytes, columns: Columns
) -> Iterable[Row]:
    row = _plain_row(value, source, position, columns)
    if row is not None:
        return (row,)
    return (
        row._replace(text=escaped(data)) if row.problem not in (None, OTHER_SPEAKER) else row
        for row in nested_rows(value, source, position, columns)
    )


def _plain_row(value: Any, source: str, position: int, columns: Columns) -> Row | None:
    """Return the row of an object whose members are strings; None for any other value."""
    if columns.export is not None or not isinstance(value, dict):
        return None
    fields = [value.get(c) if c is not None else None for c in columns.names]
    text = fields[0]
    if not isinstance(text, str) or may_hold_json(text):
        return None
    for name, field in zip(columns.names, fields, strict=True):
        if field is None and name is not None and name not in value and is_path(name):
            return None
    if problem_of(fields) is not None:
        return None
    extra = tuple(select_at(value, path, ()) for path in columns.extra)
    return Row(source, position, text, fields[1], fields[2], extra=extra)
