"""Values of the columns of a log that go to the table rows: ids, times, and columns to keep.

A value is None, a value of Python, a `Literal`, or a `Cell`. `Columns.extra` names the columns.
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


class Cell(NamedTuple):
    """A value of Parquet, in its own type.

    Attributes:
        array: a column of a batch.
        at: position of the value in it.
    """

    array: pa.Array
    at: int


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
    """The cells of a batch of Parquet in the columns `Columns.native`."""

    def __init__(self, batch: pa.RecordBatch, columns: Columns) -> None:
        """Find the array of each column; a column that the batch lacks has none."""
        self._native = [path in columns.native for path in columns.extra]
        self._arrays = [
            _array(batch, path) if path in columns.native else None for path in columns.extra
        ]

    def of(self, index: int, others: tuple[Any, ...] = ()) -> tuple[Any, ...]:
        """Return the values of a row, given its values in the columns that are not native."""
        found = zip(self._native, self._arrays, others or (None,) * len(self._native), strict=True)
        return tuple(
            other if not native else None if array is None else Cell(array, index)
            for native, array, other in found
        )


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
