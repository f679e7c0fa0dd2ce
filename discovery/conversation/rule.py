"""The whole rule: phrases first, then the learned rule, and labels above both."""

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from advin.discovery.conversation.config import ConversationConfig
from advin.discovery.conversation.grammar import Grammar, text_category
from advin.discovery.conversation.learned import LearnedRule
from advin.discovery.conversation.phrases import SLOT_VALUE, shipped_languages
from advin.discovery.conversation.words import tokens

Encode = Callable[[list[str]], np.ndarray]


@dataclass(frozen=True, slots=True)
class LabeledTexts:
    """Labeled utterances, which are never conversational.

    Attributes:
        texts: (n,) texts.
        vectors: (n, d) vectors of the encoder.
        labels: (n,) int64 intents.
    """

    texts: Sequence[str]
    vectors: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, slots=True)
class ConversationRule:
    """Tells conversational utterances from requests.

    Attributes:
        config: the tunables.
        grammars: the grammars of all languages.
        learned: the learned rule, or None.
        known: categories that labeled intents own: their utterances go to these intents.
        labeled: labeled texts, by their words, that the rule would mark.
    """

    config: ConversationConfig
    grammars: tuple[Grammar, ...]
    learned: LearnedRule | None
    known: frozenset[str]
    labeled: frozenset[str]

    @classmethod
    def fit(
        cls, encode: Encode, labeled: LabeledTexts, config: ConversationConfig, seed: int
    ) -> Self | None:
        """Learn the rule; None if the configuration switches it off.

        Args:
            encode: from n texts to (n, d) vectors.
            labeled: labeled utterances.
            config: the tunables.
            seed: seed of the held-out parts of the phrase set.
        """
        if config.rules == "none":
            return None
        learned = _without_labels(encode, config, seed) if config.rules == "all" else None
        grammars = tuple(Grammar(language, config) for language in shipped_languages())
        return cls(config, grammars, learned, frozenset(), frozenset())._under_labels(labeled)

    def _under_labels(self, labeled: LabeledTexts) -> Self:
        """Return the rule without what the labels contradict."""
        found = self.categories(labeled.texts, labeled.vectors)
        known = _owned(found, labeled.labels, self.config)
        learned = self.learned
        if learned is not None:
            rows = [i for i, category in enumerate(found) if category not in known]
            texts = [labeled.texts[i] for i in rows]
            learned = learned.raised(texts, labeled.vectors[rows], self.config.max_labeled)
        marked = zip(labeled.texts, found, strict=True)
        exempt = frozenset(_key(text) for text, category in marked if category is not None)
        return replace(self, learned=learned, known=known, labeled=exempt)

    def categories(self, texts: Sequence[str], vectors: np.ndarray) -> list[str | None]:
        """Return the category of each conversational utterance, None for the others.

        Args:
            texts: (n,) texts.
            vectors: (n, d) vectors of the encoder.
        """
        most = self.config.max_words
        found = [text_category(text, self.grammars, most) for text in texts]
        if self.learned is not None:
            longest = self.config.max_answer_words
            rows = [
                i
                for i, category in enumerate(found)
                if category is None and len(tokens(texts[i])) <= longest
            ]
            more = self.learned.categories([texts[i] for i in rows], vectors[rows])
            for i, category in zip(rows, more, strict=True):
                found[i] = category
        return [
            None
            if c in self.known
            or _key(text) in self.labeled
            or (c == SLOT_VALUE and self._is_question(text))
            else c
            for text, c in zip(texts, found, strict=True)
        ]

    def _is_question(self, text: str) -> bool:
        """True if a text is a question; a question is no bare answer."""
        words = tokens(text)
        return text.endswith("?") or any(g.is_question(words) for g in self.grammars)

    def to_values(self) -> dict[str, Any]:
        """Return what is no array, as JSON values."""
        learned = self.learned
        return {
            "known": sorted(self.known),
            "labeled": sorted(self.labeled),
            "classes": list(learned.classes) if learned else None,
            "threshold": learned.threshold if learned else None,
        }

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays by name."""
        if self.learned is None:
            return {}
        return {"weights": self.learned.weights, "biases": self.learned.biases}

    @classmethod
    def restored(
        cls, config: ConversationConfig, values: dict[str, Any], arrays: dict[str, np.ndarray]
    ) -> Self:
        """Restore a rule from its configuration, `to_values` and `to_arrays`."""
        learned = None
        if values["classes"] is not None:
            learned = LearnedRule(
                tuple(values["classes"]), arrays["weights"], arrays["biases"], values["threshold"]
            )
        return cls(
            config,
            tuple(Grammar(language, config) for language in shipped_languages()),
            learned,
            frozenset(values["known"]),
            frozenset(values["labeled"]),
        )


@functools.lru_cache(maxsize=2)
def _without_labels(encode: Encode, config: ConversationConfig, seed: int) -> LearnedRule:
    """Return the learned rule of the phrase set; a process learns it once for each encoder."""
    return LearnedRule.fit(shipped_languages(), encode, config, seed)


def _key(text: str) -> str:
    """Return what equal utterances share; symbols stand for themselves."""
    return " ".join(tokens(text)) or text


def _owned(
    found: Sequence[str | None], labels: np.ndarray, config: ConversationConfig
) -> frozenset[str]:
    """Return the categories of intents that consist mostly of conversational utterances."""
    counts: dict[int, Counter[str | None]] = {}
    for label, category in zip(labels.tolist(), found, strict=True):
        counts.setdefault(label, Counter())[category] += 1
    owned = set()
    for counter in counts.values():
        total = counter.total()
        if total - counter[None] <= config.intent_share * total:
            continue
        owned |= {c for c, n in counter.items() if c and n >= config.category_share * total}
    return frozenset(owned)
