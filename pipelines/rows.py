"""Stage rows: give each row of the log the verdict on its utterance, in the table rows.

Stage ingest has written the rows of each piece of the log in their order. This stage maps each of
these files to one of the table, without a shuffle. For that, each process holds one lookup of all
distinct utterances: 16 bytes of the id and 4 bytes of a code, 20 bytes in all for each.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.utils.shared import Shared

from advin.discovery.text.config import MaskingConfig
from advin.pipelines import storage
from advin.pipelines.counters import RowsCounters
from advin.pipelines.errors import SettingsError
from advin.pipelines.reading.row_columns import ExtraColumn
from advin.pipelines.row_files import BATCH_ROWS, final_columns
from advin.pipelines.row_values import final_array, masker
from advin.pipelines.shards import read_shard, shards_of
from advin.pipelines.stages import Part
from advin.schemas import tables
from advin.schemas.fields import field
from advin.schemas.verdicts import OTHER_SPEAKER, kind_of

_OF_VERDICT = ("reason", "intent_id", "domain_id")


@dataclasses.dataclass
class Rows(beam.PTransform):
    """Write the table rows; return the names of the files.

    Attributes:
        pieces: the rows of each piece of the log.
        assignments: the table assignments.
        masking: how texts of the log's columns are masked.
        target: folder of the table.
    """

    pieces: Part
    assignments: Part
    masking: MaskingConfig
    target: str

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """Map the files of the pieces."""
        return (
            pipeline
            | "Pieces" >> beam.Create([self.pieces], reshuffle=False)
            | "Files" >> beam.FlatMap(Part.files).with_output_types(str)
            | "Share" >> beam.Reshuffle()
            | "Join" >> beam.ParDo(_JoinPiece(self, Shared()))
        )


class _JoinPiece(beam.DoFn):
    def __init__(self, rows: Rows, shared: Shared):
        self._pieces, self._assignments = rows.pieces, rows.assignments
        self._masking, self._target, self._shared = rows.masking, rows.target, shared

    def setup(self) -> None:
        # Threads of one process share the lookup.
        self._verdicts = self._shared.acquire(lambda: Verdicts.read(self._assignments))
        paths = [storage.join(self._pieces.folder, name) for name in self._pieces.files()]
        self._columns, self._mask = final_columns(paths), masker(self._masking)
        self._schema = rows_schema(self._columns)

    def process(self, name: str) -> Iterator[str]:
        source = storage.join(self._pieces.folder, name)
        with storage.open_parquet(storage.join(self._target, name), self._schema) as writer:
            for batch in storage.iter_parquet(source, BATCH_ROWS):
                found = self._verdicts.of(batch)
                table = self._joined(batch, found)
                writer.write_table(table)
                RowsCounters(
                    rows_written=batch.num_rows,
                    rows_in_an_intent=batch.num_rows - table["intent_id"].null_count,
                ).add()
        yield name

    def _joined(self, batch: pa.RecordBatch, verdicts: dict[str, pa.Array]) -> pa.Table:
        ids = batch.column("utterance_id").to_pylist()
        arrays = {
            "source": batch.column("source"),
            "position": batch.column("position"),
            "utterance_id": pa.array([identity.hex() for identity in ids], pa.string()),
            **verdicts,
        }
        for i, (column, kind) in enumerate(self._columns):
            values = batch.column(f"c{i}")
            arrays[column.name] = final_array(column, values, kind, self._mask)
        absent = {f.name: pa.nulls(batch.num_rows, f.type) for f in self._schema}
        columns = [arrays.get(name, null) for name, null in absent.items()]
        return pa.Table.from_arrays(columns, schema=self._schema)


def rows_schema(columns: Sequence[tuple[ExtraColumn, pa.DataType]]) -> pa.Schema:
    """Return the schema of the table rows, given the columns of the log and their types."""
    given = {column.name: kind for column, kind in columns}
    fixed = [f.with_type(given.get(f.name, f.type)) for f in tables.ROWS]
    kept = [
        field(
            column.name,
            kind,
            f"Column {column.path} of the log" + (", masked." if column.masked else "."),
            nullable=True,
        )
        for column, kind in columns
        if column.name not in tables.ROWS.names
    ]
    return pa.schema([*fixed, *kept], metadata=tables.ROWS.metadata)


@dataclasses.dataclass(eq=False)
class Verdicts:
    """The verdicts on all distinct utterances of a log.

    Attributes:
        high: (n,) uint64, the first half of each utterance's id; sorted.
        low: (n,) uint64, the second half.
        codes: (n,) int32, the positions of their verdicts in `values`.
        values: kind, reason, intent_id and domain_id of each different verdict. The last one is
            that of rows of other speakers.
    """

    high: np.ndarray
    low: np.ndarray
    codes: np.ndarray
    values: dict[str, pa.Array]

    @classmethod
    def read(cls, assignments: Part) -> "Verdicts":
        """Read the table assignments, whose shards are sorted by id."""
        names = ["utterance_id", *_OF_VERDICT]
        return cls.of_batches(
            read_shard(assignments.folder, shard, names) for shard in shards_of(assignments)
        )

    @classmethod
    def of_batches(cls, batches: Iterator[pa.RecordBatch]) -> "Verdicts":
        """Return the verdicts in some batches of the table assignments, sorted by id."""
        ids, codes = [np.empty((0, 2), np.uint64)], [np.empty(0, np.int32)]
        known: dict[tuple[Any, ...], int] = {}
        for batch in batches:
            digits = bytes.fromhex("".join(batch.column("utterance_id").to_pylist()))
            ids.append(_halves(digits))
            rows = zip(*(batch.column(name).to_pylist() for name in _OF_VERDICT), strict=True)
            found = [known.setdefault(row, len(known)) for row in rows]
            codes.append(np.array(found, np.int32))
        columns = list(zip(*known, (OTHER_SPEAKER, None, None), strict=True))
        values = {
            name: pa.array(column, pa.string())
            for name, column in zip(_OF_VERDICT, columns, strict=True)
        }
        values["kind"] = pa.array([kind_of(reason) for reason in columns[0]], pa.string())
        both = np.concatenate(ids)
        high, low = (np.ascontiguousarray(both[:, i]) for i in range(2))
        return cls(high, low, np.concatenate(codes), values)

    def of(self, batch: pa.RecordBatch) -> dict[str, pa.Array]:
        """Return kind, reason, intent_id and domain_id of rows of a piece.

        Args:
            batch: as `schemas.stage_files.INGEST_ROWS`.

        Raises:
            SettingsError: if an utterance is not in the table assignments.
        """
        data = b"".join(batch.column("utterance_id").to_pylist())
        others = batch.column("is_other").to_numpy(zero_copy_only=False)
        codes = np.full(batch.num_rows, len(self.values["kind"]) - 1, np.int32)
        codes[~others] = self.codes[self._find(_halves(data)[~others])]
        taken = pa.array(codes)
        return {name: array.take(taken) for name, array in self.values.items()}

    def _find(self, ids: np.ndarray) -> np.ndarray:
        """Return the positions of ids, given as (n, 2) uint64."""
        at = np.searchsorted(self.high, ids[:, 0])
        last = len(self.high) - 1
        # Two ids with the same first half are next to each other.
        while True:
            inside = np.minimum(at, last)
            same = (self.high[inside] == ids[:, 0]) & (at <= last)
            missing = same & (self.low[inside] != ids[:, 1])
            if not missing.any():
                break
            at = at + missing
        if not same.all():
            absent = ids[~same][0]
            raise SettingsError(
                f"utterance {int(absent[0]):016x}{int(absent[1]):016x} of the log is not in the "
                "table assignments: delete the output folder and start again"
            )
        return at


def _halves(data: bytes) -> np.ndarray:
    """Return ids of 16 bytes as (n, 2) uint64 that sort like the ids."""
    return np.frombuffer(data, ">u8").reshape(-1, 2).astype(np.uint64)
