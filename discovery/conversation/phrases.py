"""The phrase set: conversational utterances, and the words around them, by language."""

import functools
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from advin.discovery.conversation.words import tokens

SLOT_VALUE, SYMBOLS = "slot_value", "symbols"
# As the last word of a phrase: any word.
ANY_WORD = "*"
# An utterance that matches several categories has the first of them.
PHRASE_CATEGORIES = (
    "goodbye",
    "refusal",
    "uncertainty",
    "thanks",
    "confirmation",
    "hold",
    "greeting",
    "small_talk",
)
CATEGORIES = (*PHRASE_CATEGORIES, SLOT_VALUE, SYMBOLS)

Phrase = tuple[str, ...]


class PhraseError(ValueError):
    """A phrase set is malformed."""


@dataclass(frozen=True, slots=True)
class Language:
    """The phrases and words of one language, folded by `words.tokens`.

    Attributes:
        name: name of the file.
        phrases: category of each phrase.
        fillers: words that carry no request.
        lead_ins: words that stand around a bare value.
        name_lead_ins: phrases before a name.
        values: words that are values.
        question_starts: verbs that begin a question, which is no bare answer.
        answers: short answers, from which the learned rule generalizes.
        requests: requests, which it must not mark; without any, it is not trained on a language.
    """

    name: str
    phrases: Mapping[Phrase, str]
    fillers: frozenset[str]
    lead_ins: frozenset[str]
    name_lead_ins: frozenset[Phrase]
    values: frozenset[str]
    question_starts: frozenset[str]
    answers: tuple[str, ...]
    requests: tuple[str, ...]

    @classmethod
    def parse(cls, name: str, text: str) -> "Language":
        """Read a TOML file of phrases.

        Raises:
            PhraseError: if it is no such file.
        """
        try:
            return cls._of(name, tomllib.loads(text))
        except (tomllib.TOMLDecodeError, KeyError, AttributeError, TypeError) as error:
            raise PhraseError(f"{name}: not a phrase set ({error})") from error

    @classmethod
    def _of(cls, name: str, parts: Mapping[str, Any]) -> "Language":
        unknown = sorted(parts["phrases"].keys() - set(PHRASE_CATEGORIES))
        if unknown:
            raise PhraseError(
                f"{name}: {unknown[0]!r} is no category of phrases; use one of "
                f"{', '.join(PHRASE_CATEGORIES)}"
            )
        words, examples = parts["words"], parts.get("examples", {})
        return cls(
            name=name,
            phrases={
                _phrase(phrase): category
                for category in reversed(PHRASE_CATEGORIES)
                for phrase in parts["phrases"].get(category, ())
            },
            fillers=_folded(words["fillers"]),
            lead_ins=_folded(words["lead_ins"]),
            name_lead_ins=frozenset(tuple(tokens(phrase)) for phrase in words["name_lead_ins"]),
            values=_folded(words["values"]),
            question_starts=_folded(words.get("question_starts", ())),
            answers=tuple(examples.get("answers", ())),
            requests=tuple(examples.get("requests", ())),
        )


def _phrase(text: str) -> Phrase:
    words = tuple(tokens(text))
    return (*words, ANY_WORD) if text.endswith(ANY_WORD) else words


def _folded(words: Iterable[str]) -> frozenset[str]:
    return frozenset(token for word in words for token in tokens(word))


@functools.cache
def shipped_languages() -> tuple[Language, ...]:
    """Return the phrase set of this package, sorted by language."""
    folder = resources.files(__package__) / "phrases"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return tuple(Language.parse(f.name.removesuffix(".toml"), f.read_text("utf-8")) for f in files)
