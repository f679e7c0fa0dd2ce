"""Find out how files are laid out: which export they belong to, and where their rows are.

A file has the layout of an export if all of its first rows have. It is then read by the export's
own paths, unless the user names a text column or asks for rows.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from advin.pipelines.reading.columns import DEFAULT_TEXT, ROWS, Columns
from advin.pipelines.reading.exports import EXPORTS, detect, has_text
from advin.pipelines.reading.files import InputFile
from advin.pipelines.reading.json_values import array_members, parsed_head
from advin.pipelines.reading.paths import NotJsonError, has_path, parse_json

# Rows that are read to find the layout and the columns.
PROBED_ROWS = 100
_PROBED_LINES = 20


class Probe(NamedTuple):
    """How a file is laid out.

    Attributes:
        file: the file with its format and layout.
        rows: its first rows.
        readable: True if one of them has a text.
    """

    file: InputFile
    rows: list[Any]
    readable: bool


def files_of_export(
    files: list[InputFile], wanted: str | None
) -> tuple[list[InputFile], list[InputFile]]:
    """Return (files that hold rows, other files) of an export whose files have telling names.

    Args:
        files: all files of an input.
        wanted: the export that the user names, `ROWS`, or None to detect it.
    """
    for name in EXPORTS if wanted is None else [wanted]:
        pattern = EXPORTS[name].files if name in EXPORTS else None
        found = [f for f in files if pattern and re.search(pattern, f.name)]
        if found:
            named = [replace(f, layout=replace(f.layout, export=name)) for f in found]
            return named, [f for f in files if f not in found]
    return files, []


def names_speakers(files: Iterable[InputFile]) -> bool:
    """Return True if a file belongs to an export that names the speakers of its turns."""
    exports = (EXPORTS.get(file.layout.export or "") for file in files)
    return any(export is not None and export.speakers is not None for export in exports)


def export_of(rows: list[Any], columns: Columns) -> str | None:
    """Return the export that the first rows of a file belong to; None for rows with columns."""
    if columns.export is not None:
        return columns.export if columns.export != ROWS else None
    has_speaker = columns.intent is None and columns.domain is not None
    return detect(rows) if columns.text == DEFAULT_TEXT and not has_speaker else None


def probe_json(head: bytes, file: InputFile, columns: Columns) -> Probe:
    """Find out how a JSON file is laid out.

    Args:
        head: the first bytes of the file.
        file: a file of the format "json" or "jsonl".
        columns: the columns to read, or the export that the user names.
    """
    layout = file.layout
    rows = list(_parsed_lines(head))
    if _are_lines(head) or (file.format == "jsonl" and rows):
        layout = replace(layout, export=layout.export or export_of(rows, columns))
        return Probe(replace(file, format="jsonl", layout=layout), rows, True)
    found = []
    file = replace(file, format="json")
    for array in _arrays(head):
        rows = parsed_head(head, array, PROBED_ROWS)
        export = layout.export or export_of(rows, columns)
        probed = replace(file, layout=replace(layout, export=export, array=array))
        found.append(Probe(probed, rows, any(_has_text(row, export, columns) for row in rows)))
    # If no way to read it gives a text, the rows of {"logs": [...]} show most.
    best = found[-1] if len(found) == 2 else found[0]
    return next((probe for probe in found if probe.readable), best)


def _has_text(row: Any, export: str | None, columns: Columns) -> bool:
    if export is not None:
        return has_text(row, export)
    return isinstance(row, str) or has_path(row, columns.text)


def _are_lines(head: bytes) -> bool:
    """Return True if most of the first lines are objects by themselves, and there are several."""
    lines = [line for line in head.removeprefix(BOM_UTF8).split(b"\n") if line.strip()]
    lines = lines[:_PROBED_LINES]
    whole = sum(isinstance(_parsed(line), dict) for line in lines)
    return len(lines) > 1 and 2 * whole >= len(lines)


def _parsed_lines(head: bytes) -> Iterator[Any]:
    """Yield the objects among the first lines."""
    for line in head.removeprefix(BOM_UTF8).split(b"\n")[:PROBED_ROWS]:
        value = _parsed(line)
        if isinstance(value, dict):
            yield value


def _parsed(line: bytes) -> Any:
    """Return the value of a line; None if it is not JSON."""
    try:
        return parse_json(line.decode("utf-8", "replace"))
    except NotJsonError:
        return None


def _arrays(head: bytes) -> list[int | None]:
    """Return the places where rows may be: see `json_values.json_values`."""
    bare = head.removeprefix(BOM_UTF8).lstrip()
    if bare.startswith(b"["):
        return [head.index(b"[")]
    return [None, *array_members(head).values()]
