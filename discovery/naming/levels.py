"""Names of intents at all levels, and the rows of the table levels."""

from collections.abc import Mapping
from dataclasses import dataclass

from advin.discovery.config import NamingConfig
from advin.discovery.intents.levels import AUTO, LEVELS, Levels
from advin.discovery.naming.description import DescribedClusters
from advin.discovery.naming.exemplars import exemplars
from advin.discovery.naming.names import IntentName, name_intents
from advin.discovery.naming.terms import Documents
from advin.discovery.text.language import LanguageShare


@dataclass(frozen=True, slots=True)
class LevelRow:
    """A row of the table levels; `schemas.tables.LEVELS` describes the columns."""

    level: str
    intent_id: str
    parent_id: str | None
    name: str
    keywords: list[str]
    exemplars: list[str]
    size: int
    distinct_size: int
    stability: float | None


@dataclass(frozen=True, slots=True)
class NamedLevel:
    """The intents of a level with their names and relations.

    Attributes:
        described: k intents.
        names: (k,) names and keywords; a known intent keeps its label.
        languages: (k,) languages of the intent's sample with their shares.
        stability: (k,) 0 to 1; None for known intents, and if it could not be measured.
        parents: (k,) id of the parent at the next coarser level, or None.
    """

    described: DescribedClusters
    names: list[IntentName]
    languages: list[list[LanguageShare]]
    stability: list[float | None]
    parents: list[str | None]


def name_levels(
    levels: Mapping[str, DescribedClusters], config: NamingConfig
) -> dict[str, list[IntentName]]:
    """Name the intents of all levels. An intent that is the same at two levels has one name.

    Args:
        levels: the intents, by level.
        config: lengths, weights and numbers of names and keywords.
    """
    auto = levels[AUTO]
    taken = {label for label in auto.known if label is not None}
    names = {AUTO: name_intents(auto.documents, config, taken)}
    same = dict(zip(auto.ids, names[AUTO], strict=True))
    for level in LEVELS:
        if level == AUTO:
            continue
        ids = levels[level].ids
        new = [row for row, intent in enumerate(ids) if intent not in same]
        used = taken | {same[intent].name for intent in ids if intent in same}
        found = name_intents(levels[level].documents, config, used, only=new) if new else []
        renamed = dict(zip(new, found, strict=True))
        names[level] = [renamed.get(row) or same[intent] for row, intent in enumerate(ids)]
    return names


def level_rows(
    levels: Levels, named: Mapping[str, NamedLevel], config: NamingConfig
) -> list[LevelRow]:
    """Return the rows of the table levels, sorted by level and id."""
    rows = []
    for level in LEVELS:
        found = named[level]
        rows += [
            LevelRow(
                level=level,
                intent_id=found.described.ids[i],
                parent_id=found.parents[i],
                name=found.names[i].name,
                keywords=list(found.names[i].keywords),
                exemplars=exemplar_texts(found.described.documents[i], config),
                size=found.described.sizes[i].rows,
                distinct_size=found.described.sizes[i].distinct,
                stability=found.stability[i],
            )
            for i in levels.by_name[level].novel.tolist()
        ]
    order = {level: place for place, level in enumerate(LEVELS)}
    return sorted(rows, key=lambda row: (order[row.level], row.intent_id))


def exemplar_texts(documents: Documents, config: NamingConfig) -> list[str]:
    """Return the texts of an intent's exemplars."""
    chosen = exemplars(documents.vectors, documents.texts, documents.weights, config)
    return [documents.texts[i] for i in chosen]
