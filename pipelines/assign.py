"""Stage assign: assign each utterance to the nearest centroid if its radius contains it."""

import dataclasses
import functools

import apache_beam as beam
import numpy as np
import pyarrow as pa

from advin.discovery.intents.assignment import Assigned, Intents, assign, assign_leaves
from advin.discovery.model import Model
from advin.pipelines.cluster import read_intents
from advin.pipelines.counters import AssignCounters
from advin.pipelines.models import ModelFolder
from advin.pipelines.score import scores_from_arrow
from advin.pipelines.shards import MapShards, Shard, read_shard
from advin.pipelines.stages import Part
from advin.schemas import stage_files
from advin.schemas.batches import vectors_from_arrow


@dataclasses.dataclass
class Assign(beam.PTransform):
    """Assign shards of vectors to centroids and return the names of the files.

    Attributes:
        vectors: vectors of the log.
        scores: their comparison with the known intents; says which utterances are conversational.
        centroids: the stage cluster's centroids.
        model: the model.
        target: folder of the assigned intents.
    """

    vectors: Part
    scores: Part
    centroids: Part
    model: ModelFolder
    target: str

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """Map shards of vectors to shards of assigned intents."""
        load = functools.partial(_load, self.model, self.centroids)
        function = functools.partial(_assign_shard, vectors=self.vectors, scores=self.scores)
        return pipeline | MapShards(self.vectors, self.target, load, function)


def _load(folder: ModelFolder, centroids: Part) -> tuple[Model, Intents]:
    return folder.load(), read_intents(centroids)


def _assign_shard(
    shard: Shard, loaded: tuple[Model, Intents], vectors: Part, scores: Part
) -> pa.RecordBatch:
    model, intents = loaded
    batch = read_shard(vectors.folder, shard)
    scored = read_shard(scores.folder, shard)
    is_conversational = scored.column("conversational").is_valid().to_numpy(zero_copy_only=False)
    learned = model.learned(vectors_from_arrow(batch.column("vector")))
    known = scores_from_arrow(scored, model.intents)
    found = assign(learned, intents, model.config.intents, known, is_conversational)
    leaves = assign_leaves(learned, intents, found, model.config.intents)
    inside = int(np.count_nonzero(found.cluster >= 0))
    AssignCounters(in_a_cluster=inside, in_no_cluster=len(found.cluster) - inside).add()
    return assigned_to_arrow(batch.column("utterance_id"), found, leaves)


def assigned_to_arrow(utterance_ids: pa.Array, found: Assigned, leaves: Assigned) -> pa.RecordBatch:
    """Return clusters and leaves as a batch with the schema `schemas.stage_files.ASSIGN`."""
    columns: list[pa.Array] = []
    for level in (found, leaves):
        n, most = level.nearest.shape
        offsets = pa.array(most * np.arange(n + 1), pa.int32())
        columns += [pa.array(level.cluster), pa.array(level.distance)]
        columns += [
            pa.ListArray.from_arrays(offsets, pa.array(values.reshape(-1)))
            for values in (level.nearest, level.distances)
        ]
    typed = [c.cast(f.type) for c, f in zip(columns, list(stage_files.ASSIGN)[1:], strict=True)]
    return pa.RecordBatch.from_arrays([utterance_ids, *typed], schema=stage_files.ASSIGN)


def assigned_from_arrow(batch: pa.RecordBatch) -> tuple[Assigned, Assigned]:
    """Return the clusters and the leaves of utterances from a batch of `assigned_to_arrow`."""

    def level(*names: str) -> Assigned:
        n = batch.num_rows
        cluster, distance = (batch.column(name).to_numpy() for name in names[:2])
        nearest, distances = (
            batch.column(name).flatten().to_numpy().reshape(n, -1 if n else 0) for name in names[2:]
        )
        return Assigned(cluster, distance, nearest, distances)

    return (
        level("intent", "distance", "nearest", "distances"),
        level("leaf", "leaf_distance", "nearest_leaves", "leaf_distances"),
    )
