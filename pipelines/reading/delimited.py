"""Read CSV and TSV files."""

import io
from collections.abc import Iterator
from typing import BinaryIO

from advin.pipelines.reading.columns import AMBIGUOUS, TEXT, Columns, Types
from advin.pipelines.reading.layout import Layout
from advin.pipelines.reading.records import MALFORMED, Records
from advin.pipelines.reading.rows import Row


def column_types(text: str, layout: Layout) -> Types:
    """Return the columns that the header names, given the first part of a file."""
    names = Records(io.StringIO(text).readline, layout).header
    return {name: TEXT if names.count(name) == 1 else AMBIGUOUS for name in names}


def read_rows(stream: BinaryIO, source: str, layout: Layout, columns: Columns) -> Iterator[Row]:
    """Read the rows of a whole file."""
    # Invalid bytes become lone surrogates here, which cannot be encoded below.
    lines = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="\n")
    records = Records(lines.readline, layout)
    header = records.header
    text, *labels = (_index(header, name) for name in columns.names)
    if text is None:
        raise ValueError(f"the header of {source} has changed")
    needed = max(text, labels[0] or 0)  # the domain column is optional
    for position, (cells, problem) in enumerate(records):
        row = cells
        if len(cells) != len(header) and problem is None:
            row = _fitted(cells, header, text, layout.delimiter)
        if problem is not None or len(row) <= needed:
            readable = _printable(" ".join(cells))
            yield Row(source, position, readable, problem=problem or MALFORMED)
            continue
        fields = [None if i is None or i >= len(row) else row[i] for i in (text, *labels)]
        try:
            for field in fields:
                if field is not None and not field.isascii():
                    field.encode()
        except UnicodeEncodeError:
            yield Row(source, position, _printable(row[text]), problem="invalid_utf8")
        else:
            yield Row(source, position, *fields)


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


def _index(header: list[str], name: str | None) -> int | None:
    name = name and name.strip()
    return header.index(name) if name in header else None


def _printable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
