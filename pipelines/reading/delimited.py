"""Read CSV and TSV files."""

import io
import itertools
from collections.abc import Iterator
from typing import Any, BinaryIO

from advin.pipelines.reading.columns import AMBIGUOUS, TEXT, Columns, Types
from advin.pipelines.reading.extra import literals
from advin.pipelines.reading.layout import Layout
from advin.pipelines.reading.nested import cells_of, nested_rows
from advin.pipelines.reading.paths import select_at
from advin.pipelines.reading.records import Records
from advin.pipelines.reading.rows import MALFORMED, Piece, Row, printable, row_of


def column_types(text: str, layout: Layout) -> Types:
    """Return the columns that the header names, given the first part of a file."""
    names = Records(io.StringIO(text).readline, layout).header
    return {name: TEXT if names.count(name) == 1 else AMBIGUOUS for name in names}


def first_rows(text: str, layout: Layout, limit: int) -> list[dict[str, str]]:
    """Return the first rows, given the first part of a file."""
    records = Records(io.StringIO(text).readline, layout)
    found = itertools.islice(records, limit)
    return [dict(zip(records.header, cells, strict=False)) for cells, _ in found]


def read_rows(stream: BinaryIO, piece: Piece, columns: Columns) -> Iterator[Row]:
    """Read the rows of a whole file."""
    source, layout = piece.file.name, piece.file.layout
    # Invalid bytes become lone surrogates, which `row_of` and `nested_rows` reject.
    lines = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="\n")
    records = Records(lines.readline, layout)
    header = records.header
    at, nested = cells_of(columns, header)
    if not nested and at[0] is None:
        raise ValueError(f"the header of {source} has changed")
    text = at[0] or 0
    needed = max(text, at[1] or 0)  # the domain column is optional
    for position, (cells, problem) in enumerate(records):
        row = cells
        if len(cells) != len(header) and problem is None:
            row = _fitted(cells, header, text, layout.delimiter)
        if problem is not None or len(row) <= needed:
            readable = printable(" ".join(cells))
            yield Row(source, position, readable, problem=problem or MALFORMED)
        elif nested:
            value = dict(zip(header, row, strict=False))
            for found in nested_rows(value, source, position, columns):
                yield found._replace(extra=literals(found.extra))
        else:
            fields = [None if i is None or i >= len(row) else row[i] for i in at]
            found = row_of(source, position, fields)
            yield found._replace(extra=_extra(header, row, columns)) if columns.extra else found


def _extra(header: list[str], row: list[str], columns: Columns) -> tuple[Any, ...]:
    """Return the values of a row in the columns to keep."""
    value = dict(zip(header, row, strict=False))
    return literals(select_at(value, path, ()) for path in columns.extra)


def _fitted(cells: list[str], header: list[str], text: int, delimiter: str) -> list[str]:
    """Return the cells of a row that has more or fewer than the header; none if they do not fit."""
    if not cells:
        return [""] * len(header)
    if len(cells) < len(header) or not any(cells[len(header) :]):
        return cells
    if text < len(header) - 1:
        return []
    # The text is not quoted, and contains the delimiter.
    return [*cells[:text], delimiter.join(cells[text:])]
