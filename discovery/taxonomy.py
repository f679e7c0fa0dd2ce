"""Stage III: drop incoherent intents, link the others into domains, name both, build the tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from advin.discovery.config import CoherenceConfig, NamingConfig
from advin.discovery.domains.linking import link_domains
from advin.discovery.intents.assignment import Intents
from advin.discovery.intents.coherence import incoherent_intents, min_coherence
from advin.discovery.intents.summary import IntentSize
from advin.discovery.labels import JUNK
from advin.discovery.model import Model
from advin.discovery.naming.exemplars import exemplars
from advin.discovery.naming.names import IntentName, name_domains, name_intents
from advin.discovery.naming.terms import Documents
from advin.discovery.text.config import LanguageConfig
from advin.discovery.text.language import LanguageShare, detect, log_languages, shares
from advin.schemas.ids import known_id, novel_id
from advin.schemas.verdicts import KNOWN, NOVEL


@dataclass(frozen=True, slots=True)
class IntentSample:
    """Utterances that describe an intent, sorted by id.

    Attributes:
        texts: (s,) texts.
        counts: (s,) int64, occurrences.
        vectors: (s, d) float16 vectors of the encoder.
    """

    texts: Sequence[str]
    counts: np.ndarray
    vectors: np.ndarray


@dataclass(frozen=True, slots=True)
class DescribedIntents:
    """All intents with utterances, and known intents without.

    Attributes:
        ids: (k,) content-derived ids.
        known: (k,) label of each known intent, None for a novel one.
        centroids: (k, e) float16 in the learned space.
        radii: (k,) float32.
        sizes: (k,) sizes.
        documents: (k,) samples, with sentence vectors.
        labeled: (k,) sentence vectors (m, s) of the labeled utterances; none for a novel intent.
        ood_zscores: (k,) mean `NoveltyModel.ood_zscore` of a novel intent's sample; else 0.
    """

    ids: list[str]
    known: list[str | None]
    centroids: np.ndarray
    radii: np.ndarray
    sizes: list[IntentSize]
    documents: list[Documents]
    labeled: list[np.ndarray]
    ood_zscores: np.ndarray

    def take(self, rows: np.ndarray) -> "DescribedIntents":
        """Return some of the intents."""
        return DescribedIntents(
            ids=[self.ids[i] for i in rows],
            known=[self.known[i] for i in rows],
            centroids=self.centroids[rows],
            radii=self.radii[rows],
            sizes=[self.sizes[i] for i in rows],
            documents=[self.documents[i] for i in rows],
            labeled=[self.labeled[i] for i in rows],
            ood_zscores=self.ood_zscores[rows],
        )


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
    cohesion: float | None
    radius: float
    nearest_known_intent: str | None
    domain_id: str | None
    centroid: np.ndarray
    languages: list[str]
    language_shares: list[float]


@dataclass(frozen=True, slots=True)
class DomainRow:
    """A row of the table domains; `schemas.tables.DOMAINS` describes the columns."""

    domain_id: str
    name: str
    kind: str
    keywords: list[str]
    intents: list[str]
    size: int


def describe_intents(
    intents: Intents,
    sizes: Mapping[int, IntentSize],
    samples: Mapping[int, IntentSample],
    model: Model,
) -> DescribedIntents:
    """Collect what is known of each intent. Novel intents without utterances and junk are left out.

    Args:
        intents: all centroids, in float16 precision.
        sizes: by row of the centroid, where there are utterances.
        samples: by row of the centroid, where there are utterances.
        model: with labels, labeled utterances and stage I.

    Raises:
        ValueError: if there are more intents than one worker takes.
    """
    kept = [i for i, kind in enumerate(intents.kinds) if kind >= 0 or (kind != JUNK and i in sizes)]
    most = model.config.domains.max_intents
    if len(kept) > most:
        raise ValueError(
            f"{len(kept)} intents were found, but at most {most} can be linked and named: "
            "the learned distance does not suit this log; give labeled intents with --labeled"
        )
    ids, known = intents.ids(model.intents), intents.known(model.intents)
    anchors = model.encoder.sentence_part(model.anchors)
    none = IntentSample([], np.zeros(0), np.zeros((0, model.encoder.dimension), np.float16))
    chosen = [samples.get(i, none) for i in kept]
    return DescribedIntents(
        ids=[ids[i] for i in kept],
        known=[known[i] for i in kept],
        centroids=intents.centroids[kept].astype(np.float16),
        radii=intents.radii[kept],
        sizes=[sizes.get(i, IntentSize()) for i in kept],
        documents=[
            Documents(sample.texts, sample.counts, model.encoder.sentence_part(sample.vectors))
            for sample in chosen
        ],
        labeled=[
            anchors[model.anchor_labels == kind] if kind >= 0 else anchors[:0]
            for kind in intents.kinds[kept]
        ],
        ood_zscores=np.array(
            [
                _mean_zscore(sample, model) if known[i] is None else 0.0
                for i, sample in zip(kept, chosen, strict=True)
            ]
        ),
    )


def _mean_zscore(sample: IntentSample, model: Model) -> float:
    if model.novelty is None or not len(sample.vectors):
        return 0.0
    return float(model.novelty.ood_zscore(sample.vectors).mean())


def junk_intents(described: DescribedIntents, config: CoherenceConfig) -> np.ndarray:
    """Return (k,) bool, True for novel intents that only the learned space holds together."""
    samples = [documents.vectors for documents in described.documents]
    is_novel = np.array([label is None for label in described.known], bool)
    known = np.flatnonzero(~is_novel)
    least = min_coherence(
        [samples[i] for i in known], [described.labeled[i] for i in known], config
    )
    return incoherent_intents(samples, is_novel, described.ood_zscores, least, config)


def build_taxonomy(
    described: DescribedIntents, model: Model
) -> tuple[list[IntentRow], list[DomainRow]]:
    """Link intents into domains and name both.

    Args:
        described: all intents but junk.
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
            kind=NOVEL if described.known[i] is None else KNOWN,
            keywords=list(name.keywords),
            exemplars=_exemplars(described.documents[i], naming),
            size=described.sizes[i].rows,
            distinct_size=described.sizes[i].distinct,
            cohesion=described.sizes[i].cohesion,
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


def _languages(described: DescribedIntents, config: LanguageConfig) -> list[list[LanguageShare]]:
    """Return the languages of each intent's sample; none if those of the log are unclear."""
    found = log_languages([text for d in described.documents for text in d.texts], config)
    if not found:
        return [[] for _ in described.documents]
    return [shares(detect(d.texts, found), d.weights) for d in described.documents]


def _with_languages(
    described: DescribedIntents,
    languages: Sequence[Sequence[LanguageShare]],
    config: LanguageConfig,
) -> DescribedIntents:
    """Return the same intents with the languages whose stop words count."""
    documents = [
        replace(d, languages=tuple(s.code for s in own if s.share >= config.min_name_share))
        for d, own in zip(described.documents, languages, strict=True)
    ]
    return replace(described, documents=documents)


def _link(
    described: DescribedIntents, known_domains: Sequence[str | None], model: Model
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


def _encoder_means(described: DescribedIntents, model: Model) -> np.ndarray:
    """Return (k, s) float64 means in the encoder's space: the head pushes known intents apart."""
    rows = zip(described.documents, described.labeled, strict=True)
    means = [np.concatenate([d.vectors, x]).astype(np.float64).mean(axis=0) for d, x in rows]
    return np.stack(means) if means else np.zeros((0, model.encoder.sentence_dimension))


def _intent_names(described: DescribedIntents, config: NamingConfig) -> list[IntentName]:
    """Return names and keywords of all intents; known intents keep their labels."""
    taken = {k for k in described.known if k is not None}
    names = name_intents(described.documents, config, taken)
    return [
        replace(name, name=label) if label is not None else name
        for name, label in zip(names, described.known, strict=True)
    ]


def _domain_rows(
    described: DescribedIntents,
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
    described: DescribedIntents, group: Sequence[int], known: str | None, name: IntentName
) -> DomainRow:
    """Return the row of one domain; known is its label, None for a novel one."""
    members = [described.ids[i] for i in group]
    largest_first = sorted(group, key=lambda i: (-described.sizes[i].rows, described.ids[i]))
    return DomainRow(
        domain_id=novel_id("".join(sorted(members)).encode()) if known is None else known_id(known),
        name=name.name if known is None else known,
        kind=NOVEL if known is None else KNOWN,
        keywords=list(name.keywords),
        intents=[described.ids[i] for i in largest_first],
        size=sum(described.sizes[i].rows for i in group),
    )


def _exemplars(documents: Documents, config: NamingConfig) -> list[str]:
    chosen = exemplars(documents.vectors, documents.texts, documents.weights, config)
    return [documents.texts[i] for i in chosen]


def _nearest_known(described: DescribedIntents) -> list[str | None]:
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
