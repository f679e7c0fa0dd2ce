"""The model: everything that is learned before a log is processed, as safetensors and JSON."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Self

import numpy as np
from pydantic import Field
from safetensors import numpy as tensors

from advin.discovery.compute.arrays import (
    ArrayError,
    ArraySpec,
    below,
    check_arrays,
    check_length,
    check_range,
)
from advin.discovery.compute.model_arrays import model_arrays
from advin.discovery.config import Config, ConfigError
from advin.discovery.conversation.learned import FEATURES
from advin.discovery.conversation.rule import ConversationRule
from advin.discovery.encoding.identity import EncoderIdentity
from advin.discovery.encoding.neutral import LanguageDirections
from advin.discovery.intents.rules import IntentRules, intent_rules
from advin.discovery.labels import OUT_OF_DOMAIN
from advin.discovery.metric.head import MetricHead, stacked_heads, unstacked_heads
from advin.discovery.novelty.checks import check_novelty
from advin.discovery.novelty.model import NoveltyModel
from advin.discovery.novelty.scores import SCORE_NAMES
from advin.discovery.selection.distance import DEFAULT, LEARNED, SEPARATED, IntentDistance
from advin.discovery.text.config import MASKING_VERSION
from advin.schemas.typed_json import JsonError, checked, read_json

CONFIG = "config.json"
TENSORS = "model.safetensors"
_VERSION = 13
Origin = Annotated[str, Field(pattern=f"^({LEARNED}|{SEPARATED}|{DEFAULT})$")]

# `_ModelValues.specs` says which of these arrays a model has.
_ARRAYS = model_arrays(SCORE_NAMES)


class ModelError(ValueError):
    """A model cannot be read."""


@dataclass(frozen=True, slots=True)
class _Versioned:
    """The part of config.json that all versions of a model have."""

    version: int


@checked
@dataclass(frozen=True, slots=True)
class _DistanceValues:
    """The learned distance without its arrays, as config.json holds it."""

    value: Annotated[float, Field(ge=0, le=2)]
    radius: Annotated[float, Field(ge=0)]
    small: Annotated[int, Field(ge=0)]
    origin: Origin


@checked
@dataclass(frozen=True, slots=True)
class _ConversationValues:
    """The rule of conversational utterances without its arrays, as config.json holds it."""

    known: list[str]
    labeled: list[str]
    classes: Annotated[list[str], Field(min_length=2)] | None
    threshold: float | None


@checked
@dataclass(frozen=True, slots=True)
class _ModelValues:
    """The content of config.json."""

    version: int
    masking_version: int
    encoder: EncoderIdentity
    config: dict[str, Any]
    intents: tuple[str, ...]
    domains: tuple[str | None, ...]
    distance: _DistanceValues
    domain_distance: Annotated[float, Field(ge=0)]
    domain_origin: Origin
    has_novelty: bool
    conversation: _ConversationValues | None

    def check(self) -> None:
        """Check what the types do not say.

        Raises:
            ModelError: if two values contradict each other, or the masking rules are others.
        """
        if self.masking_version != MASKING_VERSION:
            raise ModelError(
                f"{CONFIG}: the model was fitted with version {self.masking_version} of the "
                f"masking rules, but this program has version {MASKING_VERSION}"
            )
        if list(self.intents) != sorted(set(self.intents)):
            raise ModelError(f"{CONFIG}: intents must be sorted, each once")
        if len(self.domains) != len(self.intents):
            raise ModelError(
                f"{CONFIG}: domains has {len(self.domains)} items, but intents has "
                f"{len(self.intents)}"
            )
        if self.has_novelty != bool(self.intents):
            raise ModelError(
                f"{CONFIG}: has_novelty is {self.has_novelty}, but there are {len(self.intents)} "
                "known intents"
            )
        if not 1 <= self.encoder.sentence_dimension <= self.encoder.dimension:
            raise ModelError(
                f"{CONFIG}: encoder.sentence_dimension is {self.encoder.sentence_dimension}, but "
                f"must be 1 to encoder.dimension, {self.encoder.dimension}"
            )

    def specs(self, arrays: dict[str, np.ndarray]) -> dict[str, ArraySpec]:
        """Return the specification of each array of the model; some are optional."""
        open_set = "novelty.scorers.open_set."
        rule = self.conversation
        # The first prefix of a name counts; all models have arrays without any of these prefixes.
        has = {
            open_set: self.has_novelty and any(name.startswith(open_set) for name in arrays),
            "novelty.": self.has_novelty,
            "conversation.": rule is not None and rule.classes is not None,
            "heads.": any(name.startswith("heads.") for name in arrays),
            "directions.sentence": any(name.startswith("directions.") for name in arrays),
            "directions.middle": "directions.middle" in arrays,
        }
        return {
            name: ArraySpec.of(text)
            for name, text in _ARRAYS.items()
            if next((here for prefix, here in has.items() if name.startswith(prefix)), True)
        }

    @property
    def sizes(self) -> dict[str, int]:
        """The sizes of arrays that follow from the values."""
        known = len(self.intents)
        classes = (self.conversation and self.conversation.classes) or []
        return {
            "one": 1,
            "two": 2,
            "dimension": self.encoder.dimension,
            "sentence": self.encoder.sentence_dimension,
            "middle": self.encoder.dimension - self.encoder.sentence_dimension,
            "intents": known,
            "intents_and_open": known + 1,
            "classes": len(classes),
            "conversation_inputs": self.encoder.dimension + FEATURES,
        }


@dataclass(frozen=True, slots=True)
class Model:
    """What `fit_model` learns and `discover` uses.

    Attributes:
        encoder: the encoder whose vectors the model was fitted on.
        config: the configuration of the fit. Sections in `DISCOVER_SECTIONS` may be changed later.
        intents: labels of the known intents, sorted; empty without labels.
        domains: domain of each known intent, or None.
        novelty: stage I; None without labels.
        head: metric head of stage II.
        distance: learned distance and radius of intents.
        domain_distance: distance of stage III, 1 - CSLS.
        domain_origin: "learned", or "default" if too few domains are known.
        anchors: (a, d) float16 vectors of labeled and out-of-domain utterances, by the encoder.
        anchor_labels: (a,) int64: index of the known intent, or OUT_OF_DOMAIN.
        label_density: (k,) float64, labels of each known intent / its share of the log.
        conversation: tells conversational utterances from requests; None: all are requests.
        directions: in which the languages of the log differ; removed from all vectors but those
            that `conversation` takes.
    """

    encoder: EncoderIdentity
    config: Config
    intents: tuple[str, ...]
    domains: tuple[str | None, ...]
    novelty: NoveltyModel | None
    head: MetricHead
    distance: IntentDistance
    domain_distance: float
    domain_origin: str
    anchors: np.ndarray
    anchor_labels: np.ndarray
    label_density: np.ndarray
    conversation: ConversationRule | None = None
    directions: LanguageDirections = LanguageDirections()

    def neutral(self, vectors: np.ndarray) -> np.ndarray:
        """Return vectors (n, d) of the encoder without the language bias of the log."""
        return self.directions.remove(vectors)

    def learned(self, vectors: np.ndarray) -> np.ndarray:
        """Return vectors (n, d) of the encoder in the learned space: (n, e) float32, unit norm."""
        return self.head.transform(self.neutral(vectors))

    def conversational(self, texts: Sequence[str], vectors: np.ndarray) -> list[str | None]:
        """Return what `ConversationRule.categories` does; (n,) None without a rule."""
        if self.conversation is None:
            return [None] * len(texts)
        return self.conversation.categories(texts, vectors)

    @property
    def rules(self) -> IntentRules:
        """The rules of stage II: the learned distance under the configuration."""
        return intent_rules(self.distance, self.config)

    @property
    def origins(self) -> dict[str, str]:
        """Where each distance comes from: "learned" (from labels), "separated" or "default"."""
        return {"intent_distance": self.distance.origin, "domain_distance": self.domain_origin}

    @property
    def shortages(self) -> dict[str, dict[str, int]]:
        """For each default distance: the groups of two that the labels give, and that it needs.

        The groups of intent_distance are intents with two labels, those of domain_distance domains
        with two labeled intents.
        """
        labels = self.anchor_labels[self.anchor_labels >= 0].tolist()
        domains = [domain for domain in self.domains if domain is not None]
        groups = {
            "intent_distance": (labels, self.config.neighbors.min_intents),
            "domain_distance": (domains, self.config.domains.min_domains),
        }
        return {
            name: {"given": sum(n >= 2 for n in Counter(found).values()), "needed": needed}
            for name, (found, needed) in groups.items()
            if self.origins[name] == DEFAULT
        }

    def to_files(self) -> dict[str, bytes]:
        """Return the files of a model folder, by name."""
        distance, rule = self.distance, self.conversation
        conversation = None if rule is None else _ConversationValues(**rule.to_values())
        values = _ModelValues(
            version=_VERSION,
            masking_version=MASKING_VERSION,
            encoder=self.encoder,
            config=self.config.to_dict(),
            intents=self.intents,
            domains=self.domains,
            distance=_DistanceValues(
                distance.value, distance.radius, distance.small, distance.origin
            ),
            domain_distance=self.domain_distance,
            domain_origin=self.domain_origin,
            has_novelty=self.novelty is not None,
            conversation=conversation,
        )
        arrays = {f"head.{k}": v for k, v in self.head.to_arrays().items()}
        arrays |= {f"heads.{k}": v for k, v in stacked_heads(distance.heads).items()}
        if self.novelty is not None:
            arrays |= {f"novelty.{k}": v for k, v in self.novelty.to_arrays().items()}
        if rule is not None:
            arrays |= {f"conversation.{k}": v for k, v in rule.to_arrays().items()}
        arrays |= {f"directions.{k}": v for k, v in self.directions.to_arrays().items()}
        arrays |= {
            "distance.grid": distance.grid,
            "distance.quality": distance.quality,
            "anchors": self.anchors,
            "anchor_labels": self.anchor_labels,
            "label_density": self.label_density,
        }
        arrays = {k: np.ascontiguousarray(v) for k, v in sorted(arrays.items())}
        return {
            CONFIG: (json.dumps(asdict(values), indent=2, ensure_ascii=False) + "\n").encode(),
            TENSORS: tensors.save(arrays),
        }

    @classmethod
    def from_files(cls, files: dict[str, bytes]) -> Self:
        """Restore a model from what `to_files` returned.

        Raises:
            ModelError: if the files are not a model, or a model of another version. The message
                names the file and the fault.
        """
        values = _read_values(files[CONFIG])
        try:
            config = Config().with_mapping(values.config)
        except ConfigError as error:
            raise ModelError(f"{CONFIG}: {error}") from error
        arrays = _read_arrays(files[TENSORS], values, config)
        novelty = None
        if values.has_novelty:
            novelty = NoveltyModel.from_arrays(below("novelty.", arrays))
        conversation = None
        if values.conversation is not None:
            conversation = ConversationRule.restored(
                config.conversation, asdict(values.conversation), below("conversation.", arrays)
            )
        return cls(
            encoder=values.encoder,
            config=config,
            intents=values.intents,
            domains=values.domains,
            novelty=novelty,
            head=MetricHead.from_arrays(below("head.", arrays)),
            distance=IntentDistance(
                **asdict(values.distance),
                grid=arrays["distance.grid"],
                quality=arrays["distance.quality"],
                heads=unstacked_heads(below("heads.", arrays)),
            ),
            domain_distance=values.domain_distance,
            domain_origin=values.domain_origin,
            anchors=arrays["anchors"],
            anchor_labels=arrays["anchor_labels"],
            label_density=arrays["label_density"],
            conversation=conversation,
            directions=LanguageDirections.from_arrays(below("directions.", arrays)),
        )


def _read_values(data: bytes) -> _ModelValues:
    """Read config.json; a file of another version may have other names."""
    try:
        version = read_json(data, _Versioned).version
        if version != _VERSION:
            raise ModelError(
                f"{CONFIG}: the model has version {version}, but this program reads version "
                f"{_VERSION}"
            )
        values = read_json(data, _ModelValues)
    except JsonError as error:
        raise ModelError(f"{CONFIG}: {error}") from error
    values.check()
    return values


def _read_arrays(data: bytes, values: _ModelValues, config: Config) -> dict[str, np.ndarray]:
    try:
        arrays = tensors.load(data)
    except Exception as error:  # safetensors raises errors of its own and of numpy
        raise ModelError(f"{TENSORS}: not in the format safetensors: {error}") from error
    try:
        check_arrays(arrays, values.specs(arrays), values.sizes)
        _check_values(arrays, values, config)
    except ArrayError as error:
        raise ModelError(f"{TENSORS}: {error}") from error
    return arrays


def _check_values(arrays: dict[str, np.ndarray], values: _ModelValues, config: Config) -> None:
    """Check numbers that are used as positions, counts or divisors."""
    known, dimension = len(values.intents), values.encoder.dimension
    check_range("anchor_labels", arrays["anchor_labels"], OUT_OF_DOMAIN, known - 1)
    check_range("label_density", arrays["label_density"], 0, np.inf)
    check_length("head.bias_out", arrays["head.bias_out"], dimension)
    if values.has_novelty:
        check_novelty(arrays, config.novelty, dimension, known)
    if "heads.bias_out" in arrays:
        check_length("heads.bias_out", arrays["heads.bias_out"], dimension)
