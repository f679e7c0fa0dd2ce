"""Rows of an input, and the pieces of files that are read independently."""

from typing import NamedTuple

from advin.pipelines.reading.files import InputFile

# Longest text of a row that is kept for a message.
_MAX_BYTES = 1 << 20


class Row(NamedTuple):
    """One row of an input.

    Attributes:
        source: name of the file.
        position: number of the row in files of cells; byte offset of the line in other files, in
            the decompressed text in UTF-8.
        text: the text as it stands in the file; for a row with a problem, the readable part of it.
        intent: label; None without one.
        domain: domain of the label; None without one.
        problem: reason for which the row is rejected; None if it is readable.
    """

    source: str
    position: int
    text: str | None
    intent: str | None = None
    domain: str | None = None
    problem: str | None = None


class Piece(NamedTuple):
    """A part of a file that is read by itself.

    Attributes:
        file: the file.
        start: first row group of Parquet, or first byte of other formats.
        stop: end of the range, exclusive.
    """

    file: InputFile
    start: int
    stop: int


def decoded(
    source: str, position: int, text: bytes | None, intent: bytes | None, domain: bytes | None
) -> Row:
    """Return a row whose fields are given as UTF-8."""
    if text is None:
        return Row(source, position, None, problem="null")
    try:
        fields = [v.decode() if v is not None else None for v in (text, intent, domain)]
    except UnicodeDecodeError:
        return Row(source, position, escaped(text), problem="invalid_utf8")
    return Row(source, position, *fields)


def escaped(data: bytes) -> str:
    """Return bytes as text, with escapes in place of invalid bytes."""
    return data[:_MAX_BYTES].decode("utf-8", "backslashreplace")
