"""Read plain text: each line is an utterance."""

from advin.pipelines.reading.columns import Columns
from advin.pipelines.reading.rows import Row, decoded


def parse_line(source: str, position: int, line: bytes, columns: Columns) -> tuple[Row]:
    """Return the row of a line."""
    return (decoded(source, position, line, None, None),)
