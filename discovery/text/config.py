"""The tunables of this package, which `advin.discovery.config` includes."""

from dataclasses import dataclass
from typing import Literal

from advin.discovery.compute.tunables import Section, tunable

# Rises when a rule changes what it finds: ids of utterances then change too.
MASKING_VERSION = 1
# The rules, in the order in which they are applied.
Rule = Literal[
    "html",
    "quote",
    "url",
    "email",
    "handle",
    "account",
    "card",
    "address",
    "date",
    "phone",
    "time",
    "amount",
    "id",
    "number",
    "name",
]


@dataclass(frozen=True, slots=True)
class TextConfig(Section):
    """Which texts are accepted as utterances, and what is kept of them."""

    max_characters: int = tunable(2000, "longest accepted text", "characters", 1)
    original: Literal["drop", "keep"] = tunable(
        "drop", "whether the tables keep texts as they stand in the input"
    )


@dataclass(frozen=True, slots=True)
class MaskingConfig(Section):
    """What is removed or replaced before a text gets an id."""

    off: tuple[Rule | Literal["all"], ...] = tunable((), "rules that are switched off")
    kept_digits: int = tunable(3, "longest number that mostly has a meaning", "digits", 1)
    min_phone_digits: int = tunable(7, "shortest telephone number", "digits", 4)
