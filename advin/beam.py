"""Transforms for a Beam job of your own: embed texts, score them, assign them to intents.

Each takes a PCollection of texts and encodes them in batches. The encoder and the model are loaded
once on each worker, so workers must be able to read their folders.

    import apache_beam as beam
    from advin.beam import AssignIntents

    with beam.Pipeline() as pipeline:
        (
            pipeline
            | beam.io.ReadFromText("gs://bucket/questions.txt")
            | AssignIntents("gs://bucket/run")
            | beam.Map(print)
        )
"""

import os
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import numpy as np

from advin.assignment import KnownIntents, RunIntents, TextEncoder
from advin.discovery.config import Config
from advin.models import Model
from advin.pipelines import storage
from advin.results import Run
from advin.runners.processes import share_processors

# Texts that are encoded together: more need less padding, fewer less memory.
_MIN_BATCH = 16
_MAX_BATCH = 1024


class Embed(beam.PTransform):
    """Embed texts: PCollection[str] to PCollection[tuple[str, np.ndarray | None]].

    A vector is (d,) float16 with unit norm; None for a text that is empty or too long.
    """

    def __init__(
        self, encoder: str | None = None, precision: str | None = None, threads: int = 2
    ) -> None:
        """Choose an encoder.

        Args:
            encoder: hub id or folder of a SentenceTransformer; None for all-MiniLM-L6-v2.
            precision: "fp32" or "bf16"; None for the best one of the worker's processor.
            threads: processor threads of each worker.
        """
        super().__init__()
        self._encoder = TextEncoder(encoder, precision, threads)

    def expand(self, texts: "beam.PCollection[str]") -> "beam.PCollection[Any]":
        """Batch the texts and embed each batch."""
        return _batched(texts, _Embed(self._encoder))


class ScoreNovelty(beam.PTransform):
    """Score texts against the known intents of a model: PCollection[str] to PCollection[dict].

    Keys: text, known_intent, probability, novelty_score, as in `Model.assign`.
    """

    def __init__(self, model: "Model | str | os.PathLike[str]", threads: int = 2) -> None:
        """Choose a model.

        Args:
            model: a fitted model, or its folder.
            threads: processor threads of each worker.
        """
        super().__init__()
        folder = model.folder if isinstance(model, Model) else os.fspath(model)
        self._known = KnownIntents(storage.absolute(folder), threads)

    def expand(self, texts: "beam.PCollection[str]") -> "beam.PCollection[Any]":
        """Batch the texts and score each batch."""
        return _batched(texts, _Assign(self._known))


class AssignIntents(beam.PTransform):
    """Assign texts to the intents of a run, known and novel: PCollection[str] to PCollection[dict].

    Keys: text, intent_id, name, kind, reason, distance, domain, as in `Run.assign`.
    """

    def __init__(self, run: "Run | str | os.PathLike[str]", threads: int = 2) -> None:
        """Choose a run.

        Args:
            run: a finished run, or its folder.
            threads: processor threads of each worker.
        """
        super().__init__()
        folder = run.folder if isinstance(run, Run) else os.fspath(run)
        self._intents = RunIntents(storage.absolute(folder), threads)

    def expand(self, texts: "beam.PCollection[str]") -> "beam.PCollection[Any]":
        """Batch the texts and assign each batch."""
        return _batched(texts, _Assign(self._intents))


def _batched(texts: "beam.PCollection[str]", apply: beam.DoFn) -> "beam.PCollection[Any]":
    return (
        texts
        | "Batch" >> beam.BatchElements(_MIN_BATCH, _MAX_BATCH)
        | "Apply" >> beam.ParDo(apply).with_output_types(Any)
    )


class _Embed(beam.DoFn):
    """Batch of texts to texts with vectors."""

    def __init__(self, encoder: TextEncoder):
        self._encoder = encoder

    def setup(self) -> None:
        share_processors()
        self._encoder.load()

    def process(self, texts: list[str]) -> Iterator[tuple[str, np.ndarray | None]]:
        rows, _, vectors = self._encoder.encode(texts, Config())
        found = dict(zip(rows.tolist(), vectors, strict=True))
        for i, text in enumerate(texts):
            yield text, found.get(i)


class _Assign(beam.DoFn):
    """Batch of texts to texts with the columns of a model or a run."""

    def __init__(self, intents: KnownIntents | RunIntents):
        self._intents = intents

    def setup(self) -> None:
        share_processors()
        self._intents.check_encoder()

    def process(self, texts: list[str]) -> Iterator[dict[str, Any]]:
        for text, row in zip(texts, self._intents.assign(texts), strict=True):
            yield {"text": text, **row}
