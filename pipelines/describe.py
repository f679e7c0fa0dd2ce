"""Stage describe: for each intent its size, its cohesion, and a bounded sample of its texts."""

import dataclasses
from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.metrics import Metrics

from advin.pipelines.shards import Shard, WriteShards, read_shard
from advin.schemas import tables
from advin.schemas.batches import vectors_from_arrow
from advin.schemas.ids import utterance_id

# Utterances from which an intent's name, keywords and exemplars are taken: those with the lowest
# ids, which are hashes, so a random sample that is the same on any engine.
DOCUMENTS = 100

# Distinct utterances, rows, sum of the distances to the centroid in units of 2^-24.
Size = tuple[int, int, int]
Document = tuple[str, str, int, bytes]
# Integers add up to the same sum in any order, which floats do not.
_DISTANCE_UNIT = 2.0**-24


class _Summary(beam.CombineFn):
    """Add sizes, and keep the documents with the lowest ids."""

    def create_accumulator(self) -> tuple[Size, list[Document]]:
        return (0, 0, 0), []

    def add_input(self, accumulator, element):
        return self.merge_accumulators([accumulator, element])

    def merge_accumulators(self, accumulators: Iterable):
        sizes, documents = zip(*accumulators, strict=True)
        size = tuple(map(sum, zip(*sizes, strict=True)))
        return size, sorted(d for part in documents for d in part)[:DOCUMENTS]

    def extract_output(self, accumulator):
        return accumulator


@dataclasses.dataclass
class Describe(beam.PTransform):
    """Shards of utterances, vectors and membership to sizes and documents: names of the files."""

    utterances: str
    vectors: str
    membership: str
    sizes: str
    documents: str

    def expand(self, shards):
        """Summarize inside each shard, combine by intent, write."""
        summaries = (
            shards
            | "Summarize"
            >> beam.ParDo(
                _Summarize(self.utterances, self.vectors, self.membership)
            ).with_output_types(
                tuple[int, tuple[tuple[int, int, int], list[tuple[str, str, int, bytes]]]]
            )
            | "Combine" >> beam.CombinePerKey(_Summary())
        )
        sizes = (
            summaries
            | "Size" >> beam.Map(lambda s: (_spread(s[0]), (s[0], *s[1][0])))
            | "WriteSizes" >> WriteShards(self.sizes, tables.DESCRIBE_SIZES)
        )
        documents = (
            summaries
            | "Documents" >> beam.FlatMap(lambda s: [(_spread(s[0]), (s[0], *d)) for d in s[1][1]])
            | "WriteDocuments" >> WriteShards(self.documents, tables.DESCRIBE_DOCUMENTS)
        )
        return (sizes, documents) | beam.Flatten()


def _spread(intent: int) -> str:
    return utterance_id(str(intent))


class _Summarize(beam.DoFn):
    def __init__(self, utterances: str, vectors: str, membership: str):
        self._utterances, self._vectors, self._membership = utterances, vectors, membership
        self._described = Metrics.counter("describe", "described")

    def process(self, shard: Shard) -> Iterator[tuple[int, tuple[Size, list[Document]]]]:
        utterances = read_shard(self._utterances, shard)
        self._described.inc(utterances.num_rows)
        membership = read_shard(self._membership, shard)
        vectors = vectors_from_arrow(read_shard(self._vectors, shard, ["vector"]).column("vector"))
        yield from summarize(utterances, membership, vectors)


def summarize(
    utterances: pa.RecordBatch, membership: pa.RecordBatch, vectors: np.ndarray
) -> Iterator[tuple[int, tuple[Size, list[Document]]]]:
    """Yield (intent, ((distinct, rows, distance), documents)) for each intent in a shard."""
    intents = membership.column("intent").to_numpy()
    distances = membership.column("intent_distance").to_numpy()
    counts = utterances.column("count").to_numpy()
    ids, texts = utterances.column("utterance_id"), utterances.column("text")
    order = np.argsort(intents, kind="stable")
    bounds = np.flatnonzero(np.diff(intents[order], prepend=-2))
    for rows in np.split(order, bounds[1:]):
        if len(rows) == 0 or intents[rows[0]] < 0:
            continue
        distance = np.rint(distances[rows].astype(np.float64) / _DISTANCE_UNIT).astype(np.int64)
        documents = [
            (ids[i].as_py(), texts[i].as_py(), int(counts[i]), vectors[i].tobytes())
            for i in rows[:DOCUMENTS].tolist()
        ]
        size = (len(rows), int(counts[rows].sum()), int(distance.sum()))
        yield int(intents[rows[0]]), (size, documents)


def mean_distance(distance: int, distinct: int) -> float:
    """Return the mean distance of `distinct` utterances from the summed units."""
    return distance * _DISTANCE_UNIT / distinct
