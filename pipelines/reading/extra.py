"""Values of the columns of a log that go to the table rows: ids, times, and columns to keep.

The values of a row are a tuple with one for each of `Columns.extra`: None, a value of Python, or a
`Literal`. Those of a row of Parquet are a `CellRow`.
"""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from advin.pipelines.reading.columns import Columns
from advin.pipelines.reading.paths import struct_path

_WHOLE = re.compile(r"-?(?:0|[1-9]\d*)")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_BOOLEANS = ("true", "false")
BOOL, INT, FLOAT, STR = "bool", "int", "float", "str"


class Literal(NamedTuple):
    """A cell of CSV or TSV, where every value is text.

    Attributes:
        text: the text of the cell.
        kind: BOOL, INT, FLOAT or STR: what the text looks like.
    """

    text: str
    kind: str


def literal(text: str) -> Literal | None:
    """Return a cell of CSV; None if it is empty.

    >>> [literal(text).kind for text in ("True", "-7", "007", "1.50")]
    ['bool', 'int', 'str', 'float']
    """
    if not text:
        return None
    if _WHOLE.fullmatch(text):
        return Literal(text, INT)
    if _NUMBER.fullmatch(text):
        return Literal(text, FLOAT)
    return Literal(text, BOOL if text.lower() in _BOOLEANS else STR)


def literals(values: Iterable[Any]) -> tuple[Any, ...]:
    """Return values of which the strings are cells of CSV."""
    return tuple(literal(v) if isinstance(v, str) else v for v in values)


def native_type(schema: pa.Schema, path: str) -> pa.DataType | None:
    """Return the type of a column of Parquet, or of a field of a struct, as it is kept.

    Dictionaries are decoded, and all strings have one type. A path into a list or a map has none,
    because it may hold several values.
    """
    names = _names(schema, path)
    if names is None:
        return None
    kind = schema.field(names[0]).type
    for name in names[1:]:
        kind = kind.field(name).type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    return kind


class BatchCells:
    """The columns `Columns.native` of a batch of Parquet.

    Attributes:
        arrays: one for each of `Columns.extra`; None if the column is not native, or not there.
    """

    def __init__(self, batch: pa.RecordBatch, columns: Columns) -> None:
        """Find the array of each column."""
        self.arrays = [
            _array(batch, path) if path in columns.native else None for path in columns.extra
        ]


class CellRow(NamedTuple):
    """The values of a row of Parquet.

    Attributes:
        cells: native columns of its batch.
        at: position of the row in the batch.
        others: values of all columns, of which those that are not native count; () for none.
    """

    cells: BatchCells
    at: int
    others: tuple[Any, ...] = ()


def _array(batch: pa.RecordBatch, path: str) -> pa.Array | None:
    names = _names(batch.schema, path)
    if names is None:
        return None
    array = batch.column(names[0])
    for name in names[1:]:
        array = pc.struct_field(array, name)
    return array


def _names(schema: pa.Schema, path: str) -> tuple[str, ...] | None:
    def inside(names: tuple[str, ...]) -> list[str]:
        if not names:
            return schema.names
        kind = schema.field(names[0]).type
        for name in names[1:]:
            kind = kind.field(name).type
        return [kind.field(i).name for i in range(kind.num_fields)] if _is_struct(kind) else []

    return struct_path(path, inside)


def _is_struct(kind: pa.DataType) -> bool:
    return pa.types.is_struct(kind)
