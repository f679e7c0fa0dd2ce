"""What a user should know of a log before its results: one line for each finding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from advin.discovery.text.config import LanguageConfig
from advin.discovery.text.language import LanguageShare

MULTILINGUAL_ADVICE = "use --encoder multilingual"


@dataclass(frozen=True, slots=True)
class LogFacts:
    """What was found in a log.

    Attributes:
        utterances: number of distinct utterances.
        languages: its languages with their shares, largest first; empty if unclear.
        unread: codes of those languages that the encoder does not read.
        unknown: share of utterances with letters that the encoder's tokenizer does not know.
    """

    utterances: int
    languages: Sequence[LanguageShare]
    unread: Sequence[str]
    unknown: float


def log_notices(facts: LogFacts, min_log: int, config: LanguageConfig) -> list[str]:
    """Return one line for each finding that makes results unreliable.

    Args:
        facts: what was found.
        min_log: smallest log whose results are reliable, in distinct utterances.
        config: shares from which a finding is reported.
    """
    lines = []
    if facts.utterances < min_log:
        lines.append(
            f"--input: {facts.utterances} distinct utterances are few, so intents may be split, "
            f"merged or missed: give at least {min_log}"
        )
    foreign = [one for one in facts.languages if one.code in facts.unread]
    is_enough = facts.utterances >= config.min_reported
    if is_enough and sum(one.share for one in foreign) > config.max_foreign:
        named = ", ".join(f"{one.code} ({one.share:.0%})" for one in foreign)
        lines.append(
            f"--input: the encoder does not read {named}: {MULTILINGUAL_ADVICE}, or name the "
            "languages with --language if they are others"
        )
    if facts.unknown > config.max_unknown:
        lines.append(
            f"--input: the encoder does not know letters of {facts.unknown:.0%} of the utterances: "
            f"{MULTILINGUAL_ADVICE}"
        )
    return lines


def label_notices(labels: Mapping[str, int], min_labels: int, min_intents: int) -> list[str]:
    """Return one line for each way in which labels are too few.

    Args:
        labels: number of labeled utterances of each intent.
        min_labels: fewest labels of an intent.
        min_intents: fewest intents.
    """
    lines = []
    if len(labels) < min_intents:
        lines.append(
            f"--labeled: {len(labels)} labeled intents are too few to tell known from novel, so "
            f"known utterances may appear as novel intents: label at least {min_intents}"
        )
    few = sorted(intent for intent, n in labels.items() if n < min_labels)
    if few:
        shown = ", ".join(map(repr, few[:2])) + (", …" if len(few) > 2 else "")
        lines.append(
            f"--labeled: {len(few)} of {len(labels)} intents have fewer than {min_labels} labels "
            f"({shown}), so parts of them may appear as novel intents: give at least {min_labels}"
        )
    return lines
