"""Read rows of Parquet, JSONL, CSV, TSV and plain text, in pieces that workers read in parallel.

Each row of a file becomes one `Row`. A row that cannot be read has a `problem`. No row is dropped.
"""

import csv
import io
import json
from collections.abc import Iterator
from typing import BinaryIO, Literal, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from advin.pipelines.inputs import DELIMITERS, Columns, InputFile, compression_of, open_stream

# Size of the byte ranges of an uncompressed JSONL or text file.
_RANGE_BYTES = 64 << 20
# Longest line. The reader skips the rest of a longer one, and the row has the problem "oversized".
_LINE_BYTES = 1 << 20
# Rows of a Parquet file that are read at once.
_PARQUET_ROWS = 8192
_BOM = b"\xef\xbb\xbf"


class Row(NamedTuple):
    """One row of an input.

    Attributes:
        source: path of the file.
        position: number of the row in Parquet, CSV and TSV; byte offset of the line in other files.
        text: the text as it stands in the file; for a row with a problem, the readable part of it.
        intent: label; None without one.
        domain: domain of the label; None without one.
        problem: reason for which the row is rejected; None if it is readable.
    """

    source: str
    position: int
    text: str | None
    intent: str | None = None
    domain: str | None = None
    problem: str | None = None


class Piece(NamedTuple):
    """A part of a file that is read by itself.

    Attributes:
        path: path of the file.
        format: a value of `inputs.FORMATS`.
        start: first row group of Parquet, or first byte of other formats.
        stop: end of the range, exclusive.
    """

    path: str
    format: str
    start: int
    stop: int


def split_file(file: InputFile) -> Iterator[Piece]:
    """Split a file into pieces that can be read independently."""
    if file.format == "parquet":
        with open_stream(file.path) as stream:
            groups = pq.ParquetFile(stream).num_row_groups
        for group in range(groups):
            yield Piece(file.path, file.format, group, group + 1)
    elif file.format in DELIMITERS or compression_of(file.path):
        yield Piece(file.path, file.format, 0, file.size)
    else:
        for start in range(0, file.size, _RANGE_BYTES):
            yield Piece(file.path, file.format, start, min(start + _RANGE_BYTES, file.size))


def read_piece(piece: Piece, columns: Columns) -> Iterator[Row]:
    """Read the rows of a piece, in their order in the file."""
    with open_stream(piece.path) as stream:
        if piece.format == "parquet":
            yield from _read_parquet(stream, piece, columns)
        elif piece.format in DELIMITERS:
            yield from _read_delimited(stream, piece, columns)
        else:
            parse = _parse_json if piece.format == "jsonl" else _parse_line
            for position, line, whole in _lines(stream, piece):
                if whole:
                    yield parse(piece.path, position, line, columns)
                else:
                    yield Row(piece.path, position, _escaped(line), problem="oversized")


def _read_parquet(stream: BinaryIO, piece: Piece, columns: Columns) -> Iterator[Row]:
    file = pq.ParquetFile(stream)
    wanted = [c for c in columns.all if c in file.schema_arrow.names]
    position = sum(file.metadata.row_group(g).num_rows for g in range(piece.start))
    groups = range(piece.start, piece.stop)
    for batch in file.iter_batches(_PARQUET_ROWS, row_groups=groups, columns=wanted):
        # As bytes: one invalid string would make the conversion of the whole batch fail.
        values = {c: _as_bytes(batch.column(c)).to_pylist() for c in wanted}
        absent = [None] * batch.num_rows
        lists = [values.get(c, absent) if c else absent for c in _names(columns)]
        for text, intent, domain in zip(*lists, strict=True):
            yield _decoded(piece.path, position, text, intent, domain)
            position += 1


def _as_bytes(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(pa.large_string()).view(pa.large_binary())


def _read_delimited(stream: BinaryIO, piece: Piece, columns: Columns) -> Iterator[Row]:
    # Invalid bytes become lone surrogates here; `_decoded` finds them and rejects the row.
    lines = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    csv.field_size_limit(1 << 30)
    # Quotes delimit fields in CSV; in TSV they are ordinary characters.
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if piece.format == "csv" else csv.QUOTE_NONE
    reader = csv.reader(lines, delimiter=DELIMITERS[piece.format], quoting=quoting)
    header = next(reader, [])
    at = [header.index(c) if c in header else None for c in _names(columns)]
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
            yield _decoded(piece.path, position, *fields)
        position += 1


def _lines(stream: BinaryIO, piece: Piece) -> Iterator[tuple[int, bytes, bool]]:
    """Yield (byte offset, line, True if it is complete) of each line that begins in the piece."""
    compressed = bool(compression_of(piece.path))
    position = piece.start
    if position:
        # A line that began before this range belongs to the previous range.
        stream.seek(position - 1)
        position += _skip_line(stream) - 1
    while compressed or position < piece.stop:
        line = stream.readline(_LINE_BYTES)
        if not line:
            return
        start, whole = position, True
        position += len(line)
        if len(line) == _LINE_BYTES and not line.endswith(b"\n"):
            whole = False
            position += _skip_line(stream)
        if start == 0:
            line = line.removeprefix(_BOM)
        yield start, line.rstrip(b"\r\n"), whole


def _skip_line(stream: BinaryIO) -> int:
    """Skip the rest of a line, and return the number of bytes skipped."""
    skipped = 0
    while part := stream.readline(_LINE_BYTES):
        skipped += len(part)
        if part.endswith(b"\n"):
            break
    return skipped


def _parse_line(path: str, position: int, line: bytes, columns: Columns) -> Row:
    return _decoded(path, position, line, None, None)


def _parse_json(path: str, position: int, line: bytes, columns: Columns) -> Row:
    if not line.strip():
        return Row(path, position, "", problem="empty")
    try:
        row = json.loads(line.decode())
    except UnicodeDecodeError:
        return Row(path, position, _escaped(line), problem="invalid_utf8")
    except (ValueError, RecursionError):
        return Row(path, position, _escaped(line), problem="malformed")
    if not isinstance(row, dict):
        return Row(path, position, _escaped(line), problem="malformed")
    if columns.text not in row:
        return Row(path, position, _escaped(line), problem="no_text_column")
    fields = [row.get(c) if c else None for c in _names(columns)]
    if not all(v is None or isinstance(v, str) for v in fields):
        return Row(path, position, _escaped(line), problem="not_text")
    text, intent, domain = fields
    # JSON can contain escaped lone surrogates, which UTF-8 cannot encode.
    if any(v is not None and not _encodable(v) for v in fields):
        return Row(path, position, _escaped(line), problem="invalid_utf8")
    return Row(path, position, text, intent, domain, None if text is not None else "null")


def _decoded(
    path: str, position: int, text: bytes | None, intent: bytes | None, domain: bytes | None
) -> Row:
    """Decode the fields of a row."""
    if text is None:
        return Row(path, position, None, problem="null")
    try:
        fields = [v.decode() if v is not None else None for v in (text, intent, domain)]
    except UnicodeDecodeError:
        return Row(path, position, _escaped(text), problem="invalid_utf8")
    return Row(path, position, *fields)


def _names(columns: Columns) -> tuple[str, str | None, str | None]:
    return columns.text, columns.intent, columns.domain


def _encodable(text: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in text)


def _escaped(data: bytes) -> str:
    return data[:_LINE_BYTES].decode("utf-8", "backslashreplace")


def _printable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
