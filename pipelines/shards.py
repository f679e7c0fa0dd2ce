"""Shards: the files between stages. Those of one number hold the same utterances, sorted by id.

A shard is a range of hashed ids, and how many there are follows from the number of rows alone. So
the stages after ingest need no shuffle: a worker takes a shard's files and writes the next one.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam
import pyarrow as pa
from apache_beam import pvalue

from advin.pipelines import storage
from advin.schemas.ids import shard_of

# Rows in a shard are between half of this and this: some MB of vectors, a minute of encoding.
SHARD_ROWS = 16_384


class Shard(NamedTuple):
    """One of so many shards."""

    number: int
    shards: int

    @property
    def name(self) -> str:
        """The file name of this shard in every stage's folder."""
        return storage.shard_name(self.number, self.shards)


def shards_for(rows: int) -> int:
    """Return the number of shards for some number of rows: a power of two.

    >>> [shards_for(n) for n in (0, 16_384, 16_385, 100_000)]
    [1, 1, 2, 8]
    """
    return 1 << max(0, (rows - 1) // SHARD_ROWS).bit_length()


@dataclasses.dataclass
class WriteShards(beam.PTransform):
    """(hash, row) to one Parquet file for each shard, its rows sorted.

    The hash is 32 hex digits, evenly spread; the row is a tuple in the order of the schema.
    An empty collection gives one empty file.
    """

    folder: str
    schema: pa.Schema
    on_write: Callable[[pa.Table], None] = lambda table: None

    def expand(self, rows):
        """Count, group by shard, write; yields the names of the files."""
        shards = (
            rows | "CountRows" >> beam.combiners.Count.Globally() | "Shards" >> beam.Map(shards_for)
        )
        keyed = rows | "ToShard" >> beam.Map(
            lambda pair, n: (shard_of(pair[0], n), pair[1]), pvalue.AsSingleton(shards)
        ).with_output_types(tuple[int, Any])
        # So that empty shards get a file, too.
        markers = shards | "EachShard" >> beam.FlatMap(
            lambda n: [(i, None) for i in range(n)]
        ).with_output_types(tuple[int, Any])
        return (
            (keyed, markers)
            | beam.Flatten()
            | "GroupShard" >> beam.GroupByKey()
            | "WriteShard" >> beam.Map(self._write, pvalue.AsSingleton(shards))
        )

    def _write(self, group, shards: int) -> str:
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
class Shards(beam.PTransform):
    """The numbers of the first so many of a stage's shards, shared out among workers."""

    shards: int
    first: int | None = None

    def expand(self, pipeline):
        """Create and redistribute."""
        numbers = range(min(self.shards, self.first or self.shards))
        return (
            pipeline
            | "Numbers" >> beam.Create(numbers, reshuffle=False)
            | "Share" >> beam.Reshuffle()
            | "Shard" >> beam.Map(Shard, self.shards).with_output_types(Shard)
        )


def read_shard(folder: str, shard: Shard, columns: list[str] | None = None) -> pa.RecordBatch:
    """Read one shard of a stage as one batch."""
    table = storage.read_parquet(storage.join(folder, shard.name), columns)
    return table.combine_chunks().to_batches()[0] if table.num_rows else _empty(table.schema)


def write_shard(folder: str, shard: Shard, batch: pa.RecordBatch) -> None:
    """Write one shard of a stage."""
    storage.write_parquet(storage.join(folder, shard.name), pa.Table.from_batches([batch]))


def read_first_rows(
    folder: str, shards: int, rows: int, columns: list[str]
) -> Iterator[pa.RecordBatch]:
    """Read shards in order until so many rows were read: as ids are hashes, a random sample."""
    for number in range(shards):
        if rows <= 0:
            return
        batch = read_shard(folder, Shard(number, shards), columns).slice(0, rows)
        rows -= batch.num_rows
        yield batch


def _sort_key(row: tuple) -> tuple:
    return tuple((value is not None, value) for value in row)


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], f.type) for f in schema], schema=schema)
