"""The whole method on arrays in memory: a log and a model in, tables of intents and domains out.

`discover` runs the three stages of ADVIN (Vedula et al., arXiv 2006.01208). The Beam pipelines call
the same functions, shard by shard, and write equal tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np

from advin.discovery.encoding.texts import EmbeddedTexts
from advin.discovery.intents.assignment import Assigned, Intents, assign, assign_leaves
from advin.discovery.intents.decision import discover_intents
from advin.discovery.intents.levels import LEVELS
from advin.discovery.intents.outcomes import Outcomes, Verdicts, verdicts_on
from advin.discovery.intents.points import anchor_clusters, points_of, utterance_clusters
from advin.discovery.intents.summary import summarize
from advin.discovery.model import Model
from advin.discovery.naming.description import IntentSample
from advin.discovery.naming.levels import LevelRow
from advin.discovery.novelty.model import NoveltyScores
from advin.discovery.taxonomy import (
    DomainRow,
    DroppedRow,
    IntentRow,
    Taxonomy,
    build_taxonomy,
)
from advin.discovery.text.cleaning import normalize
from advin.discovery.text.requests import has_several_requests
from advin.schemas.ids import utterance_id


@dataclass(frozen=True, slots=True)
class Log:
    """The distinct utterances of a log.

    Attributes:
        ids: (n,) S32, sorted; by `advin.schemas.ids.utterance_id` of the normalized texts.
        texts: (n,) texts.
        counts: (n,) int64, occurrences, at least 1.
        vectors: (n, d) float16 vectors of the model's encoder, unit norm.
    """

    ids: np.ndarray
    texts: Sequence[str]
    counts: np.ndarray
    vectors: np.ndarray

    def __post_init__(self) -> None:
        """Check that the columns fit together and that ids are sorted and distinct."""
        lengths = {len(c) for c in (self.ids, self.texts, self.counts, self.vectors)}
        if len(lengths) > 1:
            raise ValueError(f"columns of {sorted(lengths)} rows: give one value each")
        if (self.ids[1:] <= self.ids[:-1]).any():
            raise ValueError("ids are not sorted and distinct: build the log with Log.of")

    @classmethod
    def of(cls, texts: Sequence[str], counts: np.ndarray, vectors: np.ndarray) -> Self:
        """Build a log from distinct utterances in any order.

        Raises:
            ValueError: if two texts are equal after normalization.
        """
        ids = np.array([utterance_id(normalize(text)) for text in texts], "S32")
        order = np.argsort(ids, kind="stable")
        ordered = [texts[i] for i in order]
        return cls(ids[order], ordered, counts[order], vectors[order].astype(np.float16))


@dataclass(frozen=True, slots=True)
class Assignments:
    """The columns of the table assignments; `schemas.tables.ASSIGNMENTS` describes them.

    Attributes hold one value for each utterance, in the order of the log; None stands for null.
    """

    utterance_id: list[str]
    text: list[str]
    count: np.ndarray
    known_intent: list[str | None]
    known_intent_probability: list[float | None]
    novelty_score: list[float | None]
    kind: list[str]
    reason: list[str]
    intent_id: list[str | None]
    fine_intent_id: list[str | None]
    intent_distance: list[float | None]
    domain_id: list[str | None]
    dropped_id: list[str | None]
    several_requests: list[bool]
    nearest_intents: list[list[str]]
    nearest_distances: list[list[float]]
    original: list[None]


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found: the published tables.

    Attributes:
        assignments: the verdict on each utterance.
        intents: known and novel intents, sorted by id.
        domains: known and novel domains, sorted by id.
        dropped: clusters that are no intents, sorted by id.
        levels: novel intents at all levels, sorted by level and id.
    """

    assignments: Assignments
    intents: list[IntentRow]
    domains: list[DomainRow]
    dropped: list[DroppedRow]
    levels: list[LevelRow]


def discover(log: Log, model: Model, scores: NoveltyScores | None = None) -> Discovery:
    """Find the intents and domains of a log.

    Args:
        log: distinct utterances with vectors of the model's encoder.
        model: what `fit_model` learned.
        scores: novelty scores to use instead of the model's own.

    Returns:
        the published tables.

    Raises:
        ValueError: if the log is too large for one machine's memory.
    """
    config = model.config
    _check_size(log, config.linkage.max_clusters)
    conversational = model.conversational(log.texts, log.vectors)
    log = replace(log, vectors=model.neutral(log.vectors))
    vectors = model.head.transform(log.vectors)

    # Stage I: which known intent does each utterance belong to, and how likely?
    if scores is None and model.novelty is not None:
        scores = model.novelty.score(EmbeddedTexts(log.texts, log.vectors))

    # Stage II: cluster the log's requests beside labeled and out-of-domain utterances. Each cluster
    # is a known intent, a novel intent, junk, unclear, or too small.
    is_conversational = np.array([category is not None for category in conversational], bool)
    utterances = utterance_clusters(log.ids, vectors, log.counts, scores, model.label_density)
    utterances = utterances.take(np.flatnonzero(~is_conversational))
    anchors = anchor_clusters(model.head.transform(model.anchors))
    points = points_of(utterances, anchors, model.anchor_labels)
    intents = discover_intents(points, model.rules, config).rounded()

    # The posterior of stage I and cluster decides on every request.
    assigned = assign(vectors, intents, config.intents, scores, is_conversational)
    leaves = assign_leaves(vectors, intents, assigned, config.intents)

    # Stage III: drop incoherent intents, link the others into domains, and name both.
    tables = _describe(log, model, intents, assigned, leaves)

    # Every utterance gets the reason of its cluster, and a kind that follows from it.
    outcomes = Outcomes.of(
        intents,
        intents.ids(model.intents),
        domain_of={row.intent_id: row.domain_id for row in tables.intents},
        reason_of={row.dropped_id: row.reason for row in tables.dropped},
        parents={
            level: {row.intent_id: row.parent_id for row in tables.levels if row.level == level}
            for level in LEVELS
        },
    )
    verdicts = verdicts_on(assigned, leaves, outcomes, conversational, config.intents.nearest)
    return Discovery(
        assignments=_assignments(log, model, scores, verdicts),
        intents=tables.intents,
        domains=tables.domains,
        dropped=tables.dropped,
        levels=tables.levels,
    )


def _check_size(log: Log, most: int) -> None:
    if len(log.texts) > most:
        raise ValueError(
            f"the log has {len(log.texts)} distinct utterances, but at most {most} are clustered "
            "in memory: run the pipeline, which links parts of a larger log first"
        )


def _describe(
    log: Log, model: Model, intents: Intents, assigned: Assigned, leaves: Assigned
) -> Taxonomy:
    """Summarize each leaf, and build the tables that describe clusters."""
    sizes, samples = {}, {}
    most = model.config.naming.documents
    for leaf, size, rows in summarize(assigned, leaves.cluster, log.counts, most):
        texts = [log.texts[i] for i in rows]
        sizes[leaf] = size
        ids = log.ids[rows].astype(str).tolist()
        samples[leaf] = IntentSample(ids, texts, log.counts[rows], log.vectors[rows])
    return build_taxonomy(intents, sizes, samples, model)


def _assignments(
    log: Log, model: Model, scores: NoveltyScores | None, verdicts: Verdicts
) -> Assignments:
    """Put the columns of the table assignments together."""
    nulls: list[Any] = [None] * len(log.texts)
    columns = {field.name: getattr(verdicts, field.name) for field in fields(verdicts)}
    return Assignments(
        utterance_id=log.ids.astype(str).tolist(),
        text=list(log.texts),
        count=log.counts,
        known_intent=nulls if scores is None else [model.intents[i] for i in scores.best_class],
        known_intent_probability=nulls if scores is None else scores.probability.tolist(),
        novelty_score=nulls if scores is None else scores.score.tolist(),
        original=nulls,
        several_requests=[
            has_several_requests(text, model.config.text.request_words) for text in log.texts
        ],
        **columns,
    )
