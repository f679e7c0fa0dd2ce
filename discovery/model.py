"""The model: everything that is learned before a log is looked through, as safetensors and JSON."""

import json
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as tensors

from advin.discovery.encoding.identity import EncoderIdentity
from advin.discovery.intents.decision import IntentRules
from advin.discovery.metric.training import MetricHead
from advin.discovery.novelty.novelty import NoveltyModel

CONFIG = "config.json"
TENSORS = "model.safetensors"
_VERSION = 5


class ModelError(ValueError):
    """A model cannot be read, or does not belong to the vectors it is used on."""


@dataclass(frozen=True, slots=True)
class Model:
    """What `fit` learns and `discover` uses.

    Attributes:
        encoder: the encoder whose vectors it was learned on.
        intents: labels of the known intents; empty when there were no labels at all.
        domains: the domain of each known intent, or None.
        novelty: stage I; None without labels.
        head: the metric head of stage II.
        rules: the learned distance and what goes with it.
        domain_distance: the distance of stage III.
        anchors: (n, d) float16 vectors of the encoder: labeled and out-of-domain utterances.
        anchor_labels: (n,) int64: index of the intent, or OUT_OF_DOMAIN.
        origins: where each threshold comes from, "learned", "agreed" (see `discovery/distance.py`)
            or "default".
    """

    encoder: EncoderIdentity
    intents: tuple[str, ...]
    domains: tuple[str | None, ...]
    novelty: NoveltyModel | None
    head: MetricHead
    rules: IntentRules
    domain_distance: float
    anchors: np.ndarray
    anchor_labels: np.ndarray
    origins: dict[str, str]

    def to_files(self) -> dict[str, bytes]:
        """Return the files of a model folder, by name."""
        config = {
            "version": _VERSION,
            "encoder": asdict(self.encoder),
            "intents": self.intents,
            "domains": self.domains,
            "rules": asdict(self.rules),
            "domain_distance": self.domain_distance,
            "origins": self.origins,
            "has_novelty": self.novelty is not None,
        }
        arrays = {f"head.{k}": v for k, v in self.head.to_arrays().items()}
        if self.novelty is not None:
            arrays |= {f"novelty.{k}": v for k, v in self.novelty.to_arrays().items()}
        arrays |= {"anchors": self.anchors, "anchor_labels": self.anchor_labels}
        arrays = {k: np.ascontiguousarray(v) for k, v in sorted(arrays.items())}
        return {
            CONFIG: (json.dumps(config, indent=2, ensure_ascii=False) + "\n").encode(),
            TENSORS: tensors.save(arrays),
        }

    @classmethod
    def from_files(cls, files: dict[str, bytes]) -> Self:
        """Read back what `to_files` returned.

        Raises:
            ModelError: if the files are not those of a model, or of another version.
        """
        try:
            config = json.loads(files[CONFIG])
            if config["version"] != _VERSION:
                raise ModelError(
                    f"the model has version {config['version']}, this program reads {_VERSION}: "
                    "fit it again"
                )
            arrays = tensors.load(files[TENSORS])
            return cls(
                encoder=EncoderIdentity(**config["encoder"]),
                intents=tuple(config["intents"]),
                domains=tuple(config["domains"]),
                novelty=NoveltyModel.from_arrays(_below("novelty.", arrays))
                if config["has_novelty"]
                else None,
                head=MetricHead.from_arrays(_below("head.", arrays)),
                rules=IntentRules(**config["rules"]),
                domain_distance=config["domain_distance"],
                anchors=arrays["anchors"],
                anchor_labels=arrays["anchor_labels"],
                origins=config["origins"],
            )
        except (
            KeyError,
            TypeError,
            UnicodeDecodeError,
            SafetensorError,
            json.JSONDecodeError,
        ) as e:
            raise ModelError(f"not a model of advin ({type(e).__name__}: {e}): fit it again") from e


def _below(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
