"""Stage fit: learn a model on one worker, from samples of bounded size."""

import dataclasses
import logging
from collections import Counter
from itertools import chain

import apache_beam as beam
import numpy as np
import pyarrow as pa

from advin.discovery.config import Config
from advin.discovery.encoding.identity import EncoderIdentity
from advin.discovery.encoding.texts import EmbeddedTexts
from advin.discovery.fit import (
    TrainingData,
    fit_conversation,
    fit_model,
    needs_views,
)
from advin.discovery.labels import ConsistentLabels, LabelsConfig, consistent_labels
from advin.discovery.text.notices import label_notices
from advin.pipelines.counters import FitCounters
from advin.pipelines.embed import EncoderSettings
from advin.pipelines.errors import one_line
from advin.pipelines.models import is_fitted_on, save_model
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
        fingerprint: digest of the inputs and settings, which the model keeps.
    """

    inputs: FitInputs
    encoder: EncoderSettings
    identity: EncoderIdentity
    target: str
    config: Config
    fingerprint: str

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """Fit on one worker: everything it reads is bounded."""
        return (
            pipeline
            | "Inputs" >> beam.Create([self.inputs], reshuffle=False)
            | "Fit" >> beam.Map(self._fit)
        )

    def _fit(self, inputs: FitInputs) -> str:
        if is_fitted_on(self.target, self.fingerprint):
            _log.info("the model in %s was fitted on the same inputs and settings", self.target)
            return self.target
        encode = self.encoder.load().encode
        data = read_training_data(inputs, self.identity.dimension, self.config)
        conversation = fit_conversation(data, encode, self.config)
        data = data.requests(conversation)
        FitCounters(
            fitted_on_log=len(data.log.texts),
            fitted_on_labeled=len(data.labeled.texts),
            known_intents=len(data.intents),
        ).add()
        if needs_views(data.labels, self.config):
            data = data.with_views(encode, self.config)
        model = fit_model(data, self.identity, self.config, conversation)
        save_model(self.target, model, self.fingerprint)
        return self.target


def read_training_data(inputs: FitInputs, dimension: int, config: Config) -> TrainingData:
    """Read the samples that a model is learned from.

    Args:
        inputs: all texts and vectors.
        dimension: length of a vector.
        config: sizes of the samples, and how labels are read.
    """
    none = EmbeddedTexts((), np.zeros((0, dimension), np.float16))
    log = _read_embedded(inputs.log, config.sample.max_log)
    ood = none
    if inputs.out_of_domain is not None:
        ood = _read_embedded(inputs.out_of_domain, config.sample.max_out_of_domain)
    if inputs.labeled is None:
        return TrainingData(log, none, np.zeros(0, np.int64), (), (), ood)
    most = config.sample.max_labeled
    rows = _read_utterances(inputs.labeled.utterances, most, [*_LABELS, "text"])
    texts, vectors = rows["text"].to_pylist(), _read_vectors(inputs.labeled.vectors, most)
    labels = _consistent(rows, config)
    keep, domain_of = labels.rows, labels.domain_of
    FitCounters(
        labels_overruled=len(texts) - len(keep),
        labels_respelled=sum(len(group) - 1 for group in labels.spellings),
        intents_of_domains=len(labels.split),
    ).add()
    intents = tuple(sorted(set(labels.intents)))
    index = {intent: i for i, intent in enumerate(intents)}
    return TrainingData(
        log=log,
        labeled=EmbeddedTexts([texts[i] for i in keep], vectors[keep]),
        labels=np.array([index[i] for i in labels.intents], np.int64),
        intents=intents,
        domains=tuple(domain_of.get(i) for i in intents),
        out_of_domain=ood,
    )


def check_labels(labeled: Part, config: Config) -> None:
    """Check labels before a fit, and log what is wrong with them, one line for each kind."""
    for line in label_lines(labeled, config):
        _log.warning("%s", line)


def label_lines(labeled: Part, config: Config) -> list[str]:
    """Return what is contradictory in labels, and where they are too few, one line each."""
    rows = _read_utterances(labeled, config.sample.max_labeled, _LABELS)
    labels = _consistent(rows, config)
    lines = label_notices(
        Counter(labels.intents), config.labels.min_labels, config.labels.min_intents
    )
    if labels.spellings:
        lines.append(_spellings_line(labels, config.labels))
    if labels.split:
        lines.append(_domains_line(labels))
    if len(labels.rows) < rows.num_rows:
        lost = sorted({*rows["intent"].to_pylist()} - {*chain(labels.intents, *labels.spellings)})
        left = f"; no utterance is left of {_listed(lost)}" if lost else ""
        lines.append(
            f"--labeled: {rows.num_rows - len(labels.rows)} labels are dropped because the "
            "utterance has another intent, too; the most frequent label counts, then the first by "
            f"name{left}"
        )
    return [one_line(line) for line in lines]


def _spellings_line(labels: ConsistentLabels, config: LabelsConfig) -> str:
    n = sum(map(len, labels.spellings))
    shown = " and ".join(map(repr, labels.spellings[0][:2]))
    advice = (
        "each group is one label now"
        if config.spellings == "join"
        else "join them with --label-spellings join"
    )
    return (
        f"--labeled: {n} labels are spellings of {len(labels.spellings)}, such as {shown}: {advice}"
    )


def _domains_line(labels: ConsistentLabels) -> str:
    intent, rows = next(iter(labels.split.items()))
    chosen = labels.domain_of[intent]
    others = ", ".join(f"{domain!r} ({n} rows)" for domain, n in rows.items() if domain != chosen)
    return (
        f"--labeled: {len(labels.split)} intents have several domains, and the most frequent one "
        f"counts: {intent!r} has {chosen!r} ({rows[chosen]} rows), not {others}"
    )


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_LISTED])
    more = len(names) - _LISTED
    return f"{shown} and {more} more" if more > 0 else shown


def _consistent(rows: pa.Table, config: Config) -> ConsistentLabels:
    ids, counts, intents, domains = (rows[column].to_pylist() for column in _LABELS)
    return consistent_labels(ids, counts, intents, domains, config.labels)


def _read_embedded(source: Embedded, rows: int) -> EmbeddedTexts:
    texts = _read_utterances(source.utterances, rows, ["text"])["text"].to_pylist()
    return EmbeddedTexts(texts, _read_vectors(source.vectors, rows))


def _read_utterances(part: Part, rows: int, columns: list[str]) -> pa.Table:
    return pa.Table.from_batches(read_first_rows(part, rows, columns))


def _read_vectors(part: Part, rows: int) -> np.ndarray:
    batches = read_first_rows(part, rows, ["vector"])
    return np.concatenate([vectors_from_arrow(b.column("vector")) for b in batches])
