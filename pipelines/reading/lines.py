"""Split files of lines into byte ranges, and read the lines of a range."""

from collections.abc import Iterator
from typing import BinaryIO

from advin.pipelines.reading.decompress import compression_of
from advin.pipelines.reading.files import InputFile
from advin.pipelines.reading.rows import Piece

# Size of the byte ranges of an uncompressed file.
_RANGE_BYTES = 64 << 20
# Longest line. The rest of a longer one is skipped, and the row has the problem "oversized".
_LINE_BYTES = 1 << 20
_BOM = b"\xef\xbb\xbf"


def byte_ranges(file: InputFile) -> Iterator[Piece]:
    """Split a file into byte ranges; a compressed file is one range."""
    step = file.size if compression_of(file.path) else _RANGE_BYTES
    for start in range(0, file.size, step):
        yield Piece(file.path, file.format, start, min(start + step, file.size))


def read_lines(stream: BinaryIO, piece: Piece) -> Iterator[tuple[int, bytes, bool]]:
    """Yield (byte offset, line, True if it is complete) of each line that begins in the piece."""
    compressed = bool(compression_of(piece.path))
    position = piece.start
    if position:
        # A line that began before this range belongs to the previous range.
        stream.seek(position - 1)
        position += _skip_line(stream) - 1
    while compressed or position < piece.stop:
        line = stream.readline(_LINE_BYTES)
        if not line:
            return
        start, whole = position, True
        position += len(line)
        if len(line) == _LINE_BYTES and not line.endswith(b"\n"):
            whole = False
            position += _skip_line(stream)
        if start == 0:
            line = line.removeprefix(_BOM)
        yield start, line.rstrip(b"\r\n"), whole


def _skip_line(stream: BinaryIO) -> int:
    """Skip the rest of a line, and return the number of bytes skipped."""
    skipped = 0
    while part := stream.readline(_LINE_BYTES):
        skipped += len(part)
        if part.endswith(b"\n"):
            break
    return skipped
