"""Read Parquet files, one row group at a time."""

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from advin.pipelines.reading.columns import TEXT, Columns, Types
from advin.pipelines.reading.rows import Piece, Row, decoded

# Rows that are read at once.
_BATCH_ROWS = 8192


def column_types(stream: BinaryIO) -> Types:
    """Return the type of each column."""
    return {f.name: TEXT if _is_text(f.type) else str(f.type) for f in pq.read_schema(stream)}


def row_groups(stream: BinaryIO) -> int:
    """Return the number of row groups of a file."""
    return pq.ParquetFile(stream).num_row_groups


def read_rows(stream: BinaryIO, piece: Piece, columns: Columns) -> Iterator[Row]:
    """Read the rows of some row groups."""
    file = pq.ParquetFile(stream)
    wanted = [c for c in columns.all if c in file.schema_arrow.names]
    position = sum(file.metadata.row_group(g).num_rows for g in range(piece.start))
    groups = range(piece.start, piece.stop)
    for batch in file.iter_batches(_BATCH_ROWS, row_groups=groups, columns=wanted):
        # As bytes: one invalid string would make the conversion of the whole batch fail.
        values = {c: _as_bytes(batch.column(c)).to_pylist() for c in wanted}
        absent = [None] * batch.num_rows
        lists = [values.get(c, absent) if c else absent for c in columns.names]
        for text, intent, domain in zip(*lists, strict=True):
            yield decoded(piece.path, position, text, intent, domain)
            position += 1


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
