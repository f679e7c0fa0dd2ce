"""Split a JSON file into its rows without reading it whole.

The rows are the values of the file one after another, or the elements of an array. A scanner finds
the end of each row by brackets and quotes, and the caller parses one row at a time. So memory is
bounded by the longest row, each row has a byte offset, and a broken row does not end the file.
"""

import io
import itertools
import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from advin.pipelines.reading.paths import NotJsonError, parse_json

_CHUNK_BYTES = 1 << 18
# Longest row. The rest of a longer one is skipped.
ROW_BYTES = 64 << 20
# The next token outside and inside a string, with all that precedes it. Outside, strings without
# an escape are skipped; commas are tokens only between the elements of the array.
_OUTSIDE = re.compile(rb'(?:[^"{}\[\]]++|"[^"\\\n]*+")*+(["{}\[\]])')
_BETWEEN = re.compile(rb'(?:[^"{}\[\],]++|"[^"\\\n]*+")*+(["{}\[\],])')
_INSIDE = re.compile(rb'[^"\\\n]*+(["\\\n])')
# A string, with the bracket of the array of objects that it names as a member; or a bracket.
_TOKEN = re.compile(
    rb'"(?P<name>(?:[^"\\\n]|\\.)*+)(?:"(?P<array>\s*:\s*\[(?=\s*\{))?)?'
    rb"|(?P<open>[{\[])|(?P<close>[}\]])"
)
_FIRST_KEY = re.compile(rb'\{\s*("[^"\\]{1,200}"\s*:)')
# What may stand between two rows: also the record separator of RFC 7464.
_SPACE = b" \t\r\n,\x1e"


class JsonValue(NamedTuple):
    """A row as bytes.

    Attributes:
        position: byte offset of the row in the file.
        data: its bytes, without surrounding space; cut if it is not whole.
        whole: True if the row ends within the limit.
    """

    position: int
    data: bytes
    whole: bool


def json_values(stream: BinaryIO, array: int | None) -> Iterator[JsonValue]:
    """Yield the rows of a JSON file.

    Args:
        stream: the file.
        array: byte offset of the array that holds the rows; None if the rows are the values of the
            file, one after another.
    """
    scanner = _Scanner(array)
    _skip(stream, scanner.offset)
    while chunk := stream.read(_CHUNK_BYTES):
        yield from scanner.feed(chunk)
        if scanner.ended:
            return
    yield from scanner.finish()


def array_members(head: bytes) -> dict[str, int]:
    """Return the byte offset of each array of objects that the object of a file has as a member.

    Args:
        head: the first bytes of the file.
    """
    found: dict[str, int] = {}
    depth, at = 0, 0
    while match := _TOKEN.search(head, at):
        at = match.end()
        if match["array"] and depth == 1:
            found[match["name"].decode("utf-8", "backslashreplace")] = match.end() - 1
        depth += (match["open"] is not None or match["array"] is not None) - bool(match["close"])
    return found


def parsed_head(head: bytes, array: int | None, limit: int) -> list[object]:
    """Return the first values of a file that can be parsed, at most `limit`.

    Args:
        head: the first bytes of the file.
        array: as in `json_values`.
        limit: largest number of values.
    """
    found = (value for row in json_values(io.BytesIO(head), array) for value in _parsed(row))
    return list(itertools.islice(found, limit))


def _parsed(row: JsonValue) -> Iterator[object]:
    """Yield the value of a row, or those of its parts; nothing if it is broken or cut."""
    try:
        yield parse_json(row.data.decode())
    except (UnicodeDecodeError, NotJsonError):
        for part in parts_of_broken(row):
            if part.data != row.data:
                yield from _parsed(part)


def parts_of_broken(row: JsonValue) -> Iterator[JsonValue]:
    """Yield the parts of a row that is not JSON: a missing bracket hides the rows that follow it.

    A part begins with the same key as the row, which objects inside the row rarely do.
    """
    first = _FIRST_KEY.match(row.data)
    if first is None:
        yield row
        return
    begin = 0
    for match in re.finditer(rb",\s*(?=\{\s*" + re.escape(first[1]) + rb")", row.data):
        yield JsonValue(row.position + begin, row.data[begin : match.start()].rstrip(), True)
        begin = match.end()
    yield JsonValue(row.position + begin, row.data[begin:].rstrip(b"] \t\r\n"), True)


class _Scanner:
    """Finds the ends of rows in the chunks of a file.

    Attributes:
        offset: byte offset of the next chunk.
        ended: True after the end of the array.
    """

    def __init__(self, array: int | None) -> None:
        self.offset = 0 if array is None else array + 1
        self.ended = False
        self._in_array = array is not None
        self._depth = 0
        self._quoted = False
        self._skip = 0  # bytes of the next chunk that belong to an escape
        self._row = bytearray()
        self._start = self.offset  # offset of the first byte of the row

    def feed(self, chunk: bytes) -> Iterator[JsonValue]:
        """Yield the rows that end in the next chunk."""
        begin, at, self._skip = 0, self._skip, 0
        while match := self._next_token().match(chunk, at):
            at = match.end()
            end = self._end_of_row(match)
            if end is not None:
                yield from self._cut(chunk[begin:end], self.offset + at)
                begin = at
            if self.ended:
                return
            at += match[1] == b"\\"
        self._skip = max(0, at - len(chunk))
        self._keep(chunk[begin:])
        self.offset += len(chunk)

    def finish(self) -> Iterator[JsonValue]:
        """Yield the row that the end of the file cuts."""
        yield from self._cut(b"", self.offset)

    def _next_token(self) -> re.Pattern[bytes]:
        if self._quoted:
            return _INSIDE
        return _BETWEEN if self._in_array and self._depth == 0 else _OUTSIDE

    def _end_of_row(self, match: re.Match[bytes]) -> int | None:
        """Advance by a token; return where the row ends in the chunk, None if it goes on."""
        token = match[1]
        if self._quoted:
            # A string holds no line break, so a string without its closing quote ends there.
            self._quoted = token == b"\\"
        elif token == b'"':
            self._quoted = True
        elif token in b"{[":
            self._depth += 1
        elif token == b",":
            return match.start(1)
        elif self._depth:
            self._depth -= 1
            return match.end() if self._depth == 0 and not self._in_array else None
        elif self._in_array and token == b"]":
            self.ended = True
            return match.start(1)
        return None

    def _keep(self, data: bytes) -> None:
        self._row += data[: max(0, ROW_BYTES + 1 - len(self._row))]

    def _cut(self, data: bytes, following: int) -> Iterator[JsonValue]:
        self._keep(data)
        row, start = bytes(self._row), self._start
        self._row.clear()
        self._start = following
        bare = row.lstrip(_SPACE)
        if bare:
            position = start + len(row) - len(bare)
            yield JsonValue(position, bare[:ROW_BYTES].rstrip(_SPACE), len(row) <= ROW_BYTES)


def _skip(stream: BinaryIO, count: int) -> None:
    while count and (chunk := stream.read(min(count, _CHUNK_BYTES))):
        count -= len(chunk)
