"""Stage III: drop incoherent intents, link the others into domains, name both, build the tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from advin.discovery.config import NamingConfig
from advin.discovery.domains.linking import link_domains
from advin.discovery.intents.assignment import Intents
from advin.discovery.intents.confidence import confidence
from advin.discovery.intents.levels import FINE, LEVELS, Levels, levels_of
from advin.discovery.intents.stability import stabilities
from advin.discovery.intents.summary import IntentSize
from advin.discovery.model import Model
from advin.discovery.naming.description import (
    DescribedClusters,
    IntentSample,
    describe_clusters,
    joined_leaves,
    mean_zscores,
    without_loose_intents,
)
from advin.discovery.naming.levels import (
    LevelRow,
    NamedLevel,
    exemplar_texts,
    level_rows,
    name_levels,
)
from advin.discovery.naming.names import IntentName, name_domains
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
    stability: float | None
    radius: float
    nearest_known_intent: str | None
    domain_id: str | None
    parent_intent: str | None
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
        levels: novel intents at all levels, sorted by level and id.
    """

    intents: list[IntentRow]
    domains: list[DomainRow]
    dropped: list[DroppedRow]
    levels: list[LevelRow]


def build_taxonomy(
    intents: Intents,
    sizes: Mapping[int, IntentSize],
    samples: Mapping[int, IntentSample],
    model: Model,
) -> Taxonomy:
    """Drop incoherent intents, link the others into domains, and name both.

    Args:
        intents: all clusters, with centroids in float16 precision.
        sizes: by row of the leaf, where there are utterances.
        samples: by row of the leaf, where there are utterances.
        model: with labels, labeled utterances, stage I and the learned distance between domains.

    Raises:
        ValueError: if there are more intents than one worker takes.
    """
    config = model.config
    order = np.argsort(intents.leaf_clusters, kind="stable")
    ends = np.cumsum(np.bincount(intents.leaf_clusters))[:-1]
    own = joined_leaves(np.split(order, ends), sizes, samples, config.naming.documents)
    clusters = describe_clusters(intents, *own, model)
    found, most = np.count_nonzero(clusters.is_intent), config.domains.max_intents
    if found > most:
        raise ValueError(
            f"{found} intents were found, but at most {most} can be linked and named: "
            "the learned distance does not suit this log; give labeled intents with --labeled"
        )
    zscores = mean_zscores(intents.kinds, own[1], model)
    clusters = without_loose_intents(clusters, zscores, config.coherence)
    kept = np.flatnonzero(clusters.is_intent)
    distinct = np.array([clusters.sizes[row].distinct for row in kept], np.int64)
    levels = levels_of(intents, kept, distinct, model.rules, config.levels)
    named = _named_levels(levels, sizes, samples, model)
    intent_rows, domain_rows = link_and_name(named[levels.default], model)
    return Taxonomy(
        intents=intent_rows,
        domains=domain_rows,
        dropped=_dropped_rows(clusters, config.naming),
        levels=level_rows(levels, named, config.naming),
    )


def _named_levels(
    levels: Levels,
    sizes: Mapping[int, IntentSize],
    samples: Mapping[int, IntentSample],
    model: Model,
) -> dict[str, NamedLevel]:
    """Describe and name the intents of each level."""
    described, languages = {}, {}
    for name, level in levels.by_name.items():
        joined = joined_leaves(level.leaves, sizes, samples, model.config.naming.documents)
        found = describe_clusters(level.intents, *joined, model)
        languages[name] = _languages(found, model.config.language)
        described[name] = _with_languages(found, languages[name], model.config.language)
    names = name_levels(described, model.config.naming)
    stability = _stability(levels, samples, model)
    parents = {name: levels.parents(name) for name in LEVELS}
    above = dict(zip(LEVELS[1:], LEVELS, strict=False))
    return {
        name: NamedLevel(
            described=described[name],
            names=[
                named if label is None else replace(named, name=label)
                for named, label in zip(names[name], described[name].known, strict=True)
            ],
            languages=languages[name],
            stability=stability[name],
            parents=[
                None if row is None else described[above[name]].ids[row] for row in parents[name]
            ],
        )
        for name in LEVELS
    }


def _stability(
    levels: Levels, samples: Mapping[int, IntentSample], model: Model
) -> dict[str, list[float | None]]:
    """Return the stability of the novel intents at each level, None for others."""
    # Each leaf gives equally many utterances, so the default level does not matter.
    leaves = [leaf for (leaf,) in levels.by_name[FINE].leaves if leaf in samples]
    most = max(1, model.config.levels.stability_rows // max(1, len(leaves)))
    rows = [(leaf, i) for leaf in leaves for i in range(len(samples[leaf].ids))[:most]]
    vectors = np.array([samples[leaf].vectors[i] for leaf, i in rows])
    own = np.array([leaf for leaf, _ in rows], np.int64)
    group_of = {
        name: {int(leaf): row for row, leaves in enumerate(level.leaves) for leaf in leaves}
        for name, level in levels.by_name.items()
    }
    found_at = stabilities(
        vectors,
        [np.array([group_of[name][leaf] for leaf in own.tolist()], np.int64) for name in LEVELS],
        [levels.by_name[name].distance for name in LEVELS],
        model.distance.heads,
        model.config.seed,
    )
    results: dict[str, list[float | None]] = {}
    for name, values in zip(LEVELS, found_at, strict=True):
        results[name] = [None] * len(levels.by_name[name].leaves)
        for row in levels.by_name[name].novel.tolist():
            if row < len(values) and np.isfinite(values[row]):
                results[name][row] = float(values[row])
    return results


def link_and_name(named: NamedLevel, model: Model) -> tuple[list[IntentRow], list[DomainRow]]:
    """Link intents into domains, and name the domains.

    Args:
        named: all intents of the default level, with names.
        model: with the known domains and the learned distance between domains.

    Returns:
        the rows of the tables intents and domains, both sorted by id.
    """
    described, languages = named.described, named.languages
    domain_of = dict(zip(model.intents, model.domains, strict=True))
    known_domains = [domain_of[k] if k is not None else None for k in described.known]
    groups = _link(described, known_domains, model)
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
            exemplars=exemplar_texts(described.documents[i], naming),
            size=described.sizes[i].rows,
            distinct_size=described.sizes[i].distinct,
            confidence=confidence(
                described.sizes[i].mean_silhouette, _encoder_vectors(described, i)
            ),
            stability=named.stability[i],
            radius=float(described.radii[i]),
            nearest_known_intent=nearest,
            domain_id=domain_ids.get(i),
            parent_intent=named.parents[i],
            centroid=described.centroids[i],
            languages=[language.code for language in languages[i]],
            language_shares=[language.share for language in languages[i]],
        )
        for i, (name, nearest) in enumerate(
            zip(named.names, _nearest_known(described), strict=True)
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


def _dropped_rows(clusters: DescribedClusters, config: NamingConfig) -> list[DroppedRow]:
    """Return the rows of the table dropped."""
    nearest = _nearest_known(clusters)
    rows = [
        DroppedRow(
            dropped_id=dropped_id(clusters.centroids[i].tobytes()),
            reason=clusters.reasons[i],
            size=clusters.sizes[i].rows,
            distinct_size=clusters.sizes[i].distinct,
            exemplars=exemplar_texts(clusters.documents[i], config),
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
