"""Values of a log's columns as Arrow arrays: for the files of pieces, and for the table rows.

A column has its type of Parquet if all files of the log agree on it. Otherwise the type follows
from its values: booleans, whole numbers of 64 bits, numbers, or else texts. Until all pieces are
read, such values are texts, and each file says which kinds of values it holds.
"""

import functools
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any, TypeAlias

import pyarrow as pa

from advin.discovery.text.config import MaskingConfig
from advin.discovery.text.preparation import prepare
from advin.pipelines.errors import SettingsError
from advin.pipelines.reading.extra import BOOL, FLOAT, INT, STR, BatchCells, Literal, literal
from advin.pipelines.reading.row_columns import ExtraColumn
from advin.pipelines.reading.times import TIME, is_time, parse_time, times_of

_INT64 = 1 << 63
# The column that is always text.
CONVERSATION = "conversation_id"
# Masks a text.
Mask: TypeAlias = Callable[[str], str]
# Rows of a batch of Parquet by their positions in it; None for rows without such a batch.
CellGroup: TypeAlias = tuple[BatchCells | None, list[int]]
# Short values repeat, and masking takes most of the time.
_REMEMBERED, _SHORT = 8192, 256


def piece_type(column: ExtraColumn) -> pa.DataType:
    """Return the type of a column in the files of pieces."""
    if column.name == CONVERSATION:
        return pa.string()
    return TIME if column.name == "time" else column.kind or pa.string()


def piece_array(
    column: ExtraColumn, values: pa.Array | Sequence[Any], mask: Mask, kinds: set[str]
) -> pa.Array:
    """Return the values of a column as an array for the file of a piece.

    Args:
        column: the column.
        values: an array if the column has a type of its own, else values as in `reading.extra`.
        mask: applied to texts if the column is masked.
        kinds: receives the kinds of the values if the column has no type of its own.

    Raises:
        SettingsError: if the column is nested, and its texts cannot be masked.
    """
    mask = mask if column.masked else _printable
    if isinstance(values, pa.Array):
        array = _native(column, values, mask)
        if array.type == piece_type(column):
            return array
        values = array.to_pylist()
    found = [_as_text(value, mask) for value in values]
    kinds.update(kind for _, kind in found if kind)
    return pa.array([text for text, _ in found], pa.string())


def time_array(column: ExtraColumn, values: pa.Array | Sequence[Any]) -> tuple[pa.Array, int]:
    """Return the times of some values as `TIME`, and the number of those that cannot be read."""
    if isinstance(values, pa.Array):
        if is_time(values.type):
            times = times_of(values)
            return times, times.null_count - values.null_count
        values = _native(column, values, _printable).to_pylist()
    times = pa.array([parse_time(value) for value in values], TIME)
    return times, times.null_count - sum(value in (None, "") for value in values)


def final_type(column: ExtraColumn, kinds: Iterable[str]) -> pa.DataType:
    """Return the type of a column in the table rows, given the kinds of all its values."""
    if column.name in ("time", CONVERSATION) or column.kind is not None:
        return piece_type(column)
    found = set(kinds)
    if found == {BOOL}:
        return pa.bool_()
    if found == {INT}:
        return pa.int64()
    return pa.float64() if found and found <= {INT, FLOAT} else pa.string()


def final_array(column: ExtraColumn, array: pa.Array, kind: pa.DataType, mask: Mask) -> pa.Array:
    """Return a column of the file of a piece in its type in the table rows."""
    if array.type == kind and not (column.kind is None and column.masked):
        return array
    texts = array.to_pylist()
    if pa.types.is_string(kind):
        # Numbers were not masked, because the column could have been one of numbers.
        return pa.array([_masked_number(text, mask) for text in texts], kind)
    convert: Callable[[str], Any] = float
    if pa.types.is_boolean(kind):
        convert = _is_true
    elif pa.types.is_integer(kind):
        convert = int
    return pa.array([None if text is None else convert(text) for text in texts], kind)


def native_array(column: ExtraColumn, groups: Sequence[CellGroup], at: int) -> pa.Array:
    """Return a column of rows of Parquet.

    Args:
        column: the column, which has a type of its own.
        groups: the rows.
        at: number of the column in `Columns.extra`.
    """
    parts = []
    for cells, rows in groups:
        array = None if cells is None else cells.arrays[at]
        if array is None:
            parts.append(pa.nulls(len(rows), column.kind))
            continue
        part = array.take(pa.array(rows))
        if pa.types.is_dictionary(part.type):
            part = part.dictionary_decode()
        parts.append(part.cast(column.kind))
    return pa.concat_arrays(parts) if parts else pa.array([], column.kind)


def masker(masking: MaskingConfig) -> Mask:
    """Return a function that masks a text as utterances are masked."""

    def prepared(text: str) -> str:
        return prepare(_printable(text), masking).text

    remembered = functools.lru_cache(maxsize=_REMEMBERED)(prepared)
    return lambda text: remembered(text) if len(text) <= _SHORT else prepared(text)


def _native(column: ExtraColumn, array: pa.Array, mask: Mask) -> pa.Array:
    if not _holds_text(array.type):
        return array
    if not column.masked and _is_valid(array):
        return array
    if pa.types.is_string(array.type):
        # Each different text is masked once.
        encoded = array.view(pa.binary()).dictionary_encode()
        texts = (d.decode("utf-8", "backslashreplace") for d in encoded.dictionary.to_pylist())
        return pa.array([mask(text) for text in texts], array.type).take(encoded.indices)
    try:
        return pa.array([_each_text(value, mask) for value in array.to_pylist()], array.type)
    except (ValueError, OverflowError, pa.ArrowException) as error:
        raise SettingsError(
            f"--keep-columns {column.path}: its texts cannot be masked ({error}): leave it out, or "
            "name it in --keep-raw"
        ) from error


def _is_valid(array: pa.Array) -> bool:
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _holds_text(kind: pa.DataType) -> bool:
    if pa.types.is_nested(kind):
        return any(_holds_text(kind.field(i).type) for i in range(kind.num_fields))
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _each_text(value: Any, mask: Mask) -> Any:
    """Return a value with its texts masked, at any depth; the names of members stay."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {key: _each_text(inside, mask) for key, inside in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_each_text(inside, mask) for inside in value)
    return value


def _as_text(value: Any, mask: Mask) -> tuple[str | None, str]:
    """Return a value as text, and its kind; (None, "") for null."""
    if value is None:
        return None, ""
    if isinstance(value, Literal):
        return (mask(value.text), STR) if value.kind == STR else _in_64_bits(value.text, value.kind)
    if isinstance(value, str):
        return mask(value), STR
    if isinstance(value, bool):
        return str(value).lower(), BOOL
    if isinstance(value, int):
        return _in_64_bits(str(value), INT)
    if isinstance(value, float):
        return repr(value), FLOAT
    if isinstance(value, date):
        return value.isoformat(), STR
    if isinstance(value, dict | list):
        text = json.dumps(_each_text(value, mask), ensure_ascii=False, default=str)
        return _printable(text), STR
    if isinstance(value, bytes):
        return mask(value.decode("utf-8", "backslashreplace")), STR
    return str(value), STR


def _in_64_bits(text: str, kind: str) -> tuple[str, str]:
    """Return a number with its kind: whole numbers that 64 bits cannot hold are texts."""
    if kind != INT or (len(text) <= len(str(-_INT64)) and -_INT64 <= int(text) < _INT64):
        return text, kind
    return text, STR


def _masked_number(text: str | None, mask: Mask) -> str | None:
    found = literal(text) if text else None
    return text if found is None or found.kind == STR else mask(found.text)


def _is_true(text: str) -> bool:
    return text.lower() == "true"


def _printable(text: str) -> str:
    """Return a text with escapes in place of lone surrogates."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
