"""Read records of cells. Damage to one record does not affect others.

A quote that is never closed would turn the rest of a file into one cell. So a record that spans
several lines is checked. If it is no valid record, its first line is damaged, and the lines after
it are read again.
"""

import csv
import re
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from advin.pipelines.reading.layout import Layout
from advin.pipelines.reading.rows import MALFORMED, OVERSIZED

# The cells of a record, and the reason for which it cannot be used or None.
Record = tuple[list[str], str | None]

# Longest line, and longest record. The rest of a longer line is skipped.
_MAX_CHARACTERS = 1 << 20
# Characters of a longer line that are kept for a message.
_SHOWN_CHARACTERS = 32
# Records that show what the cells of a column look like.
_RECENT = 32
# Most shapes of cells in a column of ids, dates or labels; texts have more.
_SHAPES = 3
# A record with this many inner lines is taken for several rows if each line has the delimiters of
# a row.
_ROWS_IN_A_CELL = 3
_LETTERS, _DIGITS = re.compile(r"[^\W\d_]+"), re.compile(r"\d+")


class _OversizedError(ValueError):
    """A line or a record is too long."""


class _LongLine(str):
    """The beginning of a line that is too long."""

    __slots__ = ()


class Records:
    """The records of a file of cells."""

    def __init__(self, readline: Callable[[int], str], layout: Layout) -> None:
        """Read the header.

        Args:
            readline: returns the next line, up to a number of characters; "" at the end.
            layout: how the file is laid out.
        """
        self._readline = readline
        self._delimiter = layout.delimiter
        quoting = csv.QUOTE_MINIMAL if layout.quoted else csv.QUOTE_NONE
        self._options: dict[str, Any] = {"delimiter": layout.delimiter, "quoting": quoting}
        # Lines of the current record, lines to read again, and recent records of one line.
        self._taken: list[str] = []
        self._size = 0
        self._again: deque[str] = deque()
        self._recent: deque[list[str]] = deque(maxlen=_RECENT)
        csv.field_size_limit(1 << 30)
        for _ in range(layout.skipped):
            readline(_MAX_CHARACTERS)
        rows = csv.reader(self._lines(), **self._options)
        self.header = [name.strip() for name in next(filter(None, rows), [])]
        self._forget()

    def __iter__(self) -> Iterator[Record]:
        """Yield the records after the header."""
        while True:
            try:
                yield from self._intact()
                return
            except (csv.Error, _OversizedError):
                yield from self._recovered()

    def _intact(self) -> Iterator[Record]:
        """Yield records up to the first that is damaged, and raise an error there."""
        taken, recent = self._taken, self._recent
        for cells in csv.reader(self._lines(), strict=True, **self._options):
            if len(taken) == 1:
                recent.append(cells)
            else:
                if not self._is_record(cells):
                    raise csv.Error
                self._size = 0
            yield cells, None
            taken.clear()

    def _lines(self) -> Iterator[str]:
        """Yield the lines of the file, and remember those of the current record."""
        taken, again, readline = self._taken, self._again, self._readline
        while True:
            if again:
                line = again.popleft()
            else:
                line = readline(_MAX_CHARACTERS)
                if len(line) == _MAX_CHARACTERS and not line.endswith("\n"):
                    self._skip_line()
                    line = _LongLine(line[:_SHOWN_CHARACTERS])
            if not line:
                return
            taken.append(line)
            if len(taken) > 1:
                self._size += len(line)
            if self._size > _MAX_CHARACTERS or line.__class__ is _LongLine:
                raise _OversizedError("a record is too long")
            yield line

    def _skip_line(self) -> None:
        while part := self._readline(_MAX_CHARACTERS):
            if part.endswith("\n"):
                return

    def _forget(self) -> list[str]:
        """Return the lines of the current record, and begin a new one."""
        lines = self._taken.copy()
        self._taken.clear()
        self._size = 0
        return lines

    def _recovered(self) -> Iterator[Record]:
        """Yield what can be read of the lines of a damaged record; other lines are read again."""
        first, *others = self._forget()
        if others:
            self._again.extendleft(reversed(others))
            yield self._literal(first), MALFORMED
        elif isinstance(first, _LongLine):
            yield [first], OVERSIZED
        else:
            yield from self._one_line(first)

    def _one_line(self, line: str) -> Iterator[Record]:
        text = line.rstrip("\r\n")
        rows = [self._lenient(part) for part in text.split("\r") if part]
        if all(row is not None and len(row) == len(self.header) for row in rows):
            yield from ((row, None) for row in rows if row is not None)
            return
        cells = self._lenient(text.replace("\r", " "))
        if cells is None or len(cells) != len(self.header):
            yield self._literal(line), MALFORMED
        else:
            yield cells, None

    def _lenient(self, line: str) -> list[str] | None:
        """Return the cells of a line, where quotes may stand in cells; None if one is not closed.

        >>> records = Records(lambda size: "", Layout(delimiter=","))
        >>> records._lenient('1,"27" screen"')
        ['1', '27 screen"']
        """
        try:
            return next(csv.reader([line], strict=True, **self._options), [])
        except csv.Error as error:
            if "unexpected end" in str(error):
                return None
        return next(csv.reader([line], **self._options), [])

    def _literal(self, line: str) -> list[str]:
        return line.rstrip("\r\n").split(self._delimiter)

    def _is_record(self, cells: list[str]) -> bool:
        """True if some lines are one record, False if they are rows that a stray quote joined.

        Lines that a stray quote joined have the delimiters of a row each, and begin or end like
        other rows: with an id, a date or a label.
        """
        width = len(self.header)
        if len(cells) != width:
            return False
        if width == 1 or any(line.count(self._delimiter) != width - 1 for line in self._taken):
            return True
        inner = [self._literal(line) for line in self._taken[1:-1]]
        recent = [row for row in self._recent if len(row) == width]
        judged = False
        for column in (0, -1):
            cells = [row[column] for row in recent]
            # Labels repeat; ids and dates do not, but look alike.
            look = str if len(set(cells)) * 2 <= len(cells) else _shape
            usual = set(map(look, cells))
            if cells and (look is str or len(usual) <= _SHAPES):
                judged = True
                if inner and all(look(row[column]) in usual for row in inner):
                    return False
        return judged or len(inner) < _ROWS_IN_A_CELL


def _shape(cell: str) -> str:
    """Return a cell with its letters and digits counted as one each.

    >>> _shape("2024-01-31 track_parcel")
    '9-9-9 a_a'
    """
    return _DIGITS.sub("9", _LETTERS.sub("a", cell.strip()))
