"""Fit a model: novelty (stage I), the space and distance of intents (II), that of domains (III).

With known intents, everything is learned on intents that are held out. Without enough labels, the
neighbor count comes from the stability of clusters, and the distance from their separation. The
distance between domains is then a default. The model records the origin of each distance.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from advin.discovery.compute.classes import class_means
from advin.discovery.compute.parallel import run_parallel
from advin.discovery.config import Config
from advin.discovery.conversation.rule import ConversationRule, LabeledTexts
from advin.discovery.domains.linking import learn_domain_distance
from advin.discovery.encoding.identity import EncoderIdentity
from advin.discovery.encoding.lexical import lexical_vectors
from advin.discovery.encoding.neutral import LanguageDirections
from advin.discovery.encoding.texts import EmbeddedTexts
from advin.discovery.encoding.views import embedded_views
from advin.discovery.intents.points import label_density
from advin.discovery.intents.space import learn_intent_space
from advin.discovery.labels import OUT_OF_DOMAIN, UNLABELED
from advin.discovery.metric.neighbors import labels_suffice
from advin.discovery.metric.rows import TrainingRows
from advin.discovery.model import Model
from advin.discovery.novelty.calibration import fit_novelty
from advin.discovery.novelty.label_shift import adapted_to_log
from advin.discovery.novelty.model import NoveltyModel
from advin.discovery.selection.distance import DEFAULT, LEARNED


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What a model is learned from; each part is sorted by utterance id.

    Attributes:
        log: the unlabeled log, or a sample of it.
        labeled: labeled utterances.
        labels: (m,) int64, index of their intents in `intents`.
        intents: labels of the known intents, sorted.
        domains: domain of each known intent, or None.
        out_of_domain: texts that belong to no intent.
        views: (v, n, d) by `embedded_views`, of all texts in the order log, labeled, out of domain;
            None: whole texts only.
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
        return EmbeddedTexts.joined([self.log, self.labeled, self.out_of_domain])

    def with_views(
        self, encode: Callable[[list[str]], np.ndarray], config: Config
    ) -> "TrainingData":
        """Return the same data with views.

        Args:
            encode: the encoder of the vectors: n texts to (n, d) vectors.
            config: number of views, and share of words that they leave out.
        """
        whole = self.whole()
        return replace(self, views=embedded_views(whole.texts, whole.vectors, encode, config.views))

    def requests(self, rule: ConversationRule | None) -> "TrainingData":
        """Return the same data without conversational utterances in the log; without views."""
        if rule is None:
            return self
        found = rule.categories(self.log.texts, self.log.vectors)
        is_request = np.array([category is None for category in found], bool)
        return replace(self, log=self.log.take(is_request), views=None)

    def neutral(self, directions: LanguageDirections) -> "TrainingData":
        """Return the same data without the language bias."""
        if not directions.parts:
            return self

        def cleaned(part: EmbeddedTexts) -> EmbeddedTexts:
            return EmbeddedTexts(part.texts, directions.remove(part.vectors))

        return replace(
            self,
            log=cleaned(self.log),
            labeled=cleaned(self.labeled),
            out_of_domain=cleaned(self.out_of_domain),
            views=None if self.views is None else directions.remove(self.views),
        )

    def rows(self, config: Config) -> TrainingRows:
        """Return the rows that stage II learns from: all texts, some of them labeled."""
        whole = self.whole()
        unlabeled, outside = (
            np.full(len(part.texts), UNLABELED, np.int64) for part in (self.log, self.out_of_domain)
        )
        return TrainingRows(
            vectors=whole.vectors,
            labels=np.concatenate([unlabeled, self.labels, outside]),
            lexical=lexical_vectors(whole.texts, config.lexical),
            views=self.views,
            texts=whole.texts,
        )


def needs_views(labels: np.ndarray, config: Config) -> bool:
    """True if the metric head learns from views of the texts, which must be encoded first.

    Views show which words an intent depends on. Labels show that too, so views are for logs with
    few labels (benchmarks/history.md, *Stage II*).

    Args:
        labels: (m,) int64 intents of the labeled utterances.
        config: number of views.
    """
    return config.views.count > 0 and not labels_suffice(labels, config.neighbors)


def fit_conversation(
    data: TrainingData, encode: Callable[[list[str]], np.ndarray], config: Config
) -> ConversationRule | None:
    """Learn which utterances are conversational; None if the configuration switches it off.

    Args:
        data: the labeled utterances override the rule.
        encode: the encoder of the vectors: n texts to (n, d) vectors.
        config: all tunables.
    """
    labeled = LabeledTexts(data.labeled.texts, data.labeled.vectors, data.labels)
    return ConversationRule.fit(encode, labeled, config.conversation, config.seed)


def fit_model(
    data: TrainingData,
    encoder: EncoderIdentity,
    config: Config,
    conversation: ConversationRule | None = None,
) -> Model:
    """Learn a model from a bounded sample of texts.

    Args:
        data: texts with vectors and labels, with views if `needs_views`; only requests.
        encoder: the encoder of the vectors.
        config: all tunables; the model keeps them.
        conversation: by `fit_conversation`; None: all utterances are requests.
    """
    directions = LanguageDirections.learn(
        data.log.texts, data.log.vectors, encoder, config.language
    )
    data = data.neutral(directions)
    known = len(data.intents)
    labeled, outside = data.labeled.vectors, data.out_of_domain.vectors
    ood = data.out_of_domain if len(outside) else None
    novelty = None
    if known:
        fitted = fit_novelty(data.labeled, data.labels, known, config.novelty, ood, config.seed)
        # As a parallel task it runs on one thread: the last bits of scores depend on that number.
        [novelty] = run_parallel([partial(adapted_to_log, fitted, data.log, config.novelty)])
    head, distance = learn_intent_space(data.rows(config), config, novelty, ood)
    means = encoder.sentence_part(class_means(labeled, data.labels, known))
    domain_distance = learn_domain_distance(means, data.domains, config.domains, config.seed)
    return Model(
        encoder=encoder,
        config=config,
        intents=data.intents,
        domains=data.domains,
        novelty=novelty,
        head=head,
        distance=distance,
        domain_distance=domain_distance.value,
        domain_origin=LEARNED if domain_distance.learned else DEFAULT,
        anchors=np.concatenate([labeled, outside]).astype(np.float16),
        anchor_labels=np.concatenate([data.labels, np.full(len(outside), OUT_OF_DOMAIN, np.int64)]),
        label_density=_label_density(data, novelty),
        conversation=conversation,
    )


def _label_density(data: TrainingData, novelty: NoveltyModel | None) -> np.ndarray:
    """Return `label_density` of the known intents; empty without any."""
    if novelty is None:
        return np.zeros(0)
    # As a parallel task it runs on one thread: the last bits of scores depend on that number.
    [scores] = run_parallel([partial(novelty.score, data.log)])
    return label_density(scores, data.labels, len(data.intents))
