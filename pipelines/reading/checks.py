"""Check that the first rows of a file hold the columns, and say which paths hold texts if not."""

from typing import Any

from advin.pipelines.errors import SettingsError
from advin.pipelines.reading.cells import cell_text
from advin.pipelines.reading.columns import AMBIGUOUS, TEXT, Columns, Types, likely
from advin.pipelines.reading.exports import EXPORTS, has_text
from advin.pipelines.reading.files import InputFile
from advin.pipelines.reading.hypotheses import best_hypothesis
from advin.pipelines.reading.paths import has_path, is_path, opened, select, text_paths

_SHOWN_PATHS = 3
# Kinds of values that name a speaker besides text.
_SPEAKERS = ("int", "float", "bool")
_KINDS: dict[type, str] = {dict: "objects", list: "lists", str: "JSON"}


def check_columns(
    file: InputFile, columns: Columns, found: Types, rows: list[Any], flag: str
) -> None:
    """Check that a file has the columns, and that they hold text.

    Args:
        file: the file, for messages.
        columns: the columns to read; the domain column is optional.
        found: types of its columns, without paths.
        rows: its first rows; may be empty.
        flag: the flag that names the file, for messages.

    Raises:
        SettingsError: if a column is missing, or no row holds text in it.
    """
    if columns.intent is None and rows and all(isinstance(row, str) for row in rows):
        return  # an array of texts
    for role, column in columns.roles:
        kind = _kind(role, column, found, rows)
        if role == "domain" and columns.intent is None and kind in _SPEAKERS:
            continue
        if kind is None and role != "domain":
            there, names = _there(rows, found)
            hint = likely(role, column, names)
            raise SettingsError(
                f"{file.name} has no column {column!r}; {there}; "
                f"name the {role} column by {columns.flag(role, flag)}"
                + (f", likely {hint!r}" if hint else "")
            )
        if kind == AMBIGUOUS:
            raise SettingsError(
                f"{file.name} has several columns {column!r}: rename all but one of them"
            )
        if kind not in (TEXT, None):
            inside = [p for p in text_paths(rows) if p.startswith((f"{column}.", f"{column}["))]
            what = f"a path in it such as {inside[0]!r}" if inside else "a column of text"
            raise SettingsError(
                f"{file.name}: column {column!r} holds {kind}, not text; name {what} by "
                f"{columns.flag(role, flag)}"
            )


def has_hypotheses(columns: Columns, rows: list[Any]) -> bool:
    """Return True if the text of a row is an n-best list."""
    values = (value for row in rows for _, value in select(row, columns.text))
    return any(best_hypothesis(opened(value)) is not None for value in values)


def check_export(file: InputFile, columns: Columns, rows: list[Any]) -> None:
    """Check that a file has the layout of its export.

    Args:
        file: the file, with its layout.
        columns: tells whether labels are needed.
        rows: its first rows.

    Raises:
        SettingsError: if no row has a text where the export keeps it, or labels are needed and the
            export has none.
    """
    name = str(file.layout.export)
    export = EXPORTS[name]
    if not any(has_text(row, name) for row in rows):
        places = " or ".join(fields.text for fields in export.fields)
        raise SettingsError(
            f"{file.name} does not hold {export.title}: no row has a text at {places}; "
            f"{_there(rows, {})[0]}"
        )
    if columns.intent is not None and not export.labels:
        raise SettingsError(
            f"{file.name} holds {export.title}, which have no labels: give labeled utterances, "
            "or name the columns and add --labeled-format rows"
        )


def _kind(role: str, column: str, found: Types, rows: list[Any]) -> str | None:
    """Return TEXT, AMBIGUOUS or another kind of values in a column; None if it is not there."""
    if found.get(column) == AMBIGUOUS:
        return AMBIGUOUS
    values = [v for row in rows for _, v in select(row, column) if v is not None and v != ""]
    if not values:
        there = any(has_path(row, column) for row in rows)
        return found.get(column, TEXT if there else None)
    if any(isinstance(v, str) if role != "text" else cell_text(v)[0] is not None for v in values):
        return TEXT
    return _KINDS.get(type(values[0]), type(values[0]).__name__)


def _there(rows: list[Any], found: Types) -> tuple[str, list[str]]:
    """Return a clause that names the columns, or the longest texts of nested rows; and these."""
    paths = text_paths(rows)[:_SHOWN_PATHS]
    if any(is_path(path) for path in paths):
        return f"its longest texts are at {', '.join(paths)}", paths
    return f"its columns are: {', '.join(sorted(found)) or 'none'}", sorted(found)
