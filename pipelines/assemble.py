"""Stage assemble: join the columns of each utterance in the table assignments."""

import dataclasses
import functools
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from advin.discovery.intents.levels import LEVELS
from advin.discovery.intents.outcomes import Outcomes, verdicts_on
from advin.discovery.text.requests import has_several_requests
from advin.pipelines import storage
from advin.pipelines.assign import assigned_from_arrow
from advin.pipelines.cluster import CENTROIDS, PARTS, intents_from_arrow
from advin.pipelines.counters import AssembleCounters
from advin.pipelines.shards import MapShards, Shard, read_range, read_shard, shards_of
from advin.pipelines.stages import Part
from advin.schemas import tables
from advin.schemas.verdicts import OTHER_SPEAKER, kind_of


@dataclasses.dataclass
class Assemble(beam.PTransform):
    """Write shards of the table assignments; return the names of the files.

    Attributes:
        utterances: utterances of the log.
        others: utterances that only speakers say who are left out; without files if there are none.
        scores: their novelty scores.
        assigned: their intents.
        centroids: the stage cluster's centroids.
        intents: the table intents.
        dropped: the table dropped.
        levels: the table levels.
        n_nearest: nearest intents to list for each utterance.
        request_words: shortest request where a text is checked for several.
        target: folder of the table assignments.
    """

    utterances: Part
    others: Part
    scores: Part
    assigned: Part
    centroids: Part
    intents: Part
    dropped: Part
    levels: Part
    n_nearest: int
    request_words: int
    target: str

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """Join shards with the same number: they hold the same utterances."""
        published = (self.intents, self.dropped, self.levels)
        load = functools.partial(_read_outcomes, self.centroids, published)
        parts = (self.utterances, self.scores, self.assigned)
        function = functools.partial(
            _assemble_shard,
            parts=parts,
            others=self.others,
            n_nearest=self.n_nearest,
            request_words=self.request_words,
        )
        return pipeline | MapShards(self.utterances, self.target, load, function)


def _read_outcomes(centroids: Part, published: tuple[Part, Part, Part]) -> Outcomes:
    """Return what became of each leaf of the stage cluster."""
    files = (storage.join(centroids.folder, name) for name in (CENTROIDS, PARTS))
    clusters = (storage.read_parquet(path) for path in files)
    return outcomes_from_arrow(*clusters, *map(_only_shard, published))


def _only_shard(part: Part) -> pa.RecordBatch:
    (shard,) = shards_of(part)
    return read_shard(part.folder, shard)


def outcomes_from_arrow(
    clusters: pa.Table,
    parts: pa.Table,
    intents: pa.Table | pa.RecordBatch,
    dropped: pa.Table | pa.RecordBatch,
    levels: pa.Table | pa.RecordBatch,
) -> Outcomes:
    """Return what became of each leaf, from the stage's files and three tables."""

    def lookup(table: pa.Table | pa.RecordBatch, *names: str) -> dict[str, Any]:
        keys, values = (table.column(name).to_pylist() for name in names)
        return dict(zip(keys, values, strict=True))

    parents: dict[str, dict[str, str | None]] = {level: {} for level in LEVELS}
    columns = (levels.column(name).to_pylist() for name in ("level", "intent_id", "parent_id"))
    for level, intent, parent in zip(*columns, strict=True):
        parents[level][intent] = parent
    return Outcomes.of(
        intents_from_arrow(clusters, parts),
        clusters["intent_id"].to_pylist(),
        domain_of=lookup(intents, "intent_id", "domain_id"),
        reason_of=lookup(dropped, "dropped_id", "reason"),
        parents=parents,
    )


def _assemble_shard(
    shard: Shard,
    outcomes: Outcomes,
    parts: tuple[Part, Part, Part],
    others: Part,
    n_nearest: int,
    request_words: int,
) -> pa.RecordBatch:
    utterances, scores, assigned = (read_shard(part.folder, shard) for part in parts)
    own = assemble(utterances, scores, assigned, outcomes, n_nearest, request_words)
    table = with_others(own, read_range(others, shard))
    counts = table.column("count").to_numpy()
    several = table.column("several_requests").to_numpy(zero_copy_only=False)
    reasons = np.array(table.column("reason").to_pylist(), object)
    AssembleCounters.of_reasons(
        in_an_intent=table.num_rows - table.column("intent_id").null_count,
        several_requests=int(counts[several].sum()),
        rows={reason: int(counts[reasons == reason].sum()) for reason in np.unique(reasons)},
    ).add()
    return table


def with_others(table: pa.RecordBatch, others: pa.Table | None) -> pa.RecordBatch:
    """Return a batch of assignments, sorted by id, with the utterances of other speakers.

    Args:
        table: as `schemas.tables.ASSIGNMENTS`.
        others: as `schemas.stage_files.INGEST`, or None.
    """
    if others is None or not others.num_rows:
        return table
    n = others.num_rows
    given = {
        "kind": kind_of(OTHER_SPEAKER),
        "reason": OTHER_SPEAKER,
        "several_requests": False,
        "nearest_intents": [],
        "nearest_distances": [],
    }
    columns = {
        field.name: pa.array([given.get(field.name)] * n, field.type)
        for field in tables.ASSIGNMENTS
    }
    columns |= {name: others[name] for name in others.column_names if name in columns}
    more = pa.table(columns, schema=tables.ASSIGNMENTS)
    joined = pa.concat_tables([pa.Table.from_batches([table]), more]).sort_by("utterance_id")
    return joined.combine_chunks().to_batches()[0]


def assemble(
    utterances: pa.RecordBatch,
    scores: pa.RecordBatch,
    assigned: pa.RecordBatch,
    outcomes: Outcomes,
    n_nearest: int,
    request_words: int,
) -> pa.RecordBatch:
    """Join three batches of the same utterances, row by row.

    Args:
        utterances: as `schemas.stage_files.INGEST`.
        scores: as `schemas.stage_files.SCORE`.
        assigned: as `schemas.stage_files.ASSIGN`.
        outcomes: what became of each cluster.
        n_nearest: nearest intents to list.
        request_words: shortest request where a text is checked for several.

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
    categories = scores.column("conversational").to_pylist()
    found, leaves = assigned_from_arrow(assigned)
    verdicts = verdicts_on(found, leaves, outcomes, categories, n_nearest)
    columns = {
        name: pa.array(values, tables.ASSIGNMENTS.field(name).type)
        for name, values in dataclasses.asdict(verdicts).items()
    }
    texts = utterances.column("text").to_pylist()
    columns["several_requests"] = pa.array([has_several_requests(t, request_words) for t in texts])
    for batch in (utterances, scores):
        columns |= {n: batch.column(n) for n in batch.schema.names}
    return pa.RecordBatch.from_arrays(
        [columns[f.name] for f in tables.ASSIGNMENTS], schema=tables.ASSIGNMENTS
    )
