"""Stage embed: encode each shard of utterances as unit vectors.

Encoding takes most of a run's time, so each distinct text is encoded only once. The other texts of
a batch affect the last bits of a vector. So batches depend on the texts alone: the texts of a shard
are sorted by (length, id) and split into batches of a fixed size.
"""

import dataclasses
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.ml.inference.base import ModelHandler, RunInference

from advin.discovery.encoding.encoder import Encoder, batches_by_length, load_encoder
from advin.discovery.encoding.long_texts import encode_long, long_rows
from advin.pipelines import (
    coders,  # noqa: F401, registers the coder of record batches
    storage,
)
from advin.pipelines.counters import EmbedCounters
from advin.pipelines.shards import ListShards, Shard, read_shard, write_shard
from advin.pipelines.stages import Part
from advin.schemas.batches import vectors_to_arrow
from advin.schemas.stage_files import embed_schema

# Time between two log lines of a worker.
_LOG_SECONDS = 15
_log = logging.getLogger("advin.embed")


@dataclasses.dataclass(frozen=True)
class EncoderSettings:
    """Settings of the encoder. Each of them affects the bytes of the vectors.

    Attributes:
        encoder: hub id or folder.
        threads: processor threads.
        precision: "fp32" or "bf16".
        piece_words: most words of a piece of a text that is longer than the encoder reads.
    """

    encoder: str
    threads: int
    precision: str
    piece_words: int

    def load(self) -> Encoder:
        """Load the encoder, once in a process."""
        return load_encoder(self.encoder, self.threads, self.precision)


def encode_batch(batch: pa.RecordBatch, encoder: Encoder, piece_words: int) -> pa.RecordBatch:
    """Encode the texts of a batch.

    Args:
        batch: utterances, with the columns ``utterance_id`` and ``text``.
        encoder: the loaded encoder.
        piece_words: most words of a piece of a text that is longer than the encoder reads.

    Returns:
        a batch with the schema `schemas.stage_files.embed_schema`, in the order of the input.
    """
    texts = batch.column("text").to_pylist()
    ids = batch.column("utterance_id").to_pylist()
    vectors = np.zeros((len(texts), encoder.dimension), np.float16)
    progress = _Progress(len(texts))
    too_long = set(long_rows(texts, encoder))
    for rows in batches_by_length(texts, ids):
        short = [i for i in rows if i not in too_long]
        vectors[short] = encoder.encode([texts[i] for i in short])
        progress.advance(len(short))
    for row in sorted(too_long):
        vectors[row] = encode_long(texts[row], encoder, piece_words)
    EmbedCounters(long_texts=len(too_long)).add()
    return pa.RecordBatch.from_arrays(
        [batch.column("utterance_id"), vectors_to_arrow(vectors)],
        schema=embed_schema(encoder.dimension),
    )


class _Progress:
    """Logs how far a worker is in its shard. Log lines hold numbers only, never texts."""

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
    """Loads the encoder once in a process, and encodes whole shards."""

    def __init__(self, settings: EncoderSettings):
        """Keep the settings; the worker loads the encoder."""
        # An element is a whole shard, which `encode_batch` splits: Beam need not collect several.
        super().__init__(min_batch_size=1, max_batch_size=1)
        self._settings = settings

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
            vectors = encode_batch(texts, model, self._settings.piece_words)
            EmbedCounters(encoder_msecs=round((time.monotonic() - start) * 1000)).add()
            yield shard, vectors

    def get_num_bytes(self, batch: Sequence[tuple[Shard, pa.RecordBatch]]) -> int:
        """Return the bytes of the texts, for Beam's metrics."""
        return sum(texts.nbytes for _, texts in batch)

    def get_metrics_namespace(self) -> str:
        """Return the namespace of the metrics of Beam's RunInference."""
        return "encoder"


@dataclasses.dataclass
class Embed(beam.PTransform):
    """Encode shards of utterances and return the names of the new files.

    Shards that an interrupted attempt has written are not encoded again.

    Attributes:
        source: utterances.
        target: folder of the vectors.
        settings: settings of the encoder.
        accelerator: type of the workers' GPU, for engines that support this resource hint; None for
            no GPU.
    """

    source: Part
    target: str
    settings: EncoderSettings
    accelerator: str | None = None

    def __post_init__(self) -> None:
        """Attach the hint to the whole transform, so that engines can fuse its steps."""
        if self.accelerator:
            hint = f"type:{self.accelerator};count:1;install-nvidia-driver"
            self.with_resource_hints(accelerator=hint)

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """Read, encode and write in one fused step, without a shuffle."""
        return (
            pipeline
            | ListShards(self.source)
            | "Missing" >> beam.Filter(_is_missing, self.target)
            | "ReadTexts" >> beam.ParDo(_ReadTexts(self.source.folder))
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

    def process(self, element: tuple[Shard, pa.RecordBatch]) -> Iterator[str]:
        shard, batch = element
        write_shard(self._folder, shard, batch)
        EmbedCounters(vectors=batch.num_rows).add()
        yield shard.name
