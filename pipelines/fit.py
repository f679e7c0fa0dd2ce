"""Stage fit: learn a model on one worker, from samples of bounded size."""

import dataclasses
import logging

import apache_beam as beam
import numpy as np
import pyarrow as pa

from advin.discovery.config import Config, SampleConfig
from advin.discovery.encoding.identity import EncoderIdentity
from advin.discovery.fit import (
    EmbeddedTexts,
    TrainingData,
    fit_model,
    needs_views,
)
from advin.discovery.labels import LabelError, intent_domains, resolve_labels
from advin.pipelines.counters import FitCounters
from advin.pipelines.embed import EncoderSettings
from advin.pipelines.errors import SettingsError
from advin.pipelines.models import save_model
from advin.pipelines.shards import read_first_rows
from advin.pipelines.stages import Part
from advin.schemas.batches import vectors_from_arrow

_log = logging.getLogger("advin")

_LABELS = ["utterance_id", "count", "intent", "domain"]
# Most intents listed in a log line.
_LISTED = 5


@dataclasses.dataclass(frozen=True)
class Embedded:
    """Utterances that the stages ingest and embed have finished.

    Attributes:
        utterances: the texts.
        vectors: their vectors.
    """

    utterances: Part
    vectors: Part


@dataclasses.dataclass(frozen=True)
class FitInputs:
    """The inputs of a fit; labeled utterances and out-of-domain texts are optional."""

    log: Embedded
    labeled: Embedded | None
    out_of_domain: Embedded | None


@dataclasses.dataclass
class Fit(beam.PTransform):
    """Fit a model and return its folder.

    Attributes:
        inputs: what the model is learned from.
        encoder: settings of the encoder.
        identity: of the encoder.
        target: folder of the model.
        config: the configuration.
    """

    inputs: FitInputs
    encoder: EncoderSettings
    identity: EncoderIdentity
    target: str
    config: Config

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """Fit on one worker: everything it reads is bounded."""
        return (
            pipeline
            | "Inputs" >> beam.Create([self.inputs], reshuffle=False)
            | "Fit" >> beam.Map(_fit, self.encoder, self.identity, self.target, self.config)
        )


def _fit(
    inputs: FitInputs,
    encoder: EncoderSettings,
    identity: EncoderIdentity,
    target: str,
    config: Config,
) -> str:
    data = read_training_data(inputs, identity.dimension, config.sample)
    FitCounters(
        fitted_on_log=len(data.log.texts),
        fitted_on_labeled=len(data.labeled.texts),
        known_intents=len(data.intents),
    ).add()
    if needs_views(data.labels, config):
        data = data.with_views(encoder.load().encode, config)
    save_model(target, fit_model(data, identity, config))
    return target


def read_training_data(inputs: FitInputs, dimension: int, config: SampleConfig) -> TrainingData:
    """Read the samples that a model is learned from.

    Args:
        inputs: all texts and vectors.
        dimension: length of a vector.
        config: sizes of the samples.
    """
    none = EmbeddedTexts((), np.zeros((0, dimension), np.float16))
    log = _read_embedded(inputs.log, config.max_log)
    ood = none
    if inputs.out_of_domain is not None:
        ood = _read_embedded(inputs.out_of_domain, config.max_out_of_domain)
    if inputs.labeled is None:
        return TrainingData(log, none, np.zeros(0, np.int64), (), (), ood)
    most = config.max_labeled
    rows = _read_utterances(inputs.labeled.utterances, most, [*_LABELS, "text"])
    texts, vectors = rows["text"].to_pylist(), _read_vectors(inputs.labeled.vectors, most)
    keep, intent_of, domain_of = _resolve(rows)
    FitCounters(labels_overruled=len(texts) - len(keep)).add()
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


def check_labels(labeled: Part, config: SampleConfig) -> None:
    """Check labels before a fit, and log how many contradictory ones will be dropped.

    Raises:
        SettingsError: if one intent is labeled with two domains.
    """
    rows = _read_utterances(labeled, config.max_labeled, _LABELS)
    keep, kept, _ = _resolve(rows)
    if len(keep) == rows.num_rows:
        return
    lost = sorted(set(rows["intent"].to_pylist()) - set(kept))
    _log.warning(
        "--labeled: %d labels are dropped because the utterance has another intent, too; the most "
        "frequent label counts, then the first by name%s",
        rows.num_rows - len(keep),
        f"; no utterance is left of {_listed(lost)}" if lost else "",
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
    texts = _read_utterances(source.utterances, rows, ["text"])["text"].to_pylist()
    return EmbeddedTexts(texts, _read_vectors(source.vectors, rows))


def _read_utterances(part: Part, rows: int, columns: list[str]) -> pa.Table:
    return pa.Table.from_batches(read_first_rows(part, rows, columns))


def _read_vectors(part: Part, rows: int) -> np.ndarray:
    batches = read_first_rows(part, rows, ["vector"])
    return np.concatenate([vectors_from_arrow(b.column("vector")) for b in batches])
