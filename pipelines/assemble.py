"""Stage assemble: join the columns of each utterance in the table assignments."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from advin.discovery.intents.assignment import cluster_reasons, utterance_reasons
from advin.pipelines import storage
from advin.pipelines.cluster import CENTROIDS
from advin.pipelines.counters import AssembleCounters
from advin.pipelines.shards import MapShards, Shard, read_shard, shards_of
from advin.pipelines.stages import Part
from advin.schemas import tables
from advin.schemas.verdicts import KINDS, kind_of

# The columns of an intent that its utterances carry.
_COLUMNS = ["intent_id", "domain_id"]


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
    """Return the columns of each cluster; all but the reason are None if it is no intent."""
    path = storage.join(centroids.folder, CENTROIDS)
    table = storage.read_parquet(path, ["intent_id", "kind"])
    (shard,) = shards_of(intents)
    rows = read_shard(intents.folder, shard, _COLUMNS).to_pylist()
    by_id = {row["intent_id"]: row for row in rows}
    columns = [by_id.get(i) for i in table["intent_id"].to_pylist()]
    is_kept = np.array([row is not None for row in columns], bool)
    reasons = cluster_reasons(table["kind"].to_numpy(), is_kept)
    return [
        {**(row or dict.fromkeys(_COLUMNS)), "reason": reason}
        for row, reason in zip(columns, reasons, strict=True)
    ]


def _assemble_shard(
    shard: Shard, intents: list[Mapping[str, Any]], parts: tuple[Part, Part, Part]
) -> pa.RecordBatch:
    utterances, scores, assigned = (read_shard(part.folder, shard) for part in parts)
    table = assemble(utterances, scores, assigned, intents)
    counts = table.column("count").to_numpy()
    kinds = np.array(table.column("kind").to_pylist(), object)
    AssembleCounters(
        rows_accounted=int(counts.sum()),
        in_an_intent=table.num_rows - table.column("intent_id").null_count,
        **{f"{kind}_rows": int(counts[kinds == kind].sum()) for kind in KINDS},
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
        intents: intent_id, domain_id and reason of each cluster; the ids of no intent are None.

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
    position = assigned.column("intent").to_numpy()
    index = pa.array(position, mask=position < 0)

    def of_intent(name: str) -> pa.Array:
        return pa.array([intent[name] for intent in intents], pa.string()).take(index)

    reasons = utterance_reasons(
        position,
        [intent["reason"] for intent in intents],
        scores.column("conversational").to_pylist(),
    )
    columns = {
        "kind": pa.array([kind_of(reason) for reason in reasons]),
        "reason": pa.array(reasons),
        "intent_id": of_intent("intent_id"),
        "domain_id": of_intent("domain_id"),
        "intent_distance": assigned.column("intent_distance"),
    }
    for batch in (utterances, scores):
        columns |= {n: batch.column(n) for n in batch.schema.names}
    return pa.RecordBatch.from_arrays(
        [columns[f.name] for f in tables.ASSIGNMENTS], schema=tables.ASSIGNMENTS
    )
