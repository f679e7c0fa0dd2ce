"""Stage describe: for each intent its size, its cohesion, and a bounded sample of its texts."""

import dataclasses
from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.metrics import Metrics

from advin.discovery.intents.summary import summarize
from advin.pipelines.shards import Shard, WriteShards, read_shard
from advin.schemas import tables
from advin.schemas.batches import vectors_from_arrow
from advin.schemas.ids import utterance_id

# Distinct utterances, rows, sum of the distances to the centroid in units of 2^-24.
Size = tuple[int, int, int]
Document = tuple[str, str, int, bytes]


class _Summary(beam.CombineFn):
    """Add sizes, and keep the documents with the lowest ids."""

    def __init__(self, n_sampled: int):
        self._n_sampled = n_sampled

    def create_accumulator(self) -> tuple[Size, list[Document]]:
        return (0, 0, 0), []

    def add_input(self, accumulator, element):
        return self.merge_accumulators([accumulator, element])

    def merge_accumulators(self, accumulators: Iterable):
        sizes, documents = zip(*accumulators, strict=True)
        size = tuple(map(sum, zip(*sizes, strict=True)))
        return size, sorted(d for part in documents for d in part)[: self._n_sampled]

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
    n_sampled: int

    def expand(self, shards):
        """Summarize inside each shard, combine by intent, write."""
        summaries = (
            shards
            | "Summarize"
            >> beam.ParDo(
                _Summarize(self.utterances, self.vectors, self.membership, self.n_sampled)
            ).with_output_types(
                tuple[int, tuple[tuple[int, int, int], list[tuple[str, str, int, bytes]]]]
            )
            | "Combine" >> beam.CombinePerKey(_Summary(self.n_sampled))
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
    def __init__(self, utterances: str, vectors: str, membership: str, n_sampled: int):
        self._n_sampled = n_sampled
        self._utterances, self._vectors, self._membership = utterances, vectors, membership
        self._described = Metrics.counter("describe", "described")

    def process(self, shard: Shard) -> Iterator[tuple[int, tuple[Size, list[Document]]]]:
        utterances = read_shard(self._utterances, shard)
        self._described.inc(utterances.num_rows)
        membership = read_shard(self._membership, shard)
        vectors = vectors_from_arrow(read_shard(self._vectors, shard, ["vector"]).column("vector"))
        yield from summarize_batch(utterances, membership, vectors, self._n_sampled)


def summarize_batch(
    utterances: pa.RecordBatch, membership: pa.RecordBatch, vectors: np.ndarray, n_sampled: int
) -> Iterator[tuple[int, tuple[Size, list[Document]]]]:
    """Yield the size and the sampled documents of each intent in a shard."""
    counts = utterances.column("count").to_numpy()
    ids, texts = utterances.column("utterance_id"), utterances.column("text")
    assigned, distances = (membership.column(c).to_numpy() for c in ("intent", "intent_distance"))
    for intent, size, rows in summarize(assigned, distances, counts, n_sampled):
        documents = [
            (ids[i].as_py(), texts[i].as_py(), int(counts[i]), vectors[i].tobytes())
            for i in rows.tolist()
        ]
        yield intent, ((size.distinct, size.rows, size.distance), documents)
