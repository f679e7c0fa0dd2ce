"""Stage assemble: put the columns of one utterance together in the table users read."""

import dataclasses
from collections.abc import Iterator, Mapping

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.metrics import Metrics

from advin.discovery.intents.assignment import novel_verdicts, without_dropped
from advin.pipelines import storage
from advin.pipelines.cluster import CENTROIDS
from advin.pipelines.cluster_files import scores_from_arrow
from advin.pipelines.shards import Shard, read_shard, write_shard
from advin.schemas import tables


@dataclasses.dataclass(frozen=True)
class AssembleSources:
    """Folders with the shards of the stages before, with the centroids, and the table intents."""

    utterances: str
    novelty: str
    membership: str
    centroids: str
    intents: str


@dataclasses.dataclass
class Assemble(beam.PTransform):
    """Shards of utterances, novelty and membership to the table assignments: names of the files."""

    sources: AssembleSources
    target: str

    def expand(self, shards):
        """One fused step: shards of the same number hold the same utterances."""
        return shards | "Assemble" >> beam.ParDo(_Assemble(self.sources, self.target))


class _Assemble(beam.DoFn):
    def __init__(self, sources: AssembleSources, target: str):
        self._sources, self._target = sources, target
        self._novel = Metrics.counter("assemble", "novel_utterances")
        self._rows = Metrics.counter("assemble", "rows_accounted")
        self._assigned = Metrics.counter("assemble", "in_an_intent")
        self._unassigned = Metrics.counter("assemble", "in_no_intent")

    def setup(self) -> None:
        path = storage.join(self._sources.centroids, CENTROIDS)
        ids = storage.read_parquet(path, ["intent_id"])["intent_id"].to_pylist()
        columns = ["intent_id", "is_novel", "domain_id"]
        rows = read_shard(self._sources.intents, Shard(0, 1), columns).to_pylist()
        found = {row["intent_id"]: row for row in rows}
        # In the order of the centroids, which membership counts by; some turned out to be none.
        self._intents = [found.get(i, dict.fromkeys(columns)) for i in ids]

    def process(self, shard: Shard) -> Iterator[str]:
        table = assemble(
            read_shard(self._sources.utterances, shard),
            read_shard(self._sources.novelty, shard),
            read_shard(self._sources.membership, shard),
            self._intents,
        )
        write_shard(self._target, shard, table)
        self._rows.inc(int(table.column("count").to_numpy().sum()))
        self._novel.inc(table.column("is_novel").to_pylist().count(True))
        unassigned = table.column("intent_id").null_count
        self._unassigned.inc(unassigned)
        self._assigned.inc(table.num_rows - unassigned)
        yield shard.name


def assemble(
    utterances: pa.RecordBatch,
    novelty: pa.RecordBatch,
    membership: pa.RecordBatch,
    intents: list[Mapping],
) -> pa.RecordBatch:
    """Join three batches of the same utterances, row by row.

    Args:
        utterances: as `schemas.tables.INGEST`.
        novelty: as `schemas.tables.SCORE`.
        membership: as `schemas.tables.ASSIGN`; its intents count the list below.
        intents: intent_id, is_novel and domain_id of each.

    Raises:
        ValueError: if the batches do not hold the same utterances.
    """
    ids = utterances.column("utterance_id")
    for name, batch in (("score", novelty), ("assign", membership)):
        if not batch.column("utterance_id").equals(ids):
            raise ValueError(
                f"stage {name} holds other utterances than stage ingest "
                f"({batch.num_rows} and {len(ids)} rows): delete the run and start it again"
            )
    is_kept = np.array([intent["intent_id"] is not None for intent in intents], bool)
    assigned = without_dropped(membership.column("intent").to_numpy(), is_kept)
    index = pa.array(assigned, mask=assigned < 0)

    def of_intent(name: str) -> pa.Array:
        return pa.array([intent[name] for intent in intents], pa.string()).take(index)

    is_novel, is_decided = novel_verdicts(
        assigned,
        np.array([bool(intent["is_novel"]) for intent in intents], bool),
        scores_from_arrow(novelty.column("novelty_score")),
    )
    columns = {
        "is_novel": pa.array(is_novel, mask=~is_decided),
        "intent_id": of_intent("intent_id"),
        "domain_id": of_intent("domain_id"),
        "intent_distance": membership.column("intent_distance"),
    }
    for batch in (utterances, novelty):
        columns |= {n: batch.column(n) for n in batch.schema.names}
    return pa.RecordBatch.from_arrays(
        [columns[f.name] for f in tables.ASSIGNMENTS], schema=tables.ASSIGNMENTS
    )
