"""Stage assign: give each utterance the intent whose centroid is nearest, if it is near enough."""

import dataclasses
from collections.abc import Iterator

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.metrics import Metrics

from advin.discovery.intents.assignment import assign
from advin.pipelines import storage
from advin.pipelines.cluster import CENTROIDS, intents_from_arrow
from advin.pipelines.models import load_model
from advin.pipelines.shards import Shard, read_shard, write_shard
from advin.schemas import tables
from advin.schemas.batches import vectors_from_arrow


@dataclasses.dataclass(frozen=True)
class AssignSources:
    """Folders with the shards of vectors, with the centroids, and with the model."""

    vectors: str
    centroids: str
    model: str


@dataclasses.dataclass
class Assign(beam.PTransform):
    """Shards of vectors to shards of membership: names of the files."""

    sources: AssignSources
    target: str

    def expand(self, shards):
        """One fused step, no shuffle; the centroids come from a file, once a worker."""
        return shards | "Assign" >> beam.ParDo(_Assign(self.sources, self.target))


class _Assign(beam.DoFn):
    def __init__(self, sources: AssignSources, target: str):
        self._sources, self._target = sources, target
        self._assigned = Metrics.counter("assign", "assigned")
        self._unassigned = Metrics.counter("assign", "unassigned")

    def setup(self) -> None:
        self._head = load_model(self._sources.model).head
        path = storage.join(self._sources.centroids, CENTROIDS)
        self._intents = intents_from_arrow(storage.read_parquet(path))

    def process(self, shard: Shard) -> Iterator[str]:
        batch = read_shard(self._sources.vectors, shard)
        vectors = self._head.transform(vectors_from_arrow(batch.column("vector")))
        intent, distance = assign(vectors, self._intents)
        membership = pa.RecordBatch.from_arrays(
            [batch.column("utterance_id"), pa.array(intent), pa.array(distance)],
            schema=tables.ASSIGN,
        )
        write_shard(self._target, shard, membership)
        assigned = int(np.count_nonzero(intent >= 0))
        self._assigned.inc(assigned)
        self._unassigned.inc(len(intent) - assigned)
        yield shard.name
