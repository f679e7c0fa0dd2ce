"""Read files in tests as the stage ingest does, without a pipeline."""

from pathlib import Path

import pytest

from advin.pipelines.errors import SettingsError
from advin.pipelines.reading.columns import Columns
from advin.pipelines.reading.inputs import find_input
from advin.pipelines.reading.layout import Layout
from advin.pipelines.reading.read import read_piece, split_file
from advin.pipelines.reading.rows import Row


def read(path: str | Path, columns: Columns = Columns()) -> list[Row]:
    """Return all rows of an input."""
    return [
        row
        for file in find_input(str(path), columns, "--input")
        for piece in split_file(file)
        for row in read_piece(piece, columns)
    ]


def problems_of(path: str | Path, columns: Columns = Columns()) -> list[str | None]:
    """Return the problem of each row of an input."""
    return [row.problem for row in read(path, columns)]


def layout_of(path: str | Path, columns: Columns = Columns()) -> Layout:
    """Return the layout of the only file of an input."""
    (file,) = find_input(str(path), columns, "--input")
    return file.layout


def refusal(path: str | Path, columns: Columns = Columns(), flag: str = "--input") -> str:
    """Return the message with which an input is refused: one printable line."""
    with pytest.raises(SettingsError) as error:
        find_input(str(path), columns, flag)
    message = str(error.value)
    assert message.startswith(f"{flag}: ") and message.isprintable() and len(message) <= 300
    return message
