"""Shards: the files between stages.

A shard is a range of hashed ids, and the number of shards follows from the number of rows alone.
Files with the same number hold the same utterances, sorted by id. So stages after ingest need no
shuffle: a worker reads the files of one shard and writes the next one.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

import apache_beam as beam
import pyarrow as pa
from apache_beam import pvalue

from advin.pipelines import storage
from advin.pipelines.stages import Part
from advin.schemas.ids import shard_of

# A shard has at most this many rows on average and at least half: some MB of vectors.
SHARD_ROWS = 16_384

L = TypeVar("L")


class Shard(NamedTuple):
    """One shard of a stage.

    Attributes:
        number: from 0.
        shards: number of shards in all.
    """

    number: int
    shards: int

    @property
    def name(self) -> str:
        """The name of the shard's file, the same in every stage."""
        return storage.shard_name(self.number, self.shards)


def shards_for(rows: int) -> int:
    """Return the number of shards for a number of rows, a power of two.

    >>> [shards_for(n) for n in (0, 16_384, 16_385, 100_000)]
    [1, 1, 2, 8]
    """
    return 1 << max(0, (rows - 1) // SHARD_ROWS).bit_length()


@dataclasses.dataclass
class WriteShards(beam.PTransform):
    """Write rows to one Parquet file for each shard, and return the names of the files.

    Elements are (hash, row): a hash of 32 hex digits, and a tuple in the order of the schema. Rows
    are sorted. An empty collection gives one empty file.

    Attributes:
        folder: folder of the files.
        schema: schema of the files.
        on_write: called with each table that is written.
    """

    folder: str
    schema: pa.Schema
    on_write: Callable[[pa.Table], None] = lambda table: None

    def expand(self, rows: beam.PCollection) -> beam.PCollection:
        """Count the rows, group them by shard and write them."""
        shards = (
            rows | "CountRows" >> beam.combiners.Count.Globally() | "Shards" >> beam.Map(shards_for)
        )
        keyed = rows | "ToShard" >> beam.Map(
            lambda pair, n: (shard_of(pair[0], n), pair[1]), pvalue.AsSingleton(shards)
        ).with_output_types(tuple[int, Any])
        # Empty shards get a file too.
        markers = shards | "EachShard" >> beam.FlatMap(
            lambda n: [(i, None) for i in range(n)]
        ).with_output_types(tuple[int, Any])
        return (
            (keyed, markers)
            | beam.Flatten()
            | "GroupShard" >> beam.GroupByKey()
            | "WriteShard" >> beam.Map(self._write, pvalue.AsSingleton(shards))
        )

    def _write(self, group: tuple[int, Any], shards: int) -> str:
        number, rows = group
        present = sorted((r for r in rows if r is not None), key=_sort_key)
        columns = zip(*present, strict=True) if present else [[] for _ in self.schema]
        arrays = [pa.array(c, f.type) for c, f in zip(columns, self.schema, strict=True)]
        table = pa.Table.from_arrays(arrays, schema=self.schema)
        name = Shard(number, shards).name
        storage.write_parquet(storage.join(self.folder, name), table)
        self.on_write(table)
        return name


@dataclasses.dataclass
class ListShards(beam.PTransform):
    """Return the shards of a part of a finished stage, spread over the workers."""

    part: Part

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """Count the files on a worker, so that the stage need not exist yet."""
        return (
            pipeline
            | "Part" >> beam.Create([self.part], reshuffle=False)
            | "Shards" >> beam.FlatMap(shards_of).with_output_types(Shard)
            | "Share" >> beam.Reshuffle()
        )


@dataclasses.dataclass
class MapShards(beam.PTransform, Generic[L]):
    """Compute one file for each shard, without a shuffle, and return the names of the files.

    Attributes:
        source: a part of a stage; its shards are mapped.
        target: folder of the new files.
        load: returns the data that all shards need; called once a worker.
        function: returns the rows of one shard, given the shard and the loaded data.
    """

    source: Part
    target: str
    load: Callable[[], L]
    function: Callable[[Shard, L], pa.RecordBatch]

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """List the shards and map them."""
        each = _MapShard(self.load, self.function, self.target)
        return pipeline | ListShards(self.source) | "Map" >> beam.ParDo(each)


class _MapShard(beam.DoFn):
    def __init__(
        self, load: Callable[[], L], function: Callable[[Shard, L], pa.RecordBatch], target: str
    ):
        self._load, self._function, self._target = load, function, target

    def setup(self) -> None:
        self._loaded = self._load()

    def process(self, shard: Shard) -> Iterator[str]:
        write_shard(self._target, shard, self._function(shard, self._loaded))
        yield shard.name


def shards_of(part: Part) -> list[Shard]:
    """Return all shards of a part of a finished stage."""
    shards = len(part.files())
    return [Shard(number, shards) for number in range(shards)]


def read_shard(folder: str, shard: Shard, columns: list[str] | None = None) -> pa.RecordBatch:
    """Read one shard as one batch."""
    table = storage.read_parquet(storage.join(folder, shard.name), columns)
    return table.combine_chunks().to_batches()[0] if table.num_rows else _empty(table.schema)


def write_shard(folder: str, shard: Shard, batch: pa.RecordBatch) -> None:
    """Write one shard."""
    storage.write_parquet(storage.join(folder, shard.name), pa.Table.from_batches([batch]))


def read_first_rows(part: Part, rows: int, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Read the first rows of a part, in order: ids are hashes, so they are a random sample."""
    for shard in shards_of(part):
        if rows <= 0:
            return
        batch = read_shard(part.folder, shard, columns).slice(0, rows)
        rows -= batch.num_rows
        yield batch


def _sort_key(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple((value is not None, value) for value in row)


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], f.type) for f in schema], schema=schema)
