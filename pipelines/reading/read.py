"""Split files into pieces, and read the rows of a piece.

Each row of a file becomes one `Row`. A row that cannot be read has a `problem`. No row is dropped.
"""

from collections.abc import Iterator

from advin.pipelines.reading import delimited, json_rows, parquet, plain_text, sheets
from advin.pipelines.reading.columns import Columns
from advin.pipelines.reading.decompress import DamagedError
from advin.pipelines.reading.dialects import DELIMITERS
from advin.pipelines.reading.files import InputFile
from advin.pipelines.reading.lines import byte_ranges, read_lines
from advin.pipelines.reading.rows import Piece, Row, escaped
from advin.pipelines.reading.streams import open_stream


def split_file(file: InputFile) -> Iterator[Piece]:
    """Split a file into pieces that can be read independently."""
    if file.format == "parquet":
        with open_stream(file) as stream:
            groups = parquet.row_groups(stream)
        for group in range(groups):
            yield Piece(file, group, group + 1)
    elif file.format in DELIMITERS or file.format == "xlsx":
        yield Piece(file, 0, file.size)
    else:
        yield from byte_ranges(file)


def read_piece(piece: Piece, columns: Columns) -> Iterator[Row]:
    """Read the rows of a piece, in their order in the file.

    If the file is damaged, the rows before the damage are read, and one row with the problem
    "damaged_file" stands for all that follow.
    """
    position = piece.start
    try:
        for row in _read(piece, columns):
            yield row
            position = row.position + 1
    except DamagedError as error:
        yield Row(piece.file.name, position, f"reading ended here: {error}", problem="damaged_file")


def _read(piece: Piece, columns: Columns) -> Iterator[Row]:
    file = piece.file
    source = file.name
    with open_stream(file) as stream:
        if file.format == "parquet":
            yield from parquet.read_rows(stream, piece, columns)
        elif file.format == "xlsx":
            yield from sheets.read_rows(stream, source, file.layout.sheet, columns)
        elif file.format in DELIMITERS:
            yield from delimited.read_rows(stream, source, file.layout, columns)
        else:
            parse = json_rows.parse_line if file.format == "jsonl" else plain_text.parse_line
            for position, line, whole in read_lines(stream, piece):
                if whole:
                    yield parse(source, position, line, columns)
                else:
                    yield Row(source, position, escaped(line), problem="oversized")
