"""Values of a log's columns as Arrow arrays: for the files of pieces, and for the table rows.

A column has its type of Parquet if all files of the log agree on it. Otherwise the type follows
from its values: booleans, whole numbers of 64 bits, numbers, or else texts. Until all pieces are
read, such values are texts, and each file says which kinds of values it holds.
"""

import functools
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any

import pyarrow as pa

from advin.discovery.text.config import MaskingConfig
from advin.discovery.text.preparation import prepare
from advin.pipelines.errors import SettingsError
from advin.pipelines.reading.extra import BOOL, FLOAT, INT, STR, Cell, Literal, literal
from advin.pipelines.reading.row_columns import ExtraColumn
from advin.pipelines.reading.times import TIME, is_time, parse_time, times_of

_INT64 = 1 << 63
# The column that is always text.
CONVERSATION = "conversation_id"
# Short values repeat, and masking takes most of the time.
_REMEMBERED, _SHORT = 8192, 256


def piece_type(column: ExtraColumn) -> pa.DataType:
    """Return the type of a column in the files of pieces."""
    if column.name == CONVERSATION:
        return pa.string()
    return TIME if column.name == "time" else column.kind or pa.string()


def piece_array(
    column: ExtraColumn, values: Sequence[Any], masking: MaskingConfig, kinds: set[str]
) -> pa.Array:
    """Return the values of a column as an array for the file of a piece.

    Args:
        column: the column.
        values: as `reading.extra` describes them.
        masking: applied to texts if the column is masked.
        kinds: receives the kinds of the values if the column has no type of its own.

    Raises:
        SettingsError: if the column is nested, and its texts cannot be masked.
    """
    mask = functools.partial(masked, masking=masking) if column.masked else _printable
    if column.kind is not None:
        array = _native(column, gathered(values, column.kind), mask)
        if array.type == piece_type(column):
            return array
        values = array.to_pylist()
    found = [_as_text(value, mask) for value in values]
    kinds.update(kind for _, kind in found if kind)
    return pa.array([text for text, _ in found], pa.string())


def time_array(column: ExtraColumn, values: Sequence[Any]) -> tuple[pa.Array, int]:
    """Return the times of some values as `TIME`, and the number of those that cannot be read."""
    if column.kind is not None and is_time(column.kind):
        given = gathered(values, column.kind)
        times = times_of(given)
        return times, times.null_count - given.null_count
    if column.kind is not None:
        values = _native(column, gathered(values, column.kind), _printable).to_pylist()
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


def final_array(
    column: ExtraColumn, array: pa.Array, kind: pa.DataType, masking: MaskingConfig
) -> pa.Array:
    """Return a column of the file of a piece in its type in the table rows."""
    if array.type == kind and not (column.kind is None and column.masked):
        return array
    texts = array.to_pylist()
    if pa.types.is_string(kind):
        # Numbers were not masked, because the column could have been one of numbers.
        return pa.array([_masked_number(text, masking) for text in texts], kind)
    convert: Callable[[str], Any] = float
    if pa.types.is_boolean(kind):
        convert = _is_true
    elif pa.types.is_integer(kind):
        convert = int
    return pa.array([None if text is None else convert(text) for text in texts], kind)


def gathered(values: Sequence[Cell | None], kind: pa.DataType) -> pa.Array:
    """Return cells as one array; None is null."""
    parts, at = [], 0
    while at < len(values):
        first, end = values[at], at + 1
        array = None if first is None else first.array
        while end < len(values) and _array_of(values[end]) is array:
            end += 1
        if array is None:
            parts.append(pa.nulls(end - at, kind))
        else:
            rows = pa.array([cell.at for cell in values[at:end] if cell is not None])
            part = array.take(rows)
            if pa.types.is_dictionary(part.type):
                part = part.dictionary_decode()
            parts.append(part.cast(kind))
        at = end
    return pa.concat_arrays(parts) if parts else pa.array([], kind)


def masked(text: str, masking: MaskingConfig) -> str:
    """Return a text masked as utterances are."""
    if len(text) <= _SHORT:
        return _masked_short(text, masking)
    return prepare(_printable(text), masking).text


@functools.lru_cache(maxsize=_REMEMBERED)
def _masked_short(text: str, masking: MaskingConfig) -> str:
    return prepare(_printable(text), masking).text


def _array_of(cell: Cell | None) -> pa.Array | None:
    return None if cell is None else cell.array


def _native(column: ExtraColumn, array: pa.Array, mask: Callable[[str], str]) -> pa.Array:
    if not _holds_text(array.type):
        return array
    if not column.masked and _is_valid(array):
        return array
    if pa.types.is_string(array.type):
        data = array.view(pa.binary()).to_pylist()
        texts = (None if d is None else d.decode("utf-8", "backslashreplace") for d in data)
        return pa.array([None if t is None else mask(t) for t in texts], array.type)
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


def _each_text(value: Any, mask: Callable[[str], str]) -> Any:
    """Return a value with its texts masked, at any depth; the names of members stay."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {key: _each_text(inside, mask) for key, inside in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_each_text(inside, mask) for inside in value)
    return value


def _as_text(value: Any, mask: Callable[[str], str]) -> tuple[str | None, str]:
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


def _masked_number(text: str | None, masking: MaskingConfig) -> str | None:
    found = literal(text) if text else None
    return text if found is None or found.kind == STR else masked(found.text, masking)


def _is_true(text: str) -> bool:
    return text.lower() == "true"


def _printable(text: str) -> str:
    """Return a text with escapes in place of lone surrogates."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
