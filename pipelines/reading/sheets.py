"""Read workbooks of Excel."""

import zipfile
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from python_calamine import CalamineError, CalamineWorkbook

from advin.pipelines.reading.archives import members
from advin.pipelines.reading.columns import AMBIGUOUS, TEXT, Columns, Types
from advin.pipelines.reading.decompress import DamagedError
from advin.pipelines.reading.nested import cells_of, nested_rows
from advin.pipelines.reading.paths import select_at
from advin.pipelines.reading.rows import Piece, Row, row_of

# The types of the columns of a sheet, and its first rows.
Head = tuple[Types, list[dict[str, Any]]]


def heads(stream: BinaryIO, path: str, limit: int) -> dict[str, Head]:
    """Return the types of the columns, and the first rows, of each sheet.

    A column is TEXT if at least one of these rows, at most `limit`, has text in it.

    Raises:
        DamagedError: if the file is no workbook.
        SettingsError: if the file would become too large in memory.
    """
    members(stream, path)
    stream.seek(0)
    found: dict[str, Head] = {}
    workbook = _open(stream)
    for name in workbook.sheet_names:
        header, *rows = [*_rows(workbook, name, limit + 1)] or [[]]
        names = _names(header)
        types = {column: _type([row[i] for row in rows]) for i, column in enumerate(names)}
        types = {c: types[c] if names.count(c) == 1 else AMBIGUOUS for c in types if c}
        found[name] = types, [dict(zip(names, row, strict=False)) for row in rows]
    return found


def read_rows(stream: BinaryIO, piece: Piece, columns: Columns) -> Iterator[Row]:
    """Read the rows of a sheet. A cell that holds a number or a date is no text."""
    source = piece.file.name
    rows = _rows(_open(stream), piece.file.layout.sheet)
    header = _names(next(rows, []))
    at, nested = cells_of(columns, header)
    for position, cells in enumerate(rows):
        fields = [None if i is None else cells[i] for i in at]
        if nested:
            row = dict(zip(header, cells, strict=False))
            for found in nested_rows(row, source, position, columns):
                yield found._replace(extra=_values(found.extra))
        elif all(field is None or isinstance(field, str) for field in fields):
            value = dict(zip(header, cells, strict=False)) if columns.extra else {}
            extra = _values(select_at(value, path, ()) for path in columns.extra)
            yield row_of(source, position, fields)._replace(extra=extra)
        else:
            yield Row(source, position, str(fields[0]), problem="not_text")


def _values(cells: Iterable[Any]) -> tuple[Any, ...]:
    """Return the values of cells: Excel stores whole numbers as floats, and nothing as ""."""
    return tuple(
        int(v) if isinstance(v, float) and v.is_integer() else None if v == "" else v for v in cells
    )


def _open(stream: BinaryIO) -> CalamineWorkbook:
    try:
        return CalamineWorkbook.from_filelike(stream)
    except (CalamineError, zipfile.BadZipFile, OSError, ValueError) as error:
        raise DamagedError(str(error)) from error


def _rows(workbook: CalamineWorkbook, sheet: str, most: int | None = None) -> Iterator[list[Any]]:
    """Yield the rows of a sheet from its first one that is not blank."""
    try:
        rows = workbook.get_sheet_by_name(sheet).to_python(nrows=most)
    except (CalamineError, ValueError) as error:
        raise DamagedError(str(error)) from error
    return iter(rows)


def _names(header: list[Any]) -> list[str]:
    return [str(name).strip() for name in header]


def _type(values: list[Any]) -> str:
    kinds = {TEXT if isinstance(v, str) else type(v).__name__ for v in values if v != ""}
    return TEXT if TEXT in kinds or not kinds else min(kinds)
