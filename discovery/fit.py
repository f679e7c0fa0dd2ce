"""Learn a model: the novelty of stage I, the space and distance of stage II, that of stage III.

With labelled intents everything is learned from them, on intents held out in turn. Without any,
the space is learned from the log alone and the distances are defaults that were learned on public
data; the model says which is which.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from discovery.classes import class_means
from discovery.domains import learn_domain_distance
from discovery.intent_space import learn_intent_space
from discovery.intents import OUT_OF_DOMAIN, IntentRules
from discovery.metric import FAST, UNLABELED, MetricSettings
from discovery.model import EncoderIdentity, Model
from discovery.novelty import fit_novelty

# Bounds on what one worker learns from; callers hand over a sample of more.
MAX_LOG = 20_000
MAX_LABELED = 20_000
MAX_OUT_OF_DOMAIN = 5_000

LEARNED, DEFAULT = "learned", "default"
Effort = Literal["full", "fast"]

# Fewer distinct utterances than this are never a novel intent.
_MIN_SIZE = 5


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What a model is learned from; rows sorted by id.

    Attributes:
        log: (n, d) vectors of the unlabelled log, or of a sample.
        labeled: (m, d) vectors of labelled utterances.
        labels: (m,) int64 index into `intents`.
        intents: labels of the known intents, sorted.
        domains: the domain of each, or None.
        out_of_domain: (o, d) vectors of texts that belong to no intent.
    """

    log: np.ndarray
    labeled: np.ndarray
    labels: np.ndarray
    intents: tuple[str, ...]
    domains: tuple[str | None, ...]
    out_of_domain: np.ndarray


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


def fit_model(data: TrainingData, encoder: EncoderIdentity, choices: FitSettings) -> Model:
    """Learn a model from at most MAX_LOG + MAX_LABELED + MAX_OUT_OF_DOMAIN vectors."""
    seed = choices.seed
    known = len(data.intents)
    vectors = np.concatenate([data.log, data.labeled, data.out_of_domain]).astype(np.float32)
    labels = np.concatenate(
        [
            np.full(len(data.log), UNLABELED, np.int64),
            data.labels,
            np.full(len(data.out_of_domain), UNLABELED, np.int64),
        ]
    )
    ood = data.out_of_domain if len(data.out_of_domain) else None
    novelty = None
    if known:
        novelty = fit_novelty(data.labeled, data.labels, known, ood_vectors=ood, seed=seed)
    head, distance = learn_intent_space(vectors, labels, choices.metric, novelty, ood)
    domain_distance = learn_domain_distance(
        class_means(data.labeled, data.labels, known), data.domains, seed
    )
    return Model(
        encoder=encoder,
        intents=data.intents,
        domains=data.domains,
        novelty=novelty,
        head=head,
        rules=IntentRules(
            distance=distance.value,
            radius=distance.radius,
            min_size=max(_MIN_SIZE, distance.small // 3),
            clustering=choices.clustering,
        ),
        domain_distance=domain_distance.value,
        anchors=np.concatenate([data.labeled, data.out_of_domain]).astype(np.float16),
        anchor_labels=np.concatenate(
            [data.labels, np.full(len(data.out_of_domain), OUT_OF_DOMAIN, np.int64)]
        ),
        origins={
            "intent_distance": LEARNED if distance.learned else DEFAULT,
            "domain_distance": LEARNED if domain_distance.learned else DEFAULT,
        },
    )
