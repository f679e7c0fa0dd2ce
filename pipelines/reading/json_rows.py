"""Read JSON Lines: each line is an object."""

import json

from advin.pipelines.reading.columns import TEXT, Columns, Types
from advin.pipelines.reading.rows import Row, escaped

# Rows that are read to find the columns.
_PROBED_ROWS = 100


def column_types(text: str) -> Types:
    """Return the type of each column in the first rows: TEXT if at least one row holds text."""
    found: Types = {}
    for line in text.split("\n")[:_PROBED_ROWS]:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue  # the reader rejects this row
        if not isinstance(row, dict):
            continue
        for name, value in row.items():
            kind = TEXT if isinstance(value, str) or value is None else type(value).__name__
            if found.get(name) != TEXT:
                found[name] = kind
    return found


def parse_line(source: str, position: int, line: bytes, columns: Columns) -> Row:
    """Return the row of a line."""
    if not line.strip():
        return Row(source, position, "", problem="empty")
    try:
        row = json.loads(line.decode())
    except UnicodeDecodeError:
        return Row(source, position, escaped(line), problem="invalid_utf8")
    except (ValueError, RecursionError):
        return Row(source, position, escaped(line), problem="malformed")
    if not isinstance(row, dict):
        return Row(source, position, escaped(line), problem="malformed")
    if columns.text not in row:
        return Row(source, position, escaped(line), problem="no_text_column")
    fields = [row.get(c) if c else None for c in columns.names]
    if not all(v is None or isinstance(v, str) for v in fields):
        return Row(source, position, escaped(line), problem="not_text")
    text, intent, domain = fields
    # JSON can contain escaped lone surrogates, which UTF-8 cannot encode.
    if any(v is not None and not _encodable(v) for v in fields):
        return Row(source, position, escaped(line), problem="invalid_utf8")
    return Row(source, position, text, intent, domain, None if text is not None else "null")


def _encodable(text: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in text)
