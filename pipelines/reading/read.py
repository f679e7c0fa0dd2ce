"""Split files into pieces, and read the rows of a piece.

Each row of a file becomes one `Row`. A row that cannot be read has a `problem`. No row is dropped.
"""

from collections.abc import Iterator

from advin.pipelines.reading import delimited, json_rows, parquet, plain_text
from advin.pipelines.reading.columns import Columns
from advin.pipelines.reading.decompress import open_stream
from advin.pipelines.reading.files import InputFile
from advin.pipelines.reading.lines import byte_ranges, read_lines
from advin.pipelines.reading.rows import Piece, Row, escaped


def split_file(file: InputFile) -> Iterator[Piece]:
    """Split a file into pieces that can be read independently."""
    if file.format == "parquet":
        with open_stream(file.path) as stream:
            groups = parquet.row_groups(stream)
        for group in range(groups):
            yield Piece(file.path, file.format, group, group + 1)
    elif file.format in delimited.DELIMITERS:
        yield Piece(file.path, file.format, 0, file.size)
    else:
        yield from byte_ranges(file)


def read_piece(piece: Piece, columns: Columns) -> Iterator[Row]:
    """Read the rows of a piece, in their order in the file."""
    with open_stream(piece.path) as stream:
        if piece.format == "parquet":
            yield from parquet.read_rows(stream, piece, columns)
        elif piece.format in delimited.DELIMITERS:
            yield from delimited.read_rows(stream, piece, columns)
        else:
            parse = json_rows.parse_line if piece.format == "jsonl" else plain_text.parse_line
            for position, line, whole in read_lines(stream, piece):
                if whole:
                    yield parse(piece.path, position, line, columns)
                else:
                    yield Row(piece.path, position, escaped(line), problem="oversized")
