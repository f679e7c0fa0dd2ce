"""Stage score (stage I of the method): score the novelty of each utterance."""

import dataclasses
import functools

import apache_beam as beam
import numpy as np
import pyarrow as pa

from advin.discovery.model import Model
from advin.pipelines.counters import ScoreCounters
from advin.pipelines.models import ModelFolder
from advin.pipelines.shards import MapShards, Shard, read_shard
from advin.pipelines.stages import Part
from advin.schemas import tables
from advin.schemas.batches import vectors_from_arrow


@dataclasses.dataclass
class Score(beam.PTransform):
    """Score shards of vectors and return the names of the files.

    Attributes:
        vectors: vectors of the log.
        model: the model.
        target: folder of the scores.
    """

    vectors: Part
    model: ModelFolder
    target: str

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """Map shards of vectors to shards of scores."""
        function = functools.partial(_score_shard, vectors=self.vectors)
        return pipeline | MapShards(self.vectors, self.target, self.model.load, function)


def _score_shard(shard: Shard, model: Model, vectors: Part) -> pa.RecordBatch:
    scores = score_batch(read_shard(vectors.folder, shard), model)
    values = np.nan_to_num(scores.column("novelty_score").to_numpy(zero_copy_only=False))
    ScoreCounters(scored=len(values), flagged=int(np.count_nonzero(values > 0))).add()
    return scores


def score_batch(batch: pa.RecordBatch, model: Model) -> pa.RecordBatch:
    """Score the vectors of a batch.

    Args:
        batch: as `schemas.tables.embed_schema`.
        model: without labeled intents every score is null.

    Returns:
        a batch as `schemas.tables.SCORE`.
    """
    n = batch.num_rows
    ids = batch.column("utterance_id")
    if model.novelty is None:
        nulls = [pa.nulls(n, f.type) for f in tables.SCORE][1:]
        return pa.RecordBatch.from_arrays([ids, *nulls], schema=tables.SCORE)
    scores = model.novelty.score(vectors_from_arrow(batch.column("vector")))
    labels = pa.array(model.intents, pa.string())
    return pa.RecordBatch.from_arrays(
        [
            ids,
            labels.take(pa.array(scores.best_class)),
            pa.array(scores.probability, pa.float32()),
            pa.array(np.asarray(scores.score), pa.float32()),
            pa.nulls(n, pa.string()),
        ],
        schema=tables.SCORE,
    )
