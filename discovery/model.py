"""The model: everything that is learned before a log is processed, as safetensors and JSON."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as tensors

from advin.discovery.config import Config, ConfigError
from advin.discovery.conversation.rule import ConversationRule
from advin.discovery.encoding.identity import EncoderIdentity
from advin.discovery.encoding.neutral import LanguageDirections
from advin.discovery.intents.decision import IntentRules, intent_rules
from advin.discovery.metric.head import MetricHead
from advin.discovery.novelty.model import NoveltyModel
from advin.discovery.selection.distance import DEFAULT, IntentDistance
from advin.discovery.text.config import MASKING_VERSION

CONFIG = "config.json"
TENSORS = "model.safetensors"
_VERSION = 8
# Fields of the learned distance that are no arrays.
_DISTANCE_VALUES = ("value", "radius", "small", "origin")


class ModelError(ValueError):
    """A model cannot be read."""


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
    conversation: ConversationRule | None = None
    directions: LanguageDirections = LanguageDirections()

    def neutral(self, vectors: np.ndarray) -> np.ndarray:
        """Return vectors (n, d) of the encoder without the language bias of the log."""
        return self.directions.remove(vectors)

    def learned(self, vectors: np.ndarray) -> np.ndarray:
        """Return vectors (n, d) of the encoder in the learned space: (n, e) float32, unit norm."""
        return self.head.transform(self.neutral(vectors))

    def conversational(self, texts: Sequence[str], vectors: np.ndarray) -> list[str | None]:
        """Return the category of each conversational utterance, None for requests.

        Args:
            texts: (n,) texts.
            vectors: (n, d) vectors of the encoder.
        """
        if self.conversation is None:
            return [None] * len(texts)
        return self.conversation.categories(texts, vectors)

    @property
    def rules(self) -> IntentRules:
        """The rules of stage II: the learned distance under the configuration."""
        return intent_rules(self.distance, self.config)

    @property
    def origins(self) -> dict[str, str]:
        """Where each distance comes from: "learned", "agreed" (stable clusters) or "default"."""
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
        config = {
            "version": _VERSION,
            "masking_version": MASKING_VERSION,
            "encoder": asdict(self.encoder),
            "config": self.config.to_dict(),
            "intents": self.intents,
            "domains": self.domains,
            "distance": {name: getattr(self.distance, name) for name in _DISTANCE_VALUES},
            "domain_distance": self.domain_distance,
            "domain_origin": self.domain_origin,
            "has_novelty": self.novelty is not None,
            "conversation": self.conversation and self.conversation.to_values(),
        }
        arrays = {f"head.{k}": v for k, v in self.head.to_arrays().items()}
        if self.novelty is not None:
            arrays |= {f"novelty.{k}": v for k, v in self.novelty.to_arrays().items()}
        if self.conversation is not None:
            arrays |= {f"conversation.{k}": v for k, v in self.conversation.to_arrays().items()}
        arrays |= {f"directions.{k}": v for k, v in self.directions.to_arrays().items()}
        arrays |= {
            "distance.grid": self.distance.grid,
            "distance.agreement": self.distance.agreement,
            "anchors": self.anchors,
            "anchor_labels": self.anchor_labels,
        }
        arrays = {k: np.ascontiguousarray(v) for k, v in sorted(arrays.items())}
        return {
            CONFIG: (json.dumps(config, indent=2, ensure_ascii=False) + "\n").encode(),
            TENSORS: tensors.save(arrays),
        }

    @classmethod
    def from_files(cls, files: dict[str, bytes]) -> Self:
        """Restore a model from what `to_files` returned.

        Raises:
            ModelError: if the files are not a model, or a model of another version.
        """
        try:
            config = json.loads(files[CONFIG])
            if config["version"] != _VERSION:
                raise ModelError(
                    f"the model has version {config['version']}, but this program reads version "
                    f"{_VERSION}: fit it again"
                )
            if config["masking_version"] != MASKING_VERSION:
                raise ModelError(
                    f"the model was fitted with version {config['masking_version']} of the masking "
                    f"rules, but this program has version {MASKING_VERSION}: fit it again"
                )
            return cls._restored(config, tensors.load(files[TENSORS]))
        except (
            ConfigError,
            KeyError,
            TypeError,
            UnicodeDecodeError,
            SafetensorError,
            json.JSONDecodeError,
        ) as e:
            raise ModelError(f"not a model of advin ({type(e).__name__}: {e}): fit it again") from e

    @classmethod
    def _restored(cls, config: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        novelty = None
        if config["has_novelty"]:
            novelty = NoveltyModel.from_arrays(_below("novelty.", arrays))
        tunables = Config().with_mapping(config["config"])
        conversation = None
        if config["conversation"] is not None:
            conversation = ConversationRule.restored(
                tunables.conversation, config["conversation"], _below("conversation.", arrays)
            )
        return cls(
            encoder=EncoderIdentity(**config["encoder"]),
            config=tunables,
            intents=tuple(config["intents"]),
            domains=tuple(config["domains"]),
            novelty=novelty,
            head=MetricHead.from_arrays(_below("head.", arrays)),
            distance=IntentDistance(
                **config["distance"],
                grid=arrays["distance.grid"],
                agreement=arrays["distance.agreement"],
            ),
            domain_distance=config["domain_distance"],
            domain_origin=config["domain_origin"],
            anchors=arrays["anchors"],
            anchor_labels=arrays["anchor_labels"],
            conversation=conversation,
            directions=LanguageDirections.from_arrays(_below("directions.", arrays)),
        )


def _below(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
