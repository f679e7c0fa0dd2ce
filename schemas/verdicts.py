"""Verdicts on utterances: five kinds, and one word for the reason of each verdict.

`REASONS` is the only list of reasons. The reference page is generated from it. The kind of an
utterance follows from its reason.
"""

from dataclasses import dataclass

KNOWN, NOVEL, CONVERSATIONAL, JUNK, UNASSIGNED = (
    "known",
    "novel",
    "conversational",
    "junk",
    "unassigned",
)

KINDS = {
    KNOWN: "The utterance belongs to an intent that was labeled.",
    NOVEL: "The utterance belongs to an intent that was discovered.",
    CONVERSATIONAL: "The utterance carries no request, such as a greeting.",
    JUNK: "The utterance belongs to a cluster that is no request for this assistant.",
    UNASSIGNED: "No other kind is likely enough.",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an utterance has its kind.

    Attributes:
        kind: one of `KINDS`.
        meaning: one line.
    """

    kind: str
    meaning: str


IN_KNOWN_INTENT, IN_NOVEL_INTENT = "in_known_intent", "in_novel_intent"
OUT_OF_DOMAIN, INCOHERENT = "out_of_domain", "incoherent"
LEFTOVER, UNCLEAR, TOO_SMALL = "leftover", "unclear", "too_small"
TOO_FAR, EMPTY = "too_far", "empty"
OTHER_SPEAKER = "other_speaker"

# Why an utterance is conversational; `advin.discovery.conversation` tells them apart.
CONVERSATIONAL_REASONS = {
    "greeting": "It opens a conversation.",
    "thanks": "It thanks.",
    "goodbye": "It ends a conversation.",
    "confirmation": "It says yes.",
    "refusal": "It says no.",
    "uncertainty": "It says neither yes nor no.",
    "hold": "It asks for a moment, or fills one.",
    "small_talk": "Small talk, an apology or an exclamation.",
    "slot_value": "A bare answer, such as a name, a number, a size or a date.",
    "symbols": "It holds no letter and no digit, such as emoji.",
}

REASONS = {
    IN_KNOWN_INTENT: Reason(KNOWN, "Its novelty score and its cluster make a known intent likely."),
    IN_NOVEL_INTENT: Reason(NOVEL, "It lies within the radius of a novel intent, the nearest one."),
    OUT_OF_DOMAIN: Reason(JUNK, "Its cluster holds many of the out-of-domain examples."),
    INCOHERENT: Reason(
        JUNK, "The utterances of its cluster have little in common and are far from known ones."
    ),
    LEFTOVER: Reason(
        UNASSIGNED,
        "The utterances of its cluster have little in common; most are nearest to other intents.",
    ),
    UNCLEAR: Reason(
        UNASSIGNED, "The utterance does not seem known. Its cluster does, but holds no labels."
    ),
    TOO_SMALL: Reason(UNASSIGNED, "Its cluster has too few distinct utterances for an intent."),
    TOO_FAR: Reason(UNASSIGNED, "It lies beyond the radius of every intent and cluster."),
    EMPTY: Reason(
        UNASSIGNED, "Only in the table dropped: nearer intents took all utterances of the cluster."
    ),
    OTHER_SPEAKER: Reason(UNASSIGNED, "Only speakers that --speaker excludes say it."),
    **{name: Reason(CONVERSATIONAL, text) for name, text in CONVERSATIONAL_REASONS.items()},
}


def kind_of(reason: str) -> str:
    """Return the kind of utterances with a reason; KeyError if it is not one of `REASONS`."""
    return REASONS[reason].kind
