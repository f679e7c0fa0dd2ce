"""Split files into pieces, and read the rows of a piece.

Each row of a file becomes one `Row`. A row that cannot be read has a `problem`. No row is dropped.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, BinaryIO

from advin.pipelines.reading import delimited, json_rows, parquet, plain_text, sheets, training
from advin.pipelines.reading.columns import Columns
from advin.pipelines.reading.decompress import DamagedError
from advin.pipelines.reading.dialects import DELIMITERS
from advin.pipelines.reading.extra import CellRow
from advin.pipelines.reading.files import InputFile
from advin.pipelines.reading.lines import byte_ranges
from advin.pipelines.reading.partitions import extra_values, inner_columns, partition_values
from advin.pipelines.reading.rows import Piece, Row
from advin.pipelines.reading.streams import open_stream

# The reader of each format: each reads the rows of a piece.
_READERS: dict[str, Callable[[BinaryIO, Piece, Columns], Iterator[Row]]] = {
    **dict.fromkeys(DELIMITERS, delimited.read_rows),
    "parquet": parquet.read_rows,
    "xlsx": sheets.read_rows,
    "jsonl": json_rows.read_rows,
    "json": json_rows.read_values,
    "text": plain_text.read_rows,
    "yaml": training.read_nlu,
    "utterances": training.read_utterances,
    "conversation": training.read_conversation,
}
# Formats in which a line is a row, so that ranges of bytes can be read.
_BY_LINE = ("jsonl", "text")


def split_file(file: InputFile, number: int = 0) -> Iterator[Piece]:
    """Split a file, given its number in the input, into pieces that can be read independently."""
    if file.format == "parquet":
        with open_stream(file) as stream:
            groups = parquet.row_groups(stream)
        for group in range(groups):
            yield Piece(file, group, group + 1, number)
    elif file.format in _BY_LINE:
        yield from (piece._replace(number=number) for piece in byte_ranges(file))
    else:
        yield Piece(file, 0, file.size, number)


def read_piece(piece: Piece, columns: Columns) -> Iterator[Row]:
    """Read the rows of a piece, in their order in the file.

    If the file is damaged, the rows before the damage are read, and one row with the problem
    "damaged_file" stands for all that follow.
    """
    columns = replace(columns, export=piece.file.layout.export)
    given = partition_values(piece.file.path, columns)
    in_folders = extra_values(piece.file.path, columns)
    columns = inner_columns(piece.file.path, columns)
    row = None
    try:
        with open_stream(piece.file) as stream:
            for row in _READERS[piece.file.format](stream, piece, columns):
                found = _labeled(row, given) if given else row
                yield _with_extra(found, in_folders, columns) if in_folders else found
    except DamagedError as error:
        position = piece.start if row is None else row.position + 1
        yield Row(piece.file.name, position, f"reading ended here: {error}", problem="damaged_file")


def _with_extra(row: Row, found: dict[int, Any], columns: Columns) -> Row:
    own = row.extra.others if isinstance(row.extra, CellRow) else row.extra
    values = list(own or (None,) * len(columns.extra))
    for i, value in found.items():
        values[i] = value
    if isinstance(row.extra, CellRow):
        return row._replace(extra=row.extra._replace(others=tuple(values)))
    return row._replace(extra=tuple(values))


def _labeled(row: Row, given: dict[str, str | None]) -> Row:
    intent, domain = given.get("intent", row.intent), given.get("domain", row.domain)
    return row._replace(intent=intent, domain=domain)
