"""Stage III: drop incoherent intents, link the others into domains, name both, build the tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from advin.discovery.config import NamingConfig
from advin.discovery.domains.linking import link_domains
from advin.discovery.intents.assignment import Intents
from advin.discovery.intents.confidence import confidence
from advin.discovery.intents.summary import IntentSize
from advin.discovery.model import Model
from advin.discovery.naming.description import (
    DescribedClusters,
    IntentSample,
    describe_clusters,
    without_loose_intents,
)
from advin.discovery.naming.exemplars import exemplars
from advin.discovery.naming.names import IntentName, name_domains, name_intents
from advin.discovery.naming.terms import Documents
from advin.discovery.text.config import LanguageConfig
from advin.discovery.text.language import LanguageShare, detect, log_languages, shares
from advin.schemas import verdicts
from advin.schemas.ids import dropped_id, known_id, novel_id


@dataclass(frozen=True, slots=True)
class IntentRow:
    """A row of the table intents; `schemas.tables.INTENTS` describes the columns."""

    intent_id: str
    name: str
    kind: str
    keywords: list[str]
    exemplars: list[str]
    size: int
    distinct_size: int
    confidence: float | None
    radius: float
    nearest_known_intent: str | None
    domain_id: str | None
    centroid: np.ndarray
    languages: list[str]
    language_shares: list[float]


@dataclass(frozen=True, slots=True)
class DroppedRow:
    """A row of the table dropped; `schemas.tables.DROPPED` describes the columns."""

    dropped_id: str
    reason: str
    size: int
    distinct_size: int
    exemplars: list[str]
    nearest_known_intent: str | None


@dataclass(frozen=True, slots=True)
class DomainRow:
    """A row of the table domains; `schemas.tables.DOMAINS` describes the columns."""

    domain_id: str
    name: str
    kind: str
    keywords: list[str]
    intents: list[str]
    size: int


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """The tables that describe clusters, each sorted by id.

    Attributes:
        intents: known and novel intents.
        domains: known and novel domains.
        dropped: all other clusters.
    """

    intents: list[IntentRow]
    domains: list[DomainRow]
    dropped: list[DroppedRow]


def build_taxonomy(
    intents: Intents,
    sizes: Mapping[int, IntentSize],
    samples: Mapping[int, IntentSample],
    model: Model,
) -> Taxonomy:
    """Drop incoherent intents, link the others into domains, and name both.

    Args:
        intents: all clusters, with centroids in float16 precision.
        sizes: by row of the cluster, where there are utterances.
        samples: by row of the cluster, where there are utterances.
        model: with labels, labeled utterances, stage I and the learned distance between domains.

    Raises:
        ValueError: if there are more intents than one worker takes.
    """
    clusters = describe_clusters(intents, sizes, samples, model)
    found, most = np.count_nonzero(clusters.is_intent), model.config.domains.max_intents
    if found > most:
        raise ValueError(
            f"{found} intents were found, but at most {most} can be linked and named: "
            "the learned distance does not suit this log; give labeled intents with --labeled"
        )
    clusters = without_loose_intents(clusters, model.config.coherence)
    kept = clusters.take(np.flatnonzero(clusters.is_intent))
    intent_rows, domain_rows = link_and_name(kept, model)
    dropped = _dropped_rows(clusters, model.config.naming)
    return Taxonomy(intent_rows, domain_rows, dropped)


def link_and_name(
    described: DescribedClusters, model: Model
) -> tuple[list[IntentRow], list[DomainRow]]:
    """Link intents into domains and name both.

    Args:
        described: all intents.
        model: with the known domains and the learned distance between domains.

    Returns:
        the rows of the tables intents and domains, both sorted by id.
    """
    domain_of = dict(zip(model.intents, model.domains, strict=True))
    known_domains = [domain_of[k] if k is not None else None for k in described.known]
    groups = _link(described, known_domains, model)
    languages = _languages(described, model.config.language)
    described = _with_languages(described, languages, model.config.language)
    naming = model.config.naming
    taken = {domain for domain in known_domains if domain is not None}
    domains = _domain_rows(described, groups, taken, naming)
    domain_ids = {i: row.domain_id for row, group in domains for i in group}
    rows = [
        IntentRow(
            intent_id=described.ids[i],
            name=name.name,
            kind=verdicts.NOVEL if described.known[i] is None else verdicts.KNOWN,
            keywords=list(name.keywords),
            exemplars=_exemplars(described.documents[i], naming),
            size=described.sizes[i].rows,
            distinct_size=described.sizes[i].distinct,
            confidence=confidence(
                described.sizes[i].mean_silhouette, _encoder_vectors(described, i)
            ),
            radius=float(described.radii[i]),
            nearest_known_intent=nearest,
            domain_id=domain_ids.get(i),
            centroid=described.centroids[i],
            languages=[language.code for language in languages[i]],
            language_shares=[language.share for language in languages[i]],
        )
        for i, (name, nearest) in enumerate(
            zip(_intent_names(described, naming), _nearest_known(described), strict=True)
        )
    ]
    return (
        sorted(rows, key=lambda row: row.intent_id),
        sorted((row for row, _ in domains), key=lambda row: row.domain_id),
    )


def _languages(described: DescribedClusters, config: LanguageConfig) -> list[list[LanguageShare]]:
    """Return the languages of each intent's sample; none if those of the log are unclear."""
    found = log_languages([text for d in described.documents for text in d.texts], config)
    if not found:
        return [[] for _ in described.documents]
    return [shares(detect(d.texts, found), d.weights) for d in described.documents]


def _with_languages(
    described: DescribedClusters,
    languages: Sequence[Sequence[LanguageShare]],
    config: LanguageConfig,
) -> DescribedClusters:
    """Return the same intents with the languages whose stop words count."""
    documents = [
        replace(d, languages=tuple(s.code for s in own if s.share >= config.min_name_share))
        for d, own in zip(described.documents, languages, strict=True)
    ]
    return replace(described, documents=documents)


def _link(
    described: DescribedClusters, known_domains: Sequence[str | None], model: Model
) -> dict[str | int, list[int]]:
    """Return the intents of each domain. A known intent labeled without a domain has none."""
    linked = link_domains(
        _encoder_means(described, model),
        known_domains,
        model.domain_distance,
        model.config.domains,
    )
    groups: dict[str | int, list[int]] = {}
    for i, domain in enumerate(linked):
        if described.known[i] is None or known_domains[i] is not None:
            groups.setdefault(domain, []).append(i)
    return groups


def _encoder_means(described: DescribedClusters, model: Model) -> np.ndarray:
    """Return (k, s) float64 means in the encoder's space: the head pushes known intents apart."""
    means = [
        _encoder_vectors(described, i).astype(np.float64).mean(axis=0)
        for i in range(len(described.ids))
    ]
    return np.stack(means) if means else np.zeros((0, model.encoder.sentence_dimension))


def _encoder_vectors(described: DescribedClusters, i: int) -> np.ndarray:
    """Return the sentence vectors (n, s) of the sampled and labeled utterances of one intent."""
    return np.concatenate([described.documents[i].vectors, described.labeled[i]])


def _intent_names(described: DescribedClusters, config: NamingConfig) -> list[IntentName]:
    """Return names and keywords of all intents; known intents keep their labels."""
    taken = {k for k in described.known if k is not None}
    names = name_intents(described.documents, config, taken)
    return [
        replace(name, name=label) if label is not None else name
        for name, label in zip(names, described.known, strict=True)
    ]


def _domain_rows(
    described: DescribedClusters,
    groups: Mapping[str | int, list[int]],
    taken: set[str],
    config: NamingConfig,
) -> list[tuple[DomainRow, list[int]]]:
    """Return the rows of the table domains, each with its intents."""
    documents = [[described.documents[i] for i in group] for group in groups.values()]
    names = name_domains(documents, config, taken)
    return [
        (_domain_row(described, group, domain if isinstance(domain, str) else None, name), group)
        for (domain, group), name in zip(groups.items(), names, strict=True)
    ]


def _domain_row(
    described: DescribedClusters, group: Sequence[int], known: str | None, name: IntentName
) -> DomainRow:
    """Return the row of one domain; known is its label, None for a novel one."""
    members = [described.ids[i] for i in group]
    largest_first = sorted(group, key=lambda i: (-described.sizes[i].rows, described.ids[i]))
    return DomainRow(
        domain_id=novel_id("".join(sorted(members)).encode()) if known is None else known_id(known),
        name=name.name if known is None else known,
        kind=verdicts.NOVEL if known is None else verdicts.KNOWN,
        keywords=list(name.keywords),
        intents=[described.ids[i] for i in largest_first],
        size=sum(described.sizes[i].rows for i in group),
    )


def _exemplars(documents: Documents, config: NamingConfig) -> list[str]:
    chosen = exemplars(documents.vectors, documents.texts, documents.weights, config)
    return [documents.texts[i] for i in chosen]


def _dropped_rows(clusters: DescribedClusters, config: NamingConfig) -> list[DroppedRow]:
    """Return the rows of the table dropped."""
    nearest = _nearest_known(clusters)
    rows = [
        DroppedRow(
            dropped_id=dropped_id(clusters.centroids[i].tobytes()),
            reason=clusters.reasons[i],
            size=clusters.sizes[i].rows,
            distinct_size=clusters.sizes[i].distinct,
            exemplars=_exemplars(clusters.documents[i], config),
            nearest_known_intent=nearest[i],
        )
        for i in np.flatnonzero(~clusters.is_intent).tolist()
    ]
    return sorted(rows, key=lambda row: row.dropped_id)


def _nearest_known(described: DescribedClusters) -> list[str | None]:
    """Return the label of the nearest other known intent, None if there is none."""
    known = [i for i, label in enumerate(described.known) if label is not None]
    if not known:
        return [None] * len(described.ids)
    vectors = described.centroids.astype(np.float32)
    similarity = vectors @ vectors[known].T
    similarity[known, np.arange(len(known))] = -np.inf
    nearest = similarity.argmax(axis=1)
    return [
        described.known[known[j]] if np.isfinite(similarity[i, j]) else None
        for i, j in enumerate(nearest)
    ]
