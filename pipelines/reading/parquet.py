"""Read Parquet files, one row group at a time."""

import itertools
from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from advin.pipelines.reading.cells import may_hold_json
from advin.pipelines.reading.columns import AMBIGUOUS, TEXT, Columns, Types
from advin.pipelines.reading.decompress import DamagedError
from advin.pipelines.reading.exports import EXPORTS, MARKED
from advin.pipelines.reading.extra import BatchCells, CellRow
from advin.pipelines.reading.nested import ELEMENT, cells_of, nested_rows
from advin.pipelines.reading.paths import root_column
from advin.pipelines.reading.rows import MALFORMED, Piece, Row, decoded, row_of

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


def first_rows(stream: BinaryIO, columns: Columns, limit: int) -> list[Any]:
    """Return the first rows, at most `limit`; without other columns if all wanted ones exist.

    Raises:
        DamagedError: if they cannot be read.
    """
    file = _open(stream)
    if not file.num_row_groups:
        return []
    names = file.schema_arrow.names
    at, _ = cells_of(columns, names)
    missing = at[0] is None or (columns.intent is not None and at[1] is None)
    wanted = names if missing else [*_wanted(file, columns), *(n for n in names if n in MARKED)]
    batches = _batches(file, 0, list(dict.fromkeys(wanted)), limit)
    found = (row for batch in itertools.islice(batches, 1) for row in _to_rows(batch))
    return [row for row in found if isinstance(row, dict)]


def schema_of(stream: BinaryIO) -> pa.Schema:
    """Return the schema of a file.

    Raises:
        DamagedError: if the footer cannot be read.
    """
    return _open(stream).schema_arrow


def row_groups(stream: BinaryIO) -> int:
    """Return the number of row groups of a file."""
    return _open(stream).num_row_groups


def read_rows(stream: BinaryIO, piece: Piece, columns: Columns) -> Iterator[Row]:
    """Read the rows of a row group.

    Raises:
        DamagedError: after the rows before the damage.
    """
    file = _open(stream)
    schema = file.schema_arrow
    position = sum(file.metadata.row_group(g).num_rows for g in range(piece.start))
    end = position + file.metadata.row_group(piece.start).num_rows
    _, nested = cells_of(columns, schema.names)
    wanted = _wanted(file, columns)
    nested = nested or not all(_is_text(schema.field(name).type) for name in wanted)
    read = _nested_rows if nested or set(columns.extra) - set(columns.native) else _flat_rows
    roots = (root_column(path, schema.names) for path in columns.extra)
    kept = [root for root in roots if root is not None]
    for batch in _batches(file, piece.start, list(dict.fromkeys([*wanted, *kept])), _BATCH_ROWS):
        rows = read(batch.select(wanted), piece.file.name, position, columns)
        yield from _with_cells(rows, batch, position, columns) if columns.extra else rows
        position += batch.num_rows
    if position != end:
        raise DamagedError(f"{end - position} rows are missing")


def _flat_rows(
    batch: pa.RecordBatch, source: str, position: int, columns: Columns
) -> Iterator[Row]:
    names = batch.schema.names
    absent = pa.nulls(batch.num_rows, pa.large_string())
    arrays = [_as_strings(batch.column(c)) if c in names else absent for c in columns.names]
    try:
        rows = zip(*(array.to_pylist() for array in arrays), strict=True)
    except UnicodeDecodeError:  # one invalid string makes the conversion of all fail
        encoded = (array.view(pa.large_binary()).to_pylist() for array in arrays)
        for at, fields in enumerate(zip(*encoded, strict=True), position):
            yield decoded(source, at, *fields)
        return
    for at, (text, intent, domain) in enumerate(rows, position):
        if text is None:
            yield Row(source, at, None, problem="null")
        elif may_hold_json(text):
            yield row_of(source, at, [text, intent, domain])
        else:
            yield Row(source, at, text, intent, domain)


def _nested_rows(
    batch: pa.RecordBatch, source: str, position: int, columns: Columns
) -> Iterator[Row]:
    for at, row in enumerate(_to_rows(batch), position):
        if isinstance(row, str):
            yield Row(source, at, None, problem=row)
        else:
            yield from nested_rows(row, source, at, columns)


def _with_cells(
    rows: Iterator[Row], batch: pa.RecordBatch, position: int, columns: Columns
) -> Iterator[Row]:
    cells = BatchCells(batch, columns)
    for row in rows:
        at = row.position % ELEMENT - position
        yield row._replace(extra=CellRow(cells, at, row.extra))


def _to_rows(batch: pa.RecordBatch) -> list[dict[str, Any] | str]:
    """Return the rows of a batch, and the problem of rows that Python cannot represent."""
    try:
        return batch.to_pylist()
    except (ValueError, OverflowError, pa.ArrowException) as error:
        if batch.num_rows == 1:
            invalid = isinstance(error, UnicodeDecodeError)
            return ["invalid_utf8" if invalid else MALFORMED]  # such as a date in year 10,000
        return [row for i in range(batch.num_rows) for row in _to_rows(batch.slice(i, 1))]


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
    """Return the columns that the fields are in."""
    names = file.schema_arrow.names
    paths = EXPORTS[columns.export].paths if columns.export in EXPORTS else []
    converted = [path for path in columns.extra if path not in columns.native]
    roots = (root_column(path, names) for path in [*paths, *columns.all, *converted])
    return list(dict.fromkeys(root for root in roots if root is not None))


def _as_strings(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(pa.large_string())


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_null(kind)
    )
