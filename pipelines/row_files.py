"""Files of the rows of a piece, which stage ingest writes and stage rows reads.

Each piece of an input gives one file, named after the piece. So a retry replaces an equal file, and
the files do not depend on the engine or the number of workers. Rows are written in batches, so
memory does not grow with the piece, nor with the rows of one text.
"""

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from advin.discovery.text.config import MaskingConfig
from advin.pipelines import storage
from advin.pipelines.reading.extra import CellRow
from advin.pipelines.reading.row_columns import ExtraColumn
from advin.pipelines.reading.rows import Piece, Row
from advin.pipelines.row_values import (
    CellGroup,
    final_type,
    masker,
    native_array,
    piece_array,
    piece_type,
    time_array,
)
from advin.schemas.stage_files import INGEST_ROWS

# Rows that are written and read at once.
BATCH_ROWS = 16_384
_COLUMNS = b"columns"


@dataclasses.dataclass(frozen=True)
class RowTarget:
    """Where and how stage ingest writes rows.

    Attributes:
        folder: folder of the files.
        columns: columns of the log that the rows hold, in the order of `Columns.extra`.
        masking: how their texts are masked.
    """

    folder: str
    columns: Sequence[ExtraColumn]
    masking: MaskingConfig

    @contextlib.contextmanager
    def open(self, piece: Piece) -> Iterator["RowFile"]:
        """Yield the file of a piece; it appears when the block ends without an error."""
        path = storage.join(self.folder, piece.rows_name)
        with storage.open_parquet(path, piece_schema(self.columns)) as writer:
            file = RowFile(self, writer)
            yield file
            file.finish()


class RowFile:
    """The file of the rows of a piece, while it is written.

    Attributes:
        unreadable_times: times that cannot be read, so far.
    """

    def __init__(self, target: RowTarget, writer: Any) -> None:
        """Write through a Parquet writer."""
        self.unreadable_times = 0
        self._target, self._writer, self._mask = target, writer, masker(target.masking)
        self._rows: list[tuple[str, int, bytes, bool]] = []
        self._extra: list[tuple[Any, ...]] = []
        self._kinds: list[set[str]] = [set() for _ in target.columns]

    def add(self, row: Row, utterance: str, is_other: bool) -> None:
        """Add a row, given the id of its utterance, and if another speaker says it."""
        self._rows.append((row.source, row.position, bytes.fromhex(utterance), is_other))
        self._extra.append(row.extra)
        if len(self._rows) == BATCH_ROWS:
            self._flush()

    def finish(self) -> None:
        """Write what is left, and the kinds of the values of each column."""
        self._flush()
        found = [
            {"name": c.name, "path": c.path, "masked": c.masked, "native": c.kind is not None}
            | {"kinds": sorted(kinds)}
            for c, kinds in zip(self._target.columns, self._kinds, strict=True)
        ]
        self._writer.add_key_value_metadata({_COLUMNS: json.dumps(found)})

    def _flush(self) -> None:
        if not self._rows:
            return
        schema = piece_schema(self._target.columns)
        fixed = zip(zip(*self._rows, strict=True), INGEST_ROWS, strict=True)
        arrays = [pa.array(values, field.type) for values, field in fixed]
        groups = _groups(self._extra)
        for i, column in enumerate(self._target.columns):
            values: Any
            if column.kind is not None:
                values = native_array(column, groups, i)
            else:
                values = [_value(extra, i) for extra in self._extra]
            if column.name == "time":
                array, unreadable = time_array(column, values)
                self.unreadable_times += unreadable
            else:
                array = piece_array(column, values, self._mask, self._kinds[i])
            arrays.append(array)
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
        self._rows.clear()
        self._extra.clear()


def _groups(extra: Sequence[tuple[Any, ...]]) -> list[CellGroup]:
    """Return rows one after another that lie in one batch of Parquet together."""
    found: list[CellGroup] = []
    for row in extra:
        cells, at = row[:2] if isinstance(row, CellRow) else (None, 0)
        if found and found[-1][0] is cells:
            found[-1][1].append(at)
        else:
            found.append((cells, [at]))
    return found


def _value(extra: tuple[Any, ...], i: int) -> Any:
    values = extra.others if isinstance(extra, CellRow) else extra
    return values[i] if values else None


def piece_schema(columns: Sequence[ExtraColumn]) -> pa.Schema:
    """Return the schema of the files of rows, given the columns of the log."""
    extra = [pa.field(f"c{i}", piece_type(column)) for i, column in enumerate(columns)]
    return pa.schema([*INGEST_ROWS, *extra])


def final_columns(paths: Sequence[str]) -> list[tuple[ExtraColumn, pa.DataType]]:
    """Return the columns of the log in the files of all pieces, with their types in the table."""
    if not paths:
        return []
    schema, metadata = storage.parquet_schema(paths[0])
    columns = [
        ExtraColumn(
            found["name"],
            found["path"],
            schema.field(f"c{i}").type if found["native"] else None,
            found["masked"],
        )
        for i, found in enumerate(json.loads(metadata[_COLUMNS]))
    ]
    kinds: list[set[str]] = [set() for _ in columns]
    # The footers of all files are read only if the types depend on them.
    if any(column.kind is None and column.name != "time" for column in columns):
        for path in paths:
            for known, found in zip(kinds, _found_in(path), strict=True):
                known.update(found["kinds"])
    return [(c, final_type(c, known)) for c, known in zip(columns, kinds, strict=True)]


def _found_in(path: str) -> list[dict[str, Any]]:
    return json.loads(storage.parquet_schema(path)[1][_COLUMNS])
