"""Stage novelty: hold each utterance against the known intents, and against others of the log."""

import dataclasses
from collections.abc import Iterator

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.metrics import Metrics

from discovery.isolation import isolation
from discovery.model import Model
from pipelines.fit import Embedded
from pipelines.models import load_model
from pipelines.reference import load_reference
from pipelines.shards import Shard, read_shard, write_shard
from schemas import tables
from schemas.batches import vectors_from_arrow


def score_novelty(batch: pa.RecordBatch, model: Model, reference: np.ndarray) -> pa.RecordBatch:
    """Score a batch of vectors; without labelled intents every score is null."""
    ids, vectors = batch.column("utterance_id"), vectors_from_arrow(batch.column("vector"))
    levels = np.zeros(len(ids))
    if len(reference):
        levels = isolation(model.head.transform(vectors).astype(np.float16), reference)
    if model.novelty is None:
        nulls = [pa.nulls(len(ids), f.type) for f in tables.NOVELTY][1:-1]
        return pa.RecordBatch.from_arrays([ids, *nulls, pa.array(levels)], schema=tables.NOVELTY)
    scores = model.novelty.score(vectors)
    labels = pa.array(model.intents, pa.string())
    return pa.RecordBatch.from_arrays(
        [
            ids,
            labels.take(pa.array(scores.best_class)),
            pa.array(scores.probability, pa.float32()),
            pa.array(np.asarray(scores.score), pa.float32()),
            pa.array(levels),
        ],
        schema=tables.NOVELTY,
    )


@dataclasses.dataclass
class ScoreNovelty(beam.PTransform):
    """Shards of vectors to shards of novelty scores: names of the files.

    Attributes:
        log: its vectors.
        target: folder for the scores.
        model: its folder.
    """

    log: Embedded
    target: str
    model: str

    def expand(self, shards):
        """One fused step, no shuffle."""
        return shards | "Score" >> beam.ParDo(_Score(self.log, self.target, self.model))


class _Score(beam.DoFn):
    def __init__(self, log: Embedded, target: str, model: str):
        self._log, self._target, self._path = log, target, model
        self._scored = Metrics.counter("novelty", "scored")
        self._flagged = Metrics.counter("novelty", "flagged")

    def setup(self) -> None:
        self._model = load_model(self._path)
        self._reference = load_reference(self._log.vectors, self._log.shards, self._path)

    def process(self, shard: Shard) -> Iterator[str]:
        batch = read_shard(self._log.vectors, shard)
        scores = score_novelty(batch, self._model, self._reference)
        write_shard(self._target, shard, scores)
        values = scores.column("novelty_score").to_numpy(zero_copy_only=False)
        self._scored.inc(scores.num_rows)
        self._flagged.inc(int(np.count_nonzero(np.nan_to_num(values) > 0)))
        yield shard.name
