"""Learn a model: the novelty of stage I, the space and distance of stage II, that of stage III.

With labeled intents everything is learned from them, on intents held out in turn. Without any,
the space and its distance are learned from the log alone, by what heads agree on, and that of
stage III is a default that was learned on public data; the model says which is which.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from advin.discovery.compute.classes import class_means
from advin.discovery.config import Config
from advin.discovery.domains.linking import learn_domain_distance
from advin.discovery.encoding.identity import EncoderIdentity
from advin.discovery.encoding.lexical import lexical_vectors
from advin.discovery.encoding.views import embedded_views
from advin.discovery.intents.decision import OUT_OF_DOMAIN, IntentRules
from advin.discovery.intents.space import learn_intent_space
from advin.discovery.labels import UNLABELED
from advin.discovery.metric.training import (
    FAST,
    MetricSettings,
    TrainingRows,
    labels_suffice,
)
from advin.discovery.model import Model
from advin.discovery.novelty.novelty import fit_novelty
from advin.discovery.selection.distance import DEFAULT, LEARNED, SMALLEST_INTENT, IntentDistance

# Bounds on what one worker learns from; callers hand over a sample of more.
MAX_LOG = 20_000
MAX_LABELED = 20_000
MAX_OUT_OF_DOMAIN = 5_000

Effort = Literal["full", "fast"]
_DEFAULTS = Config()


@dataclass(frozen=True, slots=True)
class EmbeddedTexts:
    """Texts and the encoder's vectors of them, in the same order.

    Attributes:
        texts: (n,) texts.
        vectors: (n, d), unit norm.
    """

    texts: Sequence[str]
    vectors: np.ndarray

    def __post_init__(self) -> None:
        """Check that each text has its vector."""
        if len(self.texts) != len(self.vectors):
            raise ValueError(
                f"{len(self.texts)} texts, but {len(self.vectors)} vectors: give one for each"
            )


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What a model is learned from; each part sorted by id.

    Attributes:
        log: of the unlabeled log, all or a sample.
        labeled: labeled utterances.
        labels: (m,) int64 index of each of these into `intents`.
        intents: labels of the known intents, sorted.
        domains: the domain of each, or None.
        out_of_domain: texts that belong to no intent.
        views: (v, n, d) of all texts in this order, log, labeled, out of domain, by
            `embedded_views`; None learns from whole texts only.
    """

    log: EmbeddedTexts
    labeled: EmbeddedTexts
    labels: np.ndarray
    intents: tuple[str, ...]
    domains: tuple[str | None, ...]
    out_of_domain: EmbeddedTexts
    views: np.ndarray | None = None

    def whole(self) -> EmbeddedTexts:
        """Return all texts: log, labeled, out of domain."""
        parts = (self.log, self.labeled, self.out_of_domain)
        return EmbeddedTexts(
            texts=[text for part in parts for text in part.texts],
            vectors=np.concatenate([part.vectors for part in parts]),
        )

    def with_views(self, encode: Callable[[list[str]], np.ndarray]) -> "TrainingData":
        """Return the same data with views, by the encoder of the vectors."""
        whole = self.whole()
        return replace(
            self, views=embedded_views(whole.texts, whole.vectors, encode, _DEFAULTS.views)
        )

    def rows(self) -> TrainingRows:
        """Return what stage II learns from: all texts, of which some are labeled."""
        whole = self.whole()
        nothing = np.full(len(self.log.texts), UNLABELED, np.int64)
        outside = np.full(len(self.out_of_domain.texts), UNLABELED, np.int64)
        return TrainingRows(
            vectors=whole.vectors,
            labels=np.concatenate([nothing, self.labels, outside]),
            lexical=lexical_vectors(whole.texts, _DEFAULTS.lexical),
            views=self.views,
        )


@dataclass(frozen=True, slots=True)
class FitSettings:
    """Choices of the learner.

    Attributes:
        seed: of everything random.
        loss: of the metric head: "contrastive", or "margin", ADVIN's own.
        clustering: of stage II: "linkage", or "density".
        effort: "full", or "fast" for two thirds of the time and a little less quality.
    """

    seed: int = 0
    loss: Literal["contrastive", "margin"] = "contrastive"
    clustering: Literal["linkage", "density"] = "linkage"
    effort: Effort = "full"

    @property
    def metric(self) -> MetricSettings:
        """How the metric heads are trained."""
        start = FAST if self.effort == "fast" else MetricSettings()
        return replace(start, seed=self.seed, loss=self.loss)


def intent_rules(
    distance: IntentDistance, clustering: Literal["linkage", "density"] = "linkage"
) -> IntentRules:
    """Return the rules of stage II for a learned distance."""
    return IntentRules(
        distance=distance.value,
        radius=distance.radius,
        min_size=max(SMALLEST_INTENT, distance.small // 3),
        clustering=clustering,
    )


def needs_views(labels: np.ndarray, choices: FitSettings) -> bool:
    """Say whether a model with these labels is learned from views, too: they are encoded first.

    Labels tell what an intent hangs on; where they suffice, views add nothing
    (`benchmarks/history.md`).
    """
    return choices.effort == "full" and not labels_suffice(labels)


def fit_model(data: TrainingData, encoder: EncoderIdentity, choices: FitSettings) -> Model:
    """Learn a model from at most MAX_LOG + MAX_LABELED + MAX_OUT_OF_DOMAIN texts."""
    seed = choices.seed
    known = len(data.intents)
    labeled, outside = data.labeled.vectors, data.out_of_domain.vectors
    ood = outside if len(outside) else None
    novelty = None
    if known:
        novelty = fit_novelty(labeled, data.labels, known, ood_vectors=ood, seed=seed)
    head, distance = learn_intent_space(data.rows(), choices.metric, novelty, ood)
    means = encoder.sentence_part(class_means(labeled, data.labels, known))
    domain_distance = learn_domain_distance(means, data.domains, _DEFAULTS.domains, seed)
    return Model(
        encoder=encoder,
        intents=data.intents,
        domains=data.domains,
        novelty=novelty,
        head=head,
        rules=intent_rules(distance, choices.clustering),
        domain_distance=domain_distance.value,
        anchors=np.concatenate([labeled, outside]).astype(np.float16),
        anchor_labels=np.concatenate([data.labels, np.full(len(outside), OUT_OF_DOMAIN, np.int64)]),
        origins={
            "intent_distance": distance.origin,
            "domain_distance": LEARNED if domain_distance.learned else DEFAULT,
        },
    )
