"""Stage fit: learn a model on one worker, from bounded samples of the stages before."""

import dataclasses
import logging
from collections.abc import Iterator

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.metrics import Metrics

from advin.discovery.config import Config, SampleConfig
from advin.discovery.encoding.identity import EncoderIdentity
from advin.discovery.fit import (
    EmbeddedTexts,
    TrainingData,
    fit_model,
    needs_views,
)
from advin.discovery.labels import LabelError, intent_domains, resolve_labels
from advin.pipelines.embed import EncoderSettings
from advin.pipelines.errors import SettingsError
from advin.pipelines.models import save_model
from advin.pipelines.shards import read_first_rows
from advin.pipelines.stages import Stage
from advin.schemas.batches import vectors_from_arrow

_log = logging.getLogger("advin")

_LABELS = ["utterance_id", "count", "intent", "domain"]
# Names that a line of the log lists.
_LISTED = 5


@dataclasses.dataclass(frozen=True)
class Embedded:
    """A set of utterances that has been through the stages ingest and embed.

    Attributes:
        utterances: folder of the texts.
        vectors: folder of their vectors.
        shards: how many each has.
        distinct: how many utterances there are.
    """

    utterances: str
    vectors: str
    shards: int
    distinct: int

    @classmethod
    def of(cls, ingest: Stage, embed: Stage, distinct: int) -> "Embedded":
        """Point at the data of two finished stages."""
        return cls(ingest.path(), embed.path(), ingest.shards, distinct)


@dataclasses.dataclass(frozen=True)
class FitInputs:
    """Where the log, the labeled utterances and the out-of-domain texts are, if given."""

    log: Embedded
    labeled: Embedded | None
    out_of_domain: Embedded | None


@dataclasses.dataclass
class Fit(beam.PTransform):
    """Embedded utterances to a model folder: one element, its path."""

    inputs: FitInputs
    encoder: EncoderSettings
    identity: EncoderIdentity
    target: str
    config: Config

    def expand(self, pipeline):
        """Learn in one place: everything it reads is bounded."""
        return (
            pipeline
            | "Inputs" >> beam.Create([self.inputs], reshuffle=False)
            | "Fit" >> beam.ParDo(_Fit(self))
        )


class _Fit(beam.DoFn):
    def __init__(self, fit: Fit):
        self._encoder, self._identity = fit.encoder, fit.identity
        self._target, self._config = fit.target, fit.config

    def process(self, inputs: FitInputs) -> Iterator[str]:
        data = read_training_data(inputs, self._identity.dimension, self._config.sample)
        for name, rows in (("log", data.log), ("labeled", data.labeled)):
            Metrics.counter("fit", f"fitted_on_{name}").inc(len(rows.texts))
        Metrics.counter("fit", "known_intents").inc(len(data.intents))
        if needs_views(data.labels, self._config):
            data = data.with_views(self._encoder.load().encode, self._config)
        save_model(self._target, fit_model(data, self._identity, self._config))
        yield self._target


def read_training_data(inputs: FitInputs, dimension: int, config: SampleConfig) -> TrainingData:
    """Read the bounded samples that a model is learned from."""
    none = EmbeddedTexts((), np.zeros((0, dimension), np.float16))
    log = _read_embedded(inputs.log, config.max_log)
    ood = none
    if inputs.out_of_domain is not None:
        ood = _read_embedded(inputs.out_of_domain, config.max_out_of_domain)
    if inputs.labeled is None:
        return TrainingData(log, none, np.zeros(0, np.int64), (), (), ood)
    most = config.max_labeled
    rows = _read_utterances(inputs.labeled, most, [*_LABELS, "text"])
    texts, vectors = rows["text"].to_pylist(), _read_vectors(inputs.labeled, most)
    keep, intent_of, domain_of = _resolve(rows)
    if len(keep) < len(texts):
        Metrics.counter("fit", "labels_overruled").inc(len(texts) - len(keep))
    intents = tuple(sorted(set(intent_of)))
    index = {intent: i for i, intent in enumerate(intents)}
    return TrainingData(
        log=log,
        labeled=EmbeddedTexts([texts[i] for i in keep], vectors[keep]),
        labels=np.array([index[i] for i in intent_of], np.int64),
        intents=intents,
        domains=tuple(domain_of.get(i) for i in intents),
        out_of_domain=ood,
    )


def check_labels(labeled: Embedded, config: SampleConfig) -> None:
    """Look at the labels before anything is learned.

    What is labeled with several intents is settled, and told, as an intent may lose all it has.

    Raises:
        SettingsError: if one intent is labeled with two domains.
    """
    rows = _read_utterances(labeled, config.max_labeled, _LABELS)
    keep, kept, _ = _resolve(rows)
    if len(keep) == rows.num_rows:
        return
    lost = sorted(set(rows["intent"].to_pylist()) - set(kept))
    _log.warning(
        "--labeled: %d labels are of utterances that another intent claims, too: what is labeled "
        "most often counts, ties go by name%s",
        rows.num_rows - len(keep),
        f"; nothing is left of {_listed(lost)}" if lost else "",
    )


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_LISTED])
    more = len(names) - _LISTED
    return f"{shown} and {more} more" if more > 0 else shown


def _resolve(rows: pa.Table) -> tuple[list[int], list[str], dict[str, str]]:
    """Return the rows to keep, their intents, and the domain of each intent that has one."""
    ids, counts, intents, domains = (rows[column].to_pylist() for column in _LABELS)
    try:
        domain_of = intent_domains(intents, domains, counts)
    except LabelError as error:
        raise SettingsError(f"--labeled: {error}") from error
    return *resolve_labels(ids, counts, intents), domain_of


def _read_embedded(source: Embedded, rows: int) -> EmbeddedTexts:
    texts = _read_utterances(source, rows, ["text"])["text"].to_pylist()
    return EmbeddedTexts(texts, _read_vectors(source, rows))


def _read_utterances(source: Embedded, rows: int, columns: list[str]) -> pa.Table:
    return pa.Table.from_batches(read_first_rows(source.utterances, source.shards, rows, columns))


def _read_vectors(source: Embedded, rows: int) -> np.ndarray:
    batches = read_first_rows(source.vectors, source.shards, rows, ["vector"])
    return np.concatenate([vectors_from_arrow(b.column("vector")) for b in batches])
