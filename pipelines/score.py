"""Stage score (stage I of the method): mark conversational utterances, and score the novelty."""

import dataclasses
import functools
from collections.abc import Sequence

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from advin.discovery.encoding.texts import EmbeddedTexts
from advin.discovery.model import Model
from advin.discovery.novelty.model import NoveltyScores
from advin.pipelines.counters import ScoreCounters
from advin.pipelines.models import ModelFolder
from advin.pipelines.shards import MapShards, Shard, read_shard
from advin.pipelines.stages import Part
from advin.schemas import stage_files
from advin.schemas.batches import vectors_from_arrow


@dataclasses.dataclass
class Score(beam.PTransform):
    """Score shards of vectors and return the names of the files.

    Attributes:
        utterances: utterances of the log.
        vectors: their vectors.
        model: the model.
        target: folder of the scores.
    """

    utterances: Part
    vectors: Part
    model: ModelFolder
    target: str

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """Map shards of vectors to shards of scores."""
        parts = (self.utterances, self.vectors)
        function = functools.partial(_score_shard, parts=parts)
        return pipeline | MapShards(self.vectors, self.target, self.model.load, function)


def _score_shard(shard: Shard, model: Model, parts: tuple[Part, Part]) -> pa.RecordBatch:
    texts, vectors = (read_shard(part.folder, shard) for part in parts)
    scores = score_batch(texts, vectors, model)
    values = np.nan_to_num(scores.column("novelty_score").to_numpy(zero_copy_only=False))
    ScoreCounters(
        scored=len(values),
        flagged=int(np.count_nonzero(values > 0)),
        conversational=len(values) - scores.column("conversational").null_count,
    ).add()
    return scores


def scores_from_arrow(
    batch: pa.Table | pa.RecordBatch, intents: Sequence[str]
) -> NoveltyScores | None:
    """Return the scores in a batch of `score_batch`, or None without known intents.

    Args:
        batch: columns of `schemas.stage_files.SCORE`.
        intents: labels of the model's known intents.
    """
    if not intents:
        return None
    score, probability = (
        np.asarray(batch.column(name)) for name in ("novelty_score", "known_intent_probability")
    )
    labels = batch.column("known_intent")
    best = pc.index_in(labels, pa.array(intents, pa.string()))
    return NoveltyScores(score, np.asarray(best).astype(np.int64), probability)


def score_batch(texts: pa.RecordBatch, batch: pa.RecordBatch, model: Model) -> pa.RecordBatch:
    """Score the vectors of a batch.

    Args:
        texts: as `schemas.stage_files.INGEST`.
        batch: their vectors, as `schemas.stage_files.embed_schema`.
        model: without labeled intents every score is null.

    Returns:
        a batch as `schemas.stage_files.SCORE`.
    """
    ids, vectors = batch.column("utterance_id"), vectors_from_arrow(batch.column("vector"))
    utterances = texts.column("text").to_pylist()
    categories = model.conversational(utterances, vectors)
    conversational = pa.array(categories, pa.string())
    if model.novelty is None:
        nulls = [pa.nulls(batch.num_rows, f.type) for f in stage_files.SCORE][1:-1]
        return pa.RecordBatch.from_arrays([ids, *nulls, conversational], schema=stage_files.SCORE)
    scores = model.novelty.score(EmbeddedTexts(utterances, model.neutral(vectors)))
    labels = pa.array(model.intents, pa.string())
    return pa.RecordBatch.from_arrays(
        [
            ids,
            labels.take(pa.array(scores.best_class)),
            pa.array(scores.probability, pa.float32()),
            pa.array(np.asarray(scores.score), pa.float32()),
            conversational,
        ],
        schema=stage_files.SCORE,
    )
