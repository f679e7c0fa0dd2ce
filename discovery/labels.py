"""Labels of utterances, kinds of clusters, and the rules that make user-given labels consistent.

In both, 0, 1, … is the index of a known intent. Negative labels say what is known of an utterance;
negative kinds say what a cluster is.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

# Labels of utterances: no label; no label and the novelty score says that none would fit; text
# that belongs to no intent.
UNLABELED, SUSPECTED_NOVEL, OUT_OF_DOMAIN = -1, -2, -3
# Kinds of clusters.
NOVEL, JUNK, TOO_SMALL = -1, -2, -3


class LabelError(ValueError):
    """The labels that the user gave contradict each other."""


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
) -> dict[str, str]:
    """Return the domain of each intent that has one.

    Args:
        intents: the label of each labeled row.
        domains: the domain that the row gives, or None.
        counts: how often the row occurs.

    Raises:
        LabelError: if an intent has two domains.
    """
    given: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for intent, domain, count in zip(intents, domains, counts, strict=True):
        if domain is not None:
            given[intent][domain] += count
    for intent, found in sorted(given.items()):
        if len(found) > 1:
            first, second = sorted(found)[:2]
            raise LabelError(
                f"intent {intent!r} is labeled with domain {first!r} ({found[first]} rows) and "
                f"{second!r} ({found[second]} rows): an intent has one domain; split the intent "
                "or correct the domain"
            )
    return {intent: next(iter(found)) for intent, found in given.items()}
