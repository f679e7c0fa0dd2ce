"""Split files into pieces, and read the rows of a piece.

Each row of a file becomes one `Row`. A row that cannot be read has a `problem`. No row is dropped.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import BinaryIO

from advin.pipelines.reading import delimited, json_rows, parquet, plain_text, sheets, training
from advin.pipelines.reading.columns import Columns
from advin.pipelines.reading.decompress import DamagedError
from advin.pipelines.reading.dialects import DELIMITERS
from advin.pipelines.reading.files import InputFile
from advin.pipelines.reading.lines import byte_ranges, read_lines
from advin.pipelines.reading.rows import Piece, Row, escaped
from advin.pipelines.reading.streams import open_stream

Reader = Callable[[BinaryIO, Piece, Columns], Iterator[Row]]

# Readers of formats that are read from the beginning of a file to its end.
_WHOLE_FILES: dict[str, Reader] = {
    **dict.fromkeys(DELIMITERS, delimited.read_rows),
    "xlsx": sheets.read_rows,
    "json": json_rows.read_values,
    "yaml": training.read_nlu,
    "utterances": training.read_utterances,
    "conversation": training.read_conversation,
}


def split_file(file: InputFile) -> Iterator[Piece]:
    """Split a file into pieces that can be read independently."""
    if file.format == "parquet":
        with open_stream(file) as stream:
            groups = parquet.row_groups(stream)
        for group in range(groups):
            yield Piece(file, group, group + 1)
    elif file.format in _WHOLE_FILES:
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
    columns = replace(columns, export=file.layout.export)
    with open_stream(file) as stream:
        if file.format == "parquet":
            yield from parquet.read_rows(stream, piece, columns)
        elif file.format in _WHOLE_FILES:
            yield from _WHOLE_FILES[file.format](stream, piece, columns)
        else:
            parse = json_rows.parse_line if file.format == "jsonl" else plain_text.parse_line
            for position, line, whole in read_lines(stream, piece):
                if whole:
                    yield from parse(source, position, line, columns)
                else:
                    yield Row(source, position, escaped(line), problem="oversized")
