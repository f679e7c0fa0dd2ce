"""Stage score: hold each utterance against the known intents."""

import dataclasses
from collections.abc import Iterator

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.metrics import Metrics

from advin.discovery.model import Model
from advin.pipelines.models import load_model
from advin.pipelines.shards import Shard, read_shard, write_shard
from advin.schemas import tables
from advin.schemas.batches import vectors_from_arrow


def score_batch(batch: pa.RecordBatch, model: Model) -> pa.RecordBatch:
    """Score a batch of vectors; without labeled intents every score is null."""
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
        ],
        schema=tables.SCORE,
    )


@dataclasses.dataclass
class Score(beam.PTransform):
    """Shards of vectors to shards of novelty scores: names of the files."""

    vectors: str
    target: str
    model: str

    def expand(self, shards):
        """One fused step, no shuffle."""
        return shards | "Score" >> beam.ParDo(_Score(self.vectors, self.target, self.model))


class _Score(beam.DoFn):
    def __init__(self, vectors: str, target: str, model: str):
        self._vectors, self._target, self._path = vectors, target, model
        self._scored = Metrics.counter("score", "scored")
        self._flagged = Metrics.counter("score", "flagged")

    def setup(self) -> None:
        self._model = load_model(self._path)

    def process(self, shard: Shard) -> Iterator[str]:
        scores = score_batch(read_shard(self._vectors, shard), self._model)
        write_shard(self._target, shard, scores)
        values = scores.column("novelty_score").to_numpy(zero_copy_only=False)
        self._scored.inc(scores.num_rows)
        self._flagged.inc(int(np.count_nonzero(np.nan_to_num(values) > 0)))
        yield shard.name
