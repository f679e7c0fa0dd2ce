"""Split files of lines into byte ranges, and read the lines of a range."""

from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import BinaryIO

from advin.pipelines.reading.files import InputFile
from advin.pipelines.reading.rows import Piece

# Size of the byte ranges of a file.
_RANGE_BYTES = 64 << 20
# Longest line. The rest of a longer one is skipped, and the row has the problem "oversized".
_LINE_BYTES = 1 << 20


def byte_ranges(file: InputFile) -> Iterator[Piece]:
    """Split a file into byte ranges; a file that is compressed or recoded is one range."""
    step = _RANGE_BYTES if file.is_plain else file.size
    for start in range(0, file.size, step):
        yield Piece(file, start, min(start + step, file.size))


def read_lines(stream: BinaryIO, piece: Piece) -> Iterator[tuple[int, bytes, bool]]:
    """Yield (byte offset, line, True if it is complete) of each line that begins in the piece."""
    is_whole_file = not piece.file.is_plain
    position = piece.start
    if position:
        # A line that began before this range belongs to the previous range.
        stream.seek(position - 1)
        position += _skip_line(stream) - 1
    while is_whole_file or position < piece.stop:
        line = stream.readline(_LINE_BYTES)
        if not line:
            return
        start, whole = position, True
        position += len(line)
        if len(line) == _LINE_BYTES and not line.endswith(b"\n"):
            whole = False
            position += _skip_line(stream)
        if start == 0:
            line = line.removeprefix(BOM_UTF8)
        line = line.rstrip(b"\r\n")
        if b"\r" in line:
            yield from _split(line, start, whole)
        else:
            yield start, line, whole


def _split(line: bytes, start: int, whole: bool) -> Iterator[tuple[int, bytes, bool]]:
    """Yield the lines that single carriage returns end."""
    *parts, last = line.split(b"\r")
    for part in parts:
        yield start, part, True
        start += len(part) + 1
    yield start, last, whole


def _skip_line(stream: BinaryIO) -> int:
    """Skip the rest of a line, and return the number of bytes skipped."""
    skipped = 0
    while part := stream.readline(_LINE_BYTES):
        skipped += len(part)
        if part.endswith(b"\n"):
            break
    return skipped
