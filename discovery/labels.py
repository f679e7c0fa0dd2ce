"""Labels of utterances, kinds of clusters, and the rules that make user-given labels consistent.

In both, 0, 1, … is the index of a known intent. Negative labels say what is known of an utterance;
negative kinds say what a cluster is.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from advin.discovery.compute.tunables import Section, fraction, tunable

L = TypeVar("L", str, str | None)

# Labels of utterances: no label; no label and the novelty score says that none would fit; text
# that belongs to no intent.
UNLABELED, SUSPECTED_NOVEL, OUT_OF_DOMAIN = -1, -2, -3
# Kinds of clusters. UNCLEAR: large enough and known by its scores, but without labels.
NOVEL, JUNK, UNCLEAR, TOO_SMALL = -1, -2, -3, -4


_JOINTS = re.compile(r"[\s_-]+")
_END = ".,:;!?"


@dataclass(frozen=True, slots=True)
class LabelsConfig(Section):
    """How labels of known intents are read."""

    spellings: Literal["keep", "join"] = tunable(
        "keep", "whether labels that differ only in spelling are one intent"
    )
    min_labels: int = tunable(5, "fewer labels of an intent are reported", "utterances", 1)
    min_intents: int = tunable(3, "fewer labeled intents are reported", "intents", 1)
    good_match: float = fraction(
        0.8, "labels match well if this share of what looks known is in clusters with labels"
    )
    poor_match: float = fraction(0.5, "below this share, labels match poorly")


@dataclass(frozen=True, slots=True)
class ConsistentLabels:
    """Labels with one intent for each utterance, and one domain for each intent.

    Attributes:
        rows: positions of the labeled rows to keep, sorted by utterance.
        intents: the intent of each of them.
        domain_of: the domain of each intent that has one.
        spellings: groups of intents or domains that differ only in spelling, most frequent first.
        split: intents that are labeled with several domains, with the rows of each domain.
    """

    rows: list[int]
    intents: list[str]
    domain_of: dict[str, str]
    spellings: list[list[str]]
    split: dict[str, dict[str, int]]


def consistent_labels(
    utterance_ids: Sequence[str],
    counts: Sequence[int],
    intents: Sequence[str],
    domains: Sequence[str | None],
    config: LabelsConfig,
) -> ConsistentLabels:
    """Make labels consistent: the most frequent intent, domain and spelling counts.

    Args:
        utterance_ids: the utterance of each labeled row.
        counts: how often the row occurs.
        intents: its intent.
        domains: its domain, or None.
        config: whether spellings are joined.
    """
    of_intents, of_domains = spellings(intents, counts), spellings(domains, counts)
    if config.spellings == "join":
        intents = _joined(intents, of_intents)
        domains = _joined(domains, of_domains)
    domain_of, split = intent_domains(intents, domains, counts)
    rows, kept = resolve_labels(utterance_ids, counts, intents)
    return ConsistentLabels(rows, kept, domain_of, [*of_intents, *of_domains], split)


def spelling_key(label: str) -> str:
    """Return what all spellings of a label share.

    Capital letters, spaces, underscores, hyphens, final punctuation and forms of Unicode do not
    matter.

    >>> spelling_key(" Track-Parcel. ")
    'track parcel'
    """
    plain = unicodedata.normalize("NFKC", label).casefold()
    return _JOINTS.sub(" ", plain).strip().rstrip(_END).strip() or label


def spellings(labels: Sequence[str | None], counts: Sequence[int]) -> list[list[str]]:
    """Return the groups of labels that differ only in spelling, most frequent spelling first."""
    rows: Counter[str] = Counter()
    for label, count in zip(labels, counts, strict=True):
        if label is not None:
            rows[label] += count
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for label in sorted(rows, key=lambda label: (-rows[label], label)):
        groups[spelling_key(label)].append(label)
    return [group for _, group in sorted(groups.items()) if len(group) > 1]


def _joined(labels: Sequence[L], groups: Sequence[Sequence[str]]) -> list[L]:
    """Return labels with each one replaced by the first spelling of its group."""
    chosen: dict[L, L] = {label: group[0] for group in groups for label in group}
    return [chosen.get(label, label) for label in labels]


def resolve_labels(
    utterance_ids: Sequence[str], counts: Sequence[int], intents: Sequence[str]
) -> tuple[list[int], list[str]]:
    """Keep one label for each utterance: the most frequent one, ties by name.

    Args:
        utterance_ids: the utterance of each labeled row.
        counts: how often the row occurs.
        intents: its label.

    Returns:
        the positions of the rows to keep, sorted by utterance, and their intents.
    """
    best: dict[str, tuple[int, str, int]] = {}
    rows = zip(utterance_ids, counts, intents, strict=True)
    for position, (utterance, count, intent) in enumerate(rows):
        rank = (-count, intent, position)
        if utterance not in best or rank < best[utterance]:
            best[utterance] = rank
    kept = [best[utterance] for utterance in sorted(best)]
    return [position for _, _, position in kept], [intent for _, intent, _ in kept]


def intent_domains(
    intents: Sequence[str], domains: Sequence[str | None], counts: Sequence[int]
) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
    """Return the most frequent domain of each intent that has one, ties by name.

    Args:
        intents: the label of each labeled row.
        domains: the domain that the row gives, or None.
        counts: how often the row occurs.

    Returns:
        the domain of each intent; and the rows of each domain, for intents that have several.
    """
    given: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for intent, domain, count in zip(intents, domains, counts, strict=True):
        if domain is not None:
            given[intent][domain] += count
    chosen = {intent: min(found, key=lambda d: (-found[d], d)) for intent, found in given.items()}
    return chosen, {i: dict(found) for i, found in sorted(given.items()) if len(found) > 1}
