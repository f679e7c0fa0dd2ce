"""Times of the rows of a log: ISO 8601, seconds or milliseconds since 1970, or types of Parquet."""

import math
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from advin.pipelines.reading.extra import Literal

TIME = pa.timestamp("us", tz="UTC")
_MICROS = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Years 1 to 9999, which all readers can represent.
_FIRST = int((datetime(1, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds())
_LAST = int((datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH).total_seconds())
# A larger number is of milliseconds: in seconds it would lie beyond the year 5000.
_MOST_SECONDS = 10**11
_MOST = 1000 * _LAST
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")
_UNITS = {"s": 1, "ms": 1000, "us": _MICROS, "ns": 1000 * _MICROS}


def parse_time(value: Any) -> int | None:
    """Return a time in microseconds since 1970; None if it cannot be read.

    A time without a zone is in UTC. A number is seconds, or milliseconds above 10^11.

    >>> parse_time("2026-02-10T10:00:00Z") == parse_time(1770717600) == parse_time(1770717600000)
    True
    """
    if isinstance(value, Literal):
        value = value.text
    if isinstance(value, str):
        text = value.strip()
        value = float(text) if _NUMBER.fullmatch(text) else _of_iso(text)
    if isinstance(value, datetime):
        value = value if value.tzinfo else value.replace(tzinfo=UTC)
        delta = value - _EPOCH
        micros = (delta.days * 86_400 + delta.seconds) * _MICROS + delta.microseconds
        return micros if _FIRST * _MICROS <= micros <= _LAST * _MICROS else None
    if isinstance(value, date):
        return (value.toordinal() - _EPOCH.toordinal()) * 86_400 * _MICROS
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return _of_number(value)
    return None


def is_time(kind: pa.DataType) -> bool:
    """Return True if a type of Parquet is a time or a date."""
    return pa.types.is_timestamp(kind) or pa.types.is_date(kind)


def times_of(array: pa.Array) -> pa.Array:
    """Return an array of times or dates as `TIME`; null where the year is not 1 to 9999."""
    if pa.types.is_date32(array.type):
        array = array.cast(pa.timestamp("s"))
    elif pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("ms"))
    unit = _UNITS[array.type.unit]
    number = array.cast(pa.int64())
    # Nanoseconds in 64 bits cannot leave these years.
    if unit <= _MICROS:
        inside = pc.and_(
            pc.greater_equal(number, _FIRST * unit), pc.less_equal(number, _LAST * unit)
        )
        number = pc.if_else(inside, number, None)
        return pc.multiply(number, _MICROS // unit).cast(TIME)
    # Rounded down, also before 1970.
    whole = pc.divide(number, unit // _MICROS)
    is_above = pc.greater(pc.multiply(whole, unit // _MICROS), number)
    return pc.subtract(whole, is_above.cast(pa.int64())).cast(TIME)


def _of_iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _of_number(number: Any) -> int | None:
    if not math.isfinite(number) or abs(number) > _MOST:
        return None
    seconds = float(number)
    if abs(seconds) > _MOST_SECONDS:
        seconds /= 1000
    return round(seconds * _MICROS) if _FIRST <= seconds <= _LAST else None
