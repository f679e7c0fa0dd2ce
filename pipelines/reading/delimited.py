"""Read CSV and TSV files."""

import csv
import io
from collections.abc import Iterator
from typing import BinaryIO, Literal

from advin.pipelines.reading.columns import TEXT, Columns, Types
from advin.pipelines.reading.rows import Piece, Row, decoded

DELIMITERS = {"csv": ",", "tsv": "\t"}


def column_types(stream: BinaryIO, file_format: str) -> Types:
    """Return the columns that the header names."""
    lines = io.TextIOWrapper(stream, encoding="utf-8", errors="replace", newline="")
    header = next(csv.reader(lines, delimiter=DELIMITERS[file_format]), [])
    return {name.removeprefix("\ufeff"): TEXT for name in header}


def read_rows(stream: BinaryIO, piece: Piece, columns: Columns) -> Iterator[Row]:
    """Read the rows of a whole file."""
    # Invalid bytes become lone surrogates here; `decoded` finds them and rejects the row.
    lines = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    csv.field_size_limit(1 << 30)
    # Quotes delimit fields in CSV; in TSV they are ordinary characters.
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if piece.format == "csv" else csv.QUOTE_NONE
    reader = csv.reader(lines, delimiter=DELIMITERS[piece.format], quoting=quoting)
    header = next(reader, [])
    at = [header.index(c) if c in header else None for c in columns.names]
    needed = max(i for i in at[:2] if i is not None)  # the domain column is optional
    position = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield Row(piece.path, position, None, problem="malformed")
            position += 1
            continue
        if not cells:
            cells = [""] * len(header)
        if len(cells) <= needed:
            yield Row(piece.path, position, _printable(" ".join(cells)), problem="malformed")
        else:
            fields = [
                cells[i].encode("utf-8", "surrogateescape")
                if i is not None and i < len(cells)
                else None
                for i in at
            ]
            yield decoded(piece.path, position, *fields)
        position += 1


def _printable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
