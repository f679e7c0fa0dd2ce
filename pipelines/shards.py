"""Shards: the files that one stage writes and the next one reads.

A shard holds the rows of one range of hashed ids. The number of shards depends on the number of
rows only. Shards of different stages with the same number hold the same utterances, sorted by id.
So the stages after ingest need no shuffle: a worker reads a shard and writes the one of its stage.
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

# Largest average number of rows of a shard; its vectors take some MB.
SHARD_ROWS = 16_384

L = TypeVar("L")


class Shard(NamedTuple):
    """One shard of a stage.

    Attributes:
        number: number of the shard, from 0.
        shards: total number of shards.
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

    An element is (hash, row): a hash of 32 hex digits, and a tuple with the values of the schema's
    fields. The rows of a file are sorted. An empty collection gives one empty file.

    Attributes:
        folder: folder of the files.
        schema: schema of the files.
        on_write: called with each table after it is written.
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
        # A marker for each shard makes an empty shard get a file too.
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
    """Return the shards of a part of a finished stage, distributed over the workers."""

    part: Part

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """List the files on a worker, because the stage may not exist when the graph is built."""
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
        source: part of a stage whose shards are read.
        target: folder of the new files.
        load: returns the data that all shards need; called once on each worker.
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


def read_range(part: Part, shard: Shard) -> pa.Table | None:
    """Read the rows of a part whose ids lie in a shard's range, though the part has other shards.

    Returns:
        the rows in their order; None if the part has no files.
    """
    found = [
        storage.read_parquet(storage.join(part.folder, other.name))
        for other in shards_of(part)
        if _overlap(other, shard)
    ]
    if not found:
        return None
    table = pa.concat_tables(found)
    numbers = [shard_of(i, shard.shards) for i in table["utterance_id"].to_pylist()]
    return table.filter(pa.array([number == shard.number for number in numbers], pa.bool_()))


def _overlap(one: Shard, other: Shard) -> bool:
    return (
        one.number * other.shards < (other.number + 1) * one.shards
        and other.number * one.shards < (one.number + 1) * other.shards
    )


def write_shard(folder: str, shard: Shard, batch: pa.RecordBatch) -> None:
    """Write one shard."""
    storage.write_parquet(storage.join(folder, shard.name), pa.Table.from_batches([batch]))


def read_first_rows(part: Part, rows: int, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Read the rows of a part with the lowest ids. Ids are hashes, so this is a random sample."""
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
