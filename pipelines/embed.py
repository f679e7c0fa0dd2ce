"""Stage embed: each shard of utterances to a shard of unit vectors.

The encoder is the dear part of a run, and it sees every distinct text once. Which texts it sees
together changes the last bits of a vector, so that follows from the content: inside a shard, texts
are sorted by (length, id) and cut into fixed batches.
"""

import dataclasses
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.metrics import Metrics
from apache_beam.ml.inference.base import ModelHandler, RunInference

from advin.discovery.encoding.encoder import Encoder, batches_by_length, load_encoder
from advin.pipelines import (
    coders,  # noqa: F401, registers the coder of record batches
    storage,
)
from advin.pipelines.shards import Shard, read_shard, write_shard
from advin.schemas.batches import vectors_to_arrow
from advin.schemas.tables import embed_schema

_LOG_SECONDS = 15.0
_log = logging.getLogger("advin.embed")


@dataclasses.dataclass(frozen=True)
class EncoderSettings:
    """Which encoder, how many processor threads, which precision: all decide a vector's bytes."""

    encoder: str
    threads: int
    precision: str

    def load(self) -> Encoder:
        """Load the encoder, once a process."""
        return load_encoder(self.encoder, self.threads, self.precision)


def encode_batch(batch: pa.RecordBatch, encoder: Encoder) -> pa.RecordBatch:
    """Encode the column ``text`` of a batch with a column ``utterance_id``; order is kept."""
    texts = batch.column("text").to_pylist()
    ids = batch.column("utterance_id").to_pylist()
    vectors = np.zeros((len(texts), encoder.dimension), np.float16)
    progress = _Progress(len(texts))
    for rows in batches_by_length(texts, ids):
        vectors[rows] = encoder.encode([texts[i] for i in rows])
        progress.advance(len(rows))
    return pa.RecordBatch.from_arrays(
        [batch.column("utterance_id"), vectors_to_arrow(vectors)],
        schema=embed_schema(encoder.dimension),
    )


class _Progress:
    """Logs how far this worker is with its shard: rows and rates, never texts."""

    def __init__(self, total: int):
        self._total, self._done = total, 0
        self._start = self._last = time.monotonic()

    def advance(self, rows: int) -> None:
        self._done += rows
        now = time.monotonic()
        if now - self._last >= _LOG_SECONDS:
            rate = self._done / (now - self._start)
            _log.info(
                "encoded %d of %d utterances of a shard, %.0f/s", self._done, self._total, rate
            )
            self._last = now


class EncoderHandler(
    ModelHandler[tuple[Shard, pa.RecordBatch], tuple[Shard, pa.RecordBatch], Encoder]
):
    """Lets RunInference load the encoder once a process and encode whole shards."""

    def __init__(self, settings: EncoderSettings):
        """Take the settings along; the encoder itself is loaded on the worker."""
        # An element is a shard, which is batched inside: never wait for a second one.
        super().__init__(min_batch_size=1, max_batch_size=1)
        self._settings = settings
        self._milliseconds = Metrics.counter("embed", "encoder_msecs")

    def load_model(self) -> Encoder:
        """Load the encoder."""
        return self._settings.load()

    def run_inference(
        self,
        batch: Sequence[tuple[Shard, pa.RecordBatch]],
        model: Encoder,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[tuple[Shard, pa.RecordBatch]]:
        """Encode each shard."""
        for shard, texts in batch:
            start = time.monotonic()
            vectors = encode_batch(texts, model)
            self._milliseconds.inc(round((time.monotonic() - start) * 1000))
            yield shard, vectors

    def get_num_bytes(self, batch: Sequence[tuple[Shard, pa.RecordBatch]]) -> int:
        """Bytes of the texts, for Beam's metrics."""
        return sum(texts.nbytes for _, texts in batch)

    def get_metrics_namespace(self) -> str:
        """Where RunInference's own metrics go."""
        return "encoder"


@dataclasses.dataclass
class Embed(beam.PTransform):
    """Shards of utterances in one folder to shards of vectors in another: names of the files.

    A shard whose vectors are there already, from an attempt that was killed, is not encoded again.
    """

    source: str
    target: str
    settings: EncoderSettings

    def expand(self, shards):
        """Read, encode, write: one fused step, no shuffle."""
        return (
            shards
            | "Missing" >> beam.Filter(_is_missing, self.target)
            | "ReadTexts" >> beam.ParDo(_ReadTexts(self.source))
            | "Encode" >> RunInference(EncoderHandler(self.settings))
            | "Write" >> beam.ParDo(_WriteVectors(self.target))
        )


def _is_missing(shard: Shard, folder: str) -> bool:
    return not storage.exists(storage.join(folder, shard.name))


class _ReadTexts(beam.DoFn):
    def __init__(self, folder: str):
        self._folder = folder

    def process(self, shard: Shard) -> Iterator[tuple[Shard, pa.RecordBatch]]:
        yield shard, read_shard(self._folder, shard, ["utterance_id", "text"])


class _WriteVectors(beam.DoFn):
    def __init__(self, folder: str):
        self._folder = folder
        self._vectors = Metrics.counter("embed", "vectors")

    def process(self, element: tuple[Shard, pa.RecordBatch]) -> Iterator[str]:
        shard, batch = element
        write_shard(self._folder, shard, batch)
        self._vectors.inc(batch.num_rows)
        yield shard.name
