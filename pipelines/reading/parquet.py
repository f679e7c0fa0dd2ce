"""Read Parquet files, one row group at a time."""

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from advin.pipelines.reading.columns import AMBIGUOUS, TEXT, Columns, Types
from advin.pipelines.reading.decompress import DamagedError
from advin.pipelines.reading.rows import Piece, Row, decoded

# Rows that are read at once.
_BATCH_ROWS = 8192


def column_types(stream: BinaryIO) -> Types:
    """Return the type of each column.

    Raises:
        DamagedError: if the footer cannot be read.
    """
    schema = _open(stream).schema_arrow
    return {
        f.name: AMBIGUOUS
        if schema.names.count(f.name) > 1
        else TEXT
        if _is_text(f.type)
        else str(f.type)
        for f in schema
    }


def check_first_rows(stream: BinaryIO, columns: Columns) -> None:
    """Read the first rows.

    Raises:
        DamagedError: if they cannot be read.
    """
    file = _open(stream)
    if file.num_row_groups:
        next(_batches(file, 0, _wanted(file, columns), rows=1), None)


def row_groups(stream: BinaryIO) -> int:
    """Return the number of row groups of a file."""
    return _open(stream).num_row_groups


def read_rows(stream: BinaryIO, piece: Piece, columns: Columns) -> Iterator[Row]:
    """Read the rows of a row group.

    Raises:
        DamagedError: after the rows before the damage.
    """
    file = _open(stream)
    wanted = _wanted(file, columns)
    position = sum(file.metadata.row_group(g).num_rows for g in range(piece.start))
    end = position + file.metadata.row_group(piece.start).num_rows
    source = piece.file.name
    for batch in _batches(file, piece.start, wanted, _BATCH_ROWS):
        # As bytes: one invalid string would make the conversion of the whole batch fail.
        values = {c: _as_bytes(batch.column(c)).to_pylist() for c in wanted}
        absent = [None] * batch.num_rows
        lists = [values.get(c, absent) if c else absent for c in columns.names]
        for text, intent, domain in zip(*lists, strict=True):
            yield decoded(source, position, text, intent, domain)
            position += 1
    if position != end:
        raise DamagedError(f"{end - position} rows are missing")


def _open(stream: BinaryIO) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(stream, page_checksum_verification=True)
    except (pa.ArrowException, MemoryError, OSError, ValueError) as error:
        raise _damage(error) from error


def _batches(
    file: pq.ParquetFile, group: int, wanted: list[str], rows: int
) -> Iterator[pa.RecordBatch]:
    try:
        yield from file.iter_batches(rows, row_groups=[group], columns=wanted)
    except (pa.ArrowException, MemoryError, OSError, ValueError) as error:
        raise _damage(error) from error


def _damage(error: BaseException) -> BaseException:
    """Return an error of Arrow as damage to the file, and one of the file system as it is."""
    if isinstance(error, OSError) and error.errno is not None:
        return error
    return DamagedError(str(error).partition("\n")[0])


def _wanted(file: pq.ParquetFile, columns: Columns) -> list[str]:
    return [c for c in columns.all if c in file.schema_arrow.names]


def _as_bytes(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(pa.large_string()).view(pa.large_binary())


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_null(kind)
    )
