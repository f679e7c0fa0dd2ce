"""Find out which delimiter and quotes a file of cells uses, from its first lines."""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from advin.pipelines.reading.layout import COMMA, TAB, Layout

DELIMITERS = {"csv": COMMA, "tsv": TAB}
_CANDIDATES = (COMMA, ";", TAB, "|")
# A first line by which Excel learns the delimiter.
_SEP = re.compile(r'"?sep=(.)"?,*\s*', re.IGNORECASE)
# A cell between tabs that is quoted as a whole, and the beginning of one that is not.
_QUOTED_CELL = re.compile(r'(?:^|(?<=\t))"(?:[^"]|"")*"(?=\t|\r?$)', re.MULTILINE)
_OPEN_CELL = re.compile(r'(?:^|\t)"', re.MULTILINE)
# Rows that show which delimiter splits a file evenly.
_PROBED_ROWS = 100


def sniff(text: str, file_format: str, wanted: Iterable[str], layout: Layout) -> Layout:
    """Return the layout of a file of cells.

    The delimiter is the one of a line `sep=;`; else the one that splits the header into the wanted
    columns; else the one that splits the header, and most rows alike. Ties go to the delimiter of
    the format.

    Args:
        text: the first part of the file, with line feeds.
        file_format: "csv" or "tsv".
        wanted: columns that the header should have.
        layout: what is known of the layout.
    """
    lines = text.split("\n")
    excel = _SEP.fullmatch(lines[0])
    usual = DELIMITERS[file_format]
    if excel:
        layout = replace(layout, delimiter=excel[1], skipped=1)
    else:
        names = {name.strip() for name in wanted}
        candidates = [usual, *(d for d in _CANDIDATES if d != usual)]
        delimiter = max(candidates, key=lambda d: _rank(lines[: _PROBED_ROWS + 1], d, names))
        layout = replace(layout, delimiter=delimiter)
    return replace(layout, quoted=layout.delimiter != TAB or _quotes_delimit("\n".join(lines[:-1])))


def _rank(lines: Sequence[str], delimiter: str, wanted: set[str]) -> tuple[bool, bool, float]:
    """Return how well a delimiter fits; the order of the candidates decides between equal ones."""
    try:
        rows = [row for row in csv.reader(lines, delimiter=delimiter) if row]
    except csv.Error:
        return False, False, 0.0
    header = rows[0] if rows else []
    alike = sum(len(row) == len(header) for row in rows) / max(len(rows), 1)
    return wanted <= {name.strip() for name in header}, len(header) > 1, alike


def _quotes_delimit(text: str) -> bool:
    """True if all cells between tabs that begin with a quote are closed, and there are such cells.

    Many files of tabs use quotes as ordinary characters.
    """
    without, closed = _QUOTED_CELL.subn("", text)
    return closed > 0 and _OPEN_CELL.search(without) is None
