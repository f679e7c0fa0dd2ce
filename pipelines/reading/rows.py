"""Rows of an input, and the pieces of files that are read independently."""

from typing import Any, NamedTuple

from advin.pipelines.reading.cells import cell_text, may_hold_json, problem_of
from advin.pipelines.reading.files import InputFile

# Problems that several readers find.
MALFORMED, OVERSIZED = "malformed", "oversized"
# Longest text of a row that is kept for a message.
_MAX_BYTES = 1 << 20


class Row(NamedTuple):
    """One row of an input.

    Attributes:
        source: name of the file.
        position: number of the row in files of cells; byte offset of the line in other files, in
            the decompressed text in UTF-8. Further texts of a row have higher positions, see
            `nested.ELEMENT`.
        text: the text as it stands in the file; for a row with a problem, the readable part of it.
        intent: label; None without one.
        domain: domain of the label; None without one.
        problem: reason for which the row is rejected; None if it is readable.
        extra: values of `Columns.extra`, see `reading.extra`; () if the row has none.
    """

    source: str
    position: int
    text: str | None
    intent: str | None = None
    domain: str | None = None
    problem: str | None = None
    extra: tuple[Any, ...] = ()


class Piece(NamedTuple):
    """A part of a file that is read by itself.

    Attributes:
        file: the file.
        start: first row group of Parquet, or first byte of other formats.
        stop: end of the range, exclusive.
        number: number of the file among the files of the input.
    """

    file: InputFile
    start: int
    stop: int
    number: int = 0

    @property
    def rows_name(self) -> str:
        """The name of the Parquet file that holds the rows of the piece; names sort in order."""
        return f"file-{self.number:06d}-from-{self.start:015d}.parquet"


def decoded(
    source: str, position: int, text: bytes | None, intent: bytes | None, domain: bytes | None
) -> Row:
    """Return a row whose fields are given as UTF-8."""
    if text is None:
        return Row(source, position, None, problem="null")
    try:
        plain: str | None = text.decode()
        intent_text = None if intent is None else intent.decode()
        domain_text = None if domain is None else domain.decode()
    except UnicodeDecodeError:
        return rejected(source, position, text, "invalid_utf8")
    if may_hold_json(plain or ""):
        plain, problem = cell_text(plain)
        if problem is not None:
            return rejected(source, position, text, problem)
    return Row(source, position, plain, intent_text, domain_text)


def row_of(source: str, position: int, fields: list[str | None]) -> Row:
    """Return a row whose text, intent and domain are strings. Invalid bytes are lone surrogates."""
    text, intent, domain = fields
    problem = problem_of(fields)
    if problem is None and may_hold_json(text or ""):
        text, problem = cell_text(text)
    if problem is None:
        return Row(source, position, text, intent, domain)
    return Row(source, position, printable(fields[0] or ""), problem=problem)


def rejected(source: str, position: int, data: bytes, problem: str) -> Row:
    """Return a row that cannot be used, with its readable part."""
    return Row(source, position, escaped(data), problem=problem)


def printable(text: str) -> str:
    """Return a text with escapes in place of lone surrogates that stand for invalid bytes."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def escaped(data: bytes) -> str:
    """Return bytes as text, with escapes in place of invalid bytes."""
    return data[:_MAX_BYTES].decode("utf-8", "backslashreplace")
