"""How the bytes of a file become rows: what its name does not say, and its first bytes do."""

from dataclasses import dataclass

from advin.pipelines.reading.encodings import UTF8
from advin.pipelines.reading.exports import EXPORTS

COMMA, TAB = ",", "\t"
_DELIMITER_NAMES = {COMMA: "commas", TAB: "tabs", ";": "semicolons", "|": "vertical bars"}


@dataclass(frozen=True, slots=True)
class Layout:
    """How the bytes of a file become rows.

    Attributes:
        encoding: name of a codec of Python; UTF-8 with a mark is UTF-8.
        delimiter: character between two cells; empty for formats without cells.
        quoted: True if quotes delimit cells, False if they are ordinary characters.
        line_end: last character of a line: a line feed, or a carriage return.
        skipped: lines before the header.
        sheet: name of the sheet of a workbook.
        export: name of the export in `exports.EXPORTS` that the file belongs to; None for rows with
            columns.
        array: byte offset of the array that holds the rows of a JSON file; None if there is none.
        hypotheses: True if texts are n-best lists, of which the most confident text is read.
    """

    encoding: str = UTF8
    delimiter: str = ""
    quoted: bool = True
    line_end: str = "\n"
    skipped: int = 0
    sheet: str = ""
    export: str | None = None
    array: int | None = None
    hypotheses: bool = False

    @property
    def is_usual(self) -> bool:
        """True if the text is UTF-8 and its lines end in line feeds."""
        return self.encoding == UTF8 and self.line_end == "\n"

    def __str__(self) -> str:
        """Return a description for a log line: "cp1252, semicolons"."""
        parts = []
        if self.sheet:
            parts.append(f"sheet {self.sheet!r}")
        else:
            parts.append(
                self.encoding.upper() if self.encoding.startswith("utf") else self.encoding
            )
        if self.delimiter:
            parts.append(_DELIMITER_NAMES.get(self.delimiter, f"delimiter {self.delimiter!r}"))
            if not self.quoted:
                parts.append("quotes are ordinary characters")
        if self.line_end == "\r":
            parts.append("lines end in carriage returns")
        if self.skipped:
            parts.append(f"{self.skipped} line(s) before the header")
        if self.export:
            parts.append(f"read as {EXPORTS[self.export].title}")
        if self.hypotheses:
            parts.append("best text of each n-best list")
        return ", ".join(parts)
