"""Read plain text: each line is an utterance."""

from collections.abc import Iterator
from typing import BinaryIO

from advin.pipelines.reading.columns import Columns
from advin.pipelines.reading.lines import read_lines
from advin.pipelines.reading.rows import OVERSIZED, Piece, Row, decoded, rejected


def read_rows(stream: BinaryIO, piece: Piece, columns: Columns) -> Iterator[Row]:
    """Read the rows of a range of bytes."""
    source = piece.file.name
    for position, line, whole in read_lines(stream, piece):
        if whole:
            yield decoded(source, position, line, None, None)
        else:
            yield rejected(source, position, line, OVERSIZED)
