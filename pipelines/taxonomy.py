"""Stage taxonomy: drop what is no intent, link the others into domains, name and write both."""

import dataclasses
from collections.abc import Iterator, Sequence

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.metrics import Metrics

from advin.discovery.intents.summary import IntentSize
from advin.discovery.model import Model
from advin.discovery.taxonomy import (
    DescribedIntents,
    DomainRow,
    IntentRow,
    IntentSample,
    build_taxonomy,
    describe_intents,
    junk_intents,
)
from advin.pipelines import storage
from advin.pipelines.cluster import CENTROIDS, intents_from_arrow
from advin.pipelines.models import load_model
from advin.pipelines.shards import Shard, read_shard, write_shard
from advin.pipelines.stages import Stage
from advin.schemas import tables


@dataclasses.dataclass(frozen=True)
class Described:
    """Where the stages before left centroids, sizes and documents, and in how many shards."""

    centroids: str
    sizes: str
    size_shards: int
    documents: str
    document_shards: int

    @classmethod
    def of(cls, clusters: Stage, describe: Stage) -> "Described":
        """Point at what two finished stages wrote."""
        parts = ("sizes", "documents")
        (sizes, size_shards), (documents, document_shards) = (
            (describe.path(part), describe.files(part)) for part in parts
        )
        return cls(clusters.path(), sizes, size_shards, documents, document_shards)


@dataclasses.dataclass
class Taxonomy(beam.PTransform):
    """Described intents to the tables intents and domains: one element, the number of intents."""

    described: Described
    model: str
    intents: str
    domains: str

    def expand(self, pipeline):
        """Link and name in one place: everything it reads is bounded."""
        return (
            pipeline
            | "Described" >> beam.Create([self.described], reshuffle=False)
            | "Name" >> beam.ParDo(_Build(self.model, self.intents, self.domains))
        )


class _Build(beam.DoFn):
    def __init__(self, model: str, intents: str, domains: str):
        self._model, self._intents, self._domains = model, intents, domains

    def process(self, described: Described) -> Iterator[int]:
        model = load_model(self._model)
        found = read_described(described, model)
        junk = junk_intents(found, model.config.coherence)
        rows = build_taxonomy(found.take(np.flatnonzero(~junk)), model)
        intents, domains = map(rows_to_arrow, rows, (tables.INTENTS, tables.DOMAINS))
        only = Shard(0, 1)
        write_shard(self._intents, only, intents)
        write_shard(self._domains, only, domains)
        for name, table in (("intents", intents), ("domains", domains)):
            novel = sum(table.column("is_novel").to_pylist())
            Metrics.counter("taxonomy", f"known_{name}_named").inc(table.num_rows - novel)
            Metrics.counter("taxonomy", f"novel_{name}_named").inc(novel)
        Metrics.counter("taxonomy", "incoherent_intents").inc(int(np.count_nonzero(junk)))
        yield intents.num_rows


def read_described(described: Described, model: Model) -> DescribedIntents:
    """Read what the stages cluster and describe wrote.

    Raises:
        ValueError: if there are more intents than one worker takes.
    """
    table = storage.read_parquet(storage.join(described.centroids, CENTROIDS))
    intents = intents_from_arrow(table)
    return describe_intents(intents, _read_sizes(described), _read_samples(described, model), model)


def _read_sizes(described: Described) -> dict[int, IntentSize]:
    sizes: dict[int, IntentSize] = {}
    for number in range(described.size_shards):
        batch = read_shard(described.sizes, Shard(number, described.size_shards))
        for row in batch.to_pylist():
            sizes[row["intent"]] = IntentSize(row["distinct_size"], row["size"], row["distance"])
    return sizes


def _read_samples(described: Described, model: Model) -> dict[int, IntentSample]:
    samples: dict[int, IntentSample] = {}
    for number in range(described.document_shards):
        batch = read_shard(described.documents, Shard(number, described.document_shards))
        intents = batch.column("intent").to_numpy()
        bounds = np.flatnonzero(np.diff(intents, prepend=-1, append=-1))
        for start, stop in zip(bounds[:-1], bounds[1:], strict=True):
            rows = batch.slice(start, stop - start)
            vectors = np.frombuffer(b"".join(rows.column("vector").to_pylist()), np.float16)
            samples[int(intents[start])] = IntentSample(
                texts=rows.column("text").to_pylist(),
                counts=rows.column("count").to_numpy(),
                vectors=vectors.reshape(-1, model.encoder.dimension),
            )
    return samples


def rows_to_arrow(rows: Sequence[IntentRow | DomainRow], schema: pa.Schema) -> pa.RecordBatch:
    """Lay rows out as a record batch: each column is the field of its name."""
    columns = {
        field.name: pa.array([getattr(row, field.name) for row in rows], field.type)
        for field in schema
    }
    return pa.RecordBatch.from_pydict(columns, schema=schema)
