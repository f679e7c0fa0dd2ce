"""Stage describe: the size of each leaf, and a bounded sample of its utterances.

A leaf is a cluster, or a part of a novel intent at the level fine. Sizes and samples of all levels
follow from those of the leaves.
"""

import dataclasses
from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import pyarrow as pa

from advin.discovery.intents.summary import summarize
from advin.pipelines.assign import assigned_from_arrow
from advin.pipelines.counters import DescribeCounters
from advin.pipelines.shards import ListShards, Shard, WriteShards, read_shard
from advin.pipelines.stages import Part
from advin.schemas import stage_files
from advin.schemas.batches import vectors_from_arrow
from advin.schemas.ids import utterance_id

# Distinct utterances, rows, and the sum of the silhouettes in units of 2^-24.
Size = tuple[int, int, int]
# Id, text, count and vector.
Document = tuple[str, str, int, bytes]
Summary = tuple[Size, list[Document]]


class _Summary(beam.CombineFn):
    """Adds sizes, and keeps the documents with the lowest ids."""

    def __init__(self, n_sampled: int):
        self._n_sampled = n_sampled

    def create_accumulator(self) -> Summary:
        return (0, 0, 0), []

    def add_input(self, accumulator: Summary, element: Summary) -> Summary:
        return self.merge_accumulators([accumulator, element])

    def merge_accumulators(self, accumulators: Iterable[Summary]) -> Summary:
        sizes, documents = zip(*accumulators, strict=True)
        distinct, rows, silhouette = (sum(column) for column in zip(*sizes, strict=True))
        lowest = sorted(d for part in documents for d in part)[: self._n_sampled]
        return (distinct, rows, silhouette), lowest

    def extract_output(self, accumulator: Summary) -> Summary:
        return accumulator


@dataclasses.dataclass
class Describe(beam.PTransform):
    """Summarize each leaf; return the names of the files.

    Attributes:
        utterances: utterances of the log.
        vectors: their vectors.
        assigned: their intents.
        sizes: folder of the leaves' sizes.
        documents: folder of the sampled utterances.
        n_sampled: sampled utterances of a leaf: those with the lowest ids, which are hashes.
    """

    utterances: Part
    vectors: Part
    assigned: Part
    sizes: str
    documents: str
    n_sampled: int

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """Summarize the leaves of each shard, combine by leaf, and write."""
        parts = (self.utterances, self.vectors, self.assigned)
        summaries = (
            pipeline
            | ListShards(self.utterances)
            | "Summarize"
            >> beam.FlatMap(_summarize_shard, *parts, self.n_sampled).with_output_types(
                tuple[int, tuple[tuple[int, int, int], list[tuple[str, str, int, bytes]]]]
            )
            | "Combine" >> beam.CombinePerKey(_Summary(self.n_sampled))
        )
        sizes = (
            summaries
            | "Size" >> beam.Map(lambda s: (_spread(s[0]), (s[0], *s[1][0])))
            | "WriteSizes" >> WriteShards(self.sizes, stage_files.DESCRIBE_SIZES)
        )
        documents = (
            summaries
            | "Documents" >> beam.FlatMap(lambda s: [(_spread(s[0]), (s[0], *d)) for d in s[1][1]])
            | "WriteDocuments" >> WriteShards(self.documents, stage_files.DESCRIBE_DOCUMENTS)
        )
        return (sizes, documents) | beam.Flatten()


def _spread(leaf: int) -> str:
    return utterance_id(str(leaf))


def _summarize_shard(
    shard: Shard, utterances: Part, vectors: Part, assigned: Part, n_sampled: int
) -> Iterator[tuple[int, Summary]]:
    texts = read_shard(utterances.folder, shard)
    column = read_shard(vectors.folder, shard, ["vector"]).column("vector")
    DescribeCounters(described=texts.num_rows).add()
    batch = read_shard(assigned.folder, shard)
    return summarize_batch(texts, batch, vectors_from_arrow(column), n_sampled)


def summarize_batch(
    utterances: pa.RecordBatch, assigned: pa.RecordBatch, vectors: np.ndarray, n_sampled: int
) -> Iterator[tuple[int, Summary]]:
    """Yield the size and the sampled utterances of each leaf in a shard.

    Args:
        utterances: as `schemas.stage_files.INGEST`.
        assigned: as `schemas.stage_files.ASSIGN`.
        vectors: (n, d) float16.
        n_sampled: sampled utterances of a leaf.
    """
    counts = utterances.column("count").to_numpy()
    ids, texts = utterances.column("utterance_id"), utterances.column("text")
    found, leaves = assigned_from_arrow(assigned)
    for leaf, size, rows in summarize(found, leaves.cluster, counts, n_sampled):
        documents = [
            (ids[i].as_py(), texts[i].as_py(), int(counts[i]), vectors[i].tobytes())
            for i in rows.tolist()
        ]
        yield leaf, ((size.distinct, size.rows, size.silhouette), documents)
