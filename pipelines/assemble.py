"""Stage assemble: join the columns of each utterance in the table assignments."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from advin.discovery.intents.assignment import novel_verdicts, without_dropped
from advin.pipelines import storage
from advin.pipelines.cluster import CENTROIDS
from advin.pipelines.cluster_files import scores_from_arrow
from advin.pipelines.counters import AssembleCounters
from advin.pipelines.shards import MapShards, Shard, read_shard, shards_of
from advin.pipelines.stages import Part
from advin.schemas import tables

# The columns of an intent that its utterances carry.
_COLUMNS = ["intent_id", "is_novel", "domain_id"]


@dataclasses.dataclass
class Assemble(beam.PTransform):
    """Write shards of the table assignments; return the names of the files.

    Attributes:
        utterances: utterances of the log.
        scores: their novelty scores.
        assigned: their intents.
        centroids: the stage cluster's centroids.
        intents: the table intents.
        target: folder of the table assignments.
    """

    utterances: Part
    scores: Part
    assigned: Part
    centroids: Part
    intents: Part
    target: str

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """Join shards with the same number: they hold the same utterances."""
        load = functools.partial(_read_verdicts, self.centroids, self.intents)
        parts = (self.utterances, self.scores, self.assigned)
        function = functools.partial(_assemble_shard, parts=parts)
        return pipeline | MapShards(self.utterances, self.target, load, function)


def _read_verdicts(centroids: Part, intents: Part) -> list[Mapping[str, Any]]:
    """Return the columns of each centroid's intent; all are None if the intent was dropped."""
    path = storage.join(centroids.folder, CENTROIDS)
    ids = storage.read_parquet(path, ["intent_id"])["intent_id"].to_pylist()
    (shard,) = shards_of(intents)
    rows = read_shard(intents.folder, shard, _COLUMNS).to_pylist()
    verdicts = {row["intent_id"]: row for row in rows}
    return [verdicts.get(intent, dict.fromkeys(_COLUMNS)) for intent in ids]


def _assemble_shard(
    shard: Shard, intents: list[Mapping[str, Any]], parts: tuple[Part, Part, Part]
) -> pa.RecordBatch:
    utterances, scores, assigned = (read_shard(part.folder, shard) for part in parts)
    table = assemble(utterances, scores, assigned, intents)
    unassigned = table.column("intent_id").null_count
    AssembleCounters(
        rows_accounted=int(table.column("count").to_numpy().sum()),
        in_an_intent=table.num_rows - unassigned,
        in_no_intent=unassigned,
        novel_utterances=table.column("is_novel").to_pylist().count(True),
    ).add()
    return table


def assemble(
    utterances: pa.RecordBatch,
    scores: pa.RecordBatch,
    assigned: pa.RecordBatch,
    intents: list[Mapping[str, Any]],
) -> pa.RecordBatch:
    """Join three batches of the same utterances, row by row.

    Args:
        utterances: as `schemas.tables.INGEST`.
        scores: as `schemas.tables.SCORE`.
        assigned: as `schemas.tables.ASSIGN`; intents are positions in the list below.
        intents: intent_id, is_novel and domain_id of each intent; None if it was dropped.

    Returns:
        a batch as `schemas.tables.ASSIGNMENTS`.

    Raises:
        ValueError: if the batches do not hold the same utterances.
    """
    ids = utterances.column("utterance_id")
    for name, batch in (("score", scores), ("assign", assigned)):
        if not batch.column("utterance_id").equals(ids):
            raise ValueError(
                f"stage {name} holds other utterances than stage ingest "
                f"({batch.num_rows} and {len(ids)} rows): delete the output folder and start again"
            )
    is_kept = np.array([intent["intent_id"] is not None for intent in intents], bool)
    position = without_dropped(assigned.column("intent").to_numpy(), is_kept)
    index = pa.array(position, mask=position < 0)

    def of_intent(name: str) -> pa.Array:
        return pa.array([intent[name] for intent in intents], pa.string()).take(index)

    is_novel, is_decided = novel_verdicts(
        position,
        np.array([bool(intent["is_novel"]) for intent in intents], bool),
        scores_from_arrow(scores.column("novelty_score")),
    )
    columns = {
        "is_novel": pa.array(is_novel, mask=~is_decided),
        "intent_id": of_intent("intent_id"),
        "domain_id": of_intent("domain_id"),
        "intent_distance": assigned.column("intent_distance"),
    }
    for batch in (utterances, scores):
        columns |= {n: batch.column(n) for n in batch.schema.names}
    return pa.RecordBatch.from_arrays(
        [columns[f.name] for f in tables.ASSIGNMENTS], schema=tables.ASSIGNMENTS
    )
