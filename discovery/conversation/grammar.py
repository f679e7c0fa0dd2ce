"""The grammar: an utterance is conversational if it consists of phrases and fillers."""

import functools
from collections.abc import Collection, Iterator, Sequence

from advin.discovery.conversation.config import ConversationConfig
from advin.discovery.conversation.phrases import (
    ANY_WORD,
    PHRASE_CATEGORIES,
    SLOT_VALUE,
    SYMBOLS,
    Language,
)
from advin.discovery.conversation.words import is_one_edit_apart, is_value, squeezed, tokens
from advin.discovery.text.cleaning import CACHED_WORDS

_NAME = "[name]"
_VOWELS = frozenset("aeiou")


class Grammar:
    """The grammar of one language."""

    def __init__(self, language: Language, config: ConversationConfig):
        """Index the words of a language."""
        self._language, self._config = language, config
        phrases = language.phrases
        self._longest = max((len(phrase) for phrase in phrases), default=0)
        self._heads = {p[0]: category for p, category in phrases.items() if len(p) == 1}
        self._polite = {w for w, c in self._heads.items() if c in ("greeting", "thanks")}
        self._phrase_words = sorted({word for phrase in phrases for word in phrase})
        self._vocabulary = (
            set(self._phrase_words) | language.fillers | language.lead_ins | language.values
        )
        # A word of a phrase wins over a filler of the same letters.
        self._squeezed = {squeezed(w): w for w in (*sorted(language.fillers), *self._phrase_words)}
        self._answers = {tuple(tokens(answer)) for answer in language.answers}
        self._vocabulary |= {word for answer in self._answers for word in answer}
        self._repaired = functools.lru_cache(CACHED_WORDS)(self._repair)

    def category(self, words: Sequence[str]) -> str | None:
        """Return the category of an utterance's words by `tokens`; None for a request."""
        if self._is_named(words):
            return SLOT_VALUE
        repaired = [part for word in words for part in self._repaired(word)]
        category = self._phrase_category(repaired)
        if category is None and (self._is_bare_value(repaired) or self._is_answer(repaired)):
            return SLOT_VALUE
        return category

    def is_question(self, words: Sequence[str]) -> bool:
        """True if an utterance begins with a verb that begins questions in this language."""
        return bool(words) and words[0] in self._language.question_starts

    def _phrase_category(self, words: Sequence[str]) -> str | None:
        """Return the category of an utterance of phrases and fillers."""
        found = set()
        at = 0
        while at < len(words):
            length, category = self._longest_phrase(words, at)
            if category is not None:
                found.add(category)
                at += length
            elif words[at] in self._language.fillers or words[at] == _NAME:
                at += 1
            else:
                return None
        return next((c for c in PHRASE_CATEGORIES if c in found), None)

    def _longest_phrase(self, words: Sequence[str], at: int) -> tuple[int, str | None]:
        phrases = self._language.phrases
        for length in range(min(self._longest, len(words) - at), 0, -1):
            phrase = tuple(words[at : at + length])
            category = phrases.get(phrase) or phrases.get((*phrase[:-1], ANY_WORD))
            if category is not None:
                return length, category
        return 0, None

    def _is_bare_value(self, words: Sequence[str]) -> bool:
        """True if an utterance is a value, perhaps with words that stand around values."""
        lead_ins, values = self._language.lead_ins, self._language.values
        is_given = [is_value(word) for word in words]
        if not any(is_given):
            has_value = any(word in values for word in words)
            return has_value and all(word in values or word in lead_ins for word in words)
        near = [any(is_given[max(0, i - 1) : i + 2]) for i in range(len(words))]
        return all(
            given
            or word in values
            or word in lead_ins
            or word in self._polite
            or len(word) == 1
            or (beside and len(word) <= self._config.max_code and _VOWELS.isdisjoint(word))
            for word, given, beside in zip(words, is_given, near, strict=True)
        )

    def _is_answer(self, words: Sequence[str]) -> bool:
        """True if an utterance is an answer of the phrase set, perhaps with words around it."""
        around = [w in self._heads or w in self._language.lead_ins for w in words]
        inner = [i for i, is_around in enumerate(around) if not is_around]
        first, last = (inner[0], inner[-1]) if inner else (len(words), -1)
        return any(
            tuple(words[start:stop]) in self._answers
            for start in range(min(first + 1, len(words)))
            for stop in range(max(last, start) + 1, len(words) + 1)
        )

    def _is_named(self, words: Sequence[str]) -> bool:
        """True if an utterance is a name after words such as "my name is"."""
        start = 0
        while start < len(words) and words[start] in self._heads:
            start += 1
        return any(
            tuple(words[start:stop]) in self._language.name_lead_ins
            and self._vocabulary.isdisjoint(words[stop:])
            for stop in range(max(start + 1, len(words) - self._config.max_name_words), len(words))
        )

    def _repair(self, word: str) -> tuple[str, ...]:
        """Return a word as the language spells it, or the words that it is written together from.

        An unknown word is returned as it is.
        """
        if word in self._vocabulary or is_value(word):
            return (word,)
        short = squeezed(word)
        if short in self._squeezed:
            return (self._squeezed[short],)
        if len(word) < self._config.min_corrected:
            return (word,)
        for parts in _parts(short, self._squeezed.keys(), self._config.max_parts):
            restored = tuple(self._squeezed[part] for part in parts)
            least = self._config.min_split
            if any(part in self._heads and len(part) >= least for part in restored):
                return restored
        return (self._correction(word),)

    def _correction(self, word: str) -> str:
        least = self._config.min_corrected
        near = (w for w in self._phrase_words if w[0] == word[0] and len(w) >= least)
        return next((w for w in near if is_one_edit_apart(word, w)), word)


def _parts(word: str, known: Collection[str], most: int) -> Iterator[tuple[str, ...]]:
    """Yield the ways to split a word into known words of two letters or more, longest first."""
    if word in known:
        yield (word,)
    if most > 1:
        for i in range(len(word) - 2, 1, -1):
            if word[:i] in known:
                for rest in _parts(word[i:], known, most - 1):
                    yield (word[:i], *rest)


def text_category(text: str, grammars: Sequence[Grammar], max_words: int) -> str | None:
    """Return the category of a text by the first grammar that knows one; None for a request.

    Args:
        text: the text.
        grammars: the grammars of all languages.
        max_words: words of a longer text, which tells a story.
    """
    words = tokens(text)
    if not words:
        return SYMBOLS
    if len(words) > max_words:
        return None
    return next((c for g in grammars if (c := g.category(words)) is not None), None)
