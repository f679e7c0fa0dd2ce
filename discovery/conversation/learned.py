"""The learned rule: a classifier of the encoder's vectors that generalizes from the phrase set."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from advin.discovery.conversation.config import ConversationConfig
from advin.discovery.conversation.phrases import ANY_WORD, CATEGORIES, SLOT_VALUE, Language
from advin.discovery.conversation.words import is_value, tokens

REQUEST = "request"


@dataclass(frozen=True, slots=True)
class LearnedRule:
    """A multinomial logistic regression of categories and requests.

    Attributes:
        classes: (c,) categories in the order of `CATEGORIES`, then REQUEST.
        weights: (c, d) float64, for vectors of the encoder followed by `_features`.
        biases: (c,) float64.
        threshold: least log-odds that an utterance is conversational.
    """

    classes: tuple[str, ...]
    weights: np.ndarray
    biases: np.ndarray
    threshold: float

    @classmethod
    def fit(
        cls,
        languages: Sequence[Language],
        encode: Callable[[list[str]], np.ndarray],
        config: ConversationConfig,
        seed: int,
    ) -> Self:
        """Train on examples of the phrase set, and set the threshold on held-out parts of it.

        The language with the most requests gives the categories and the threshold. Encoders of many
        languages carry both over. To an encoder of one language, requests in other languages look
        like names, so they are examples of requests, too.

        Args:
            languages: the phrase set.
            encode: from n texts to (n, d) vectors.
            config: the tunables.
            seed: seed of the held-out parts.
        """
        main = max(languages, key=lambda language: len(language.requests))
        others = [language for language in languages if language is not main]
        texts, names = zip(*_examples(main, others, config.phrase_share), strict=True)
        classes = tuple(c for c in (*CATEGORIES, REQUEST) if c in names)
        labels = np.array([classes.index(name) for name in names])
        weights = _weights(labels == classes.index(REQUEST), len(main.requests), config)
        inputs = _inputs(texts, encode(list(texts)).astype(np.float16))
        # The last bits of a sum depend on the number of threads.
        with threadpool_limits(1):
            folds = StratifiedKFold(config.folds, shuffle=True, random_state=seed)
            log_odds = np.zeros(len(texts))
            for seen, held in folds.split(inputs, labels):
                rule = cls._trained(classes, inputs[seen], labels[seen], weights[seen], config)
                log_odds[held] = rule._log_odds(inputs[held])
            rule = cls._trained(classes, inputs, labels, weights, config)
        lowest = np.quantile(log_odds[: len(main.requests)], 1 - config.max_requests)
        return replace(rule, threshold=max(rule.threshold, float(lowest)))

    @classmethod
    def _trained(
        cls,
        classes: tuple[str, ...],
        inputs: np.ndarray,
        labels: np.ndarray,
        weights: np.ndarray,
        config: ConversationConfig,
    ) -> Self:
        model = LogisticRegression(
            C=config.inverse_regularization,
            max_iter=config.max_iterations,
        ).fit(inputs, labels, sample_weight=weights)
        lowest = np.log(config.min_probability / max(1 - config.min_probability, 1e-9))
        return cls(classes, model.coef_, model.intercept_, float(lowest))

    def raised(self, texts: Sequence[str], vectors: np.ndarray, share: float) -> Self:
        """Return the rule with a threshold that marks no more than a share of some requests.

        Args:
            texts: (n,) requests.
            vectors: (n, d) vectors of the encoder.
            share: the share, 0 to 1.
        """
        if not len(texts):
            return self
        log_odds = self._log_odds(_inputs(texts, vectors))
        return replace(self, threshold=max(self.threshold, float(np.quantile(log_odds, 1 - share))))

    def categories(self, texts: Sequence[str], vectors: np.ndarray) -> list[str | None]:
        """Return the category of each text, None for a request.

        Args:
            texts: (n,) texts.
            vectors: (n, d) vectors of the encoder.
        """
        if not len(texts):
            return []
        inputs = _inputs(texts, vectors)
        likeliest = self._logits(inputs)[:, :-1].argmax(axis=1)
        is_marked = self._log_odds(inputs) > self.threshold
        return [
            self.classes[i] if marked else None
            for i, marked in zip(likeliest.tolist(), is_marked.tolist(), strict=True)
        ]

    def _logits(self, inputs: np.ndarray) -> np.ndarray:
        return inputs @ self.weights.T + self.biases

    def _log_odds(self, inputs: np.ndarray) -> np.ndarray:
        """Return (n,) log-odds of all categories against a request, which is the last class."""
        logits = self._logits(inputs)
        return np.logaddexp.reduce(logits[:, :-1], axis=1) - logits[:, -1]


def _examples(main: Language, others: Sequence[Language], share: int) -> list[tuple[str, str]]:
    """Return texts with their categories; the requests of the main language come first."""
    found = [(text, REQUEST) for language in (main, *others) for text in language.requests]
    found += [(text, SLOT_VALUE) for text in main.answers]
    for category in CATEGORIES:
        phrases = [p for p, c in main.phrases.items() if c == category and ANY_WORD not in p]
        found += [(" ".join(phrase), category) for phrase in phrases[::share]]
    return found


def _weights(is_request: np.ndarray, main: int, config: ConversationConfig) -> np.ndarray:
    """Return (n,) weights of the examples: requests weigh as much as all categories together.

    Args:
        is_request: (n,) bool.
        main: number of requests of the main language, which come first.
        config: weight of the requests of the other languages.
    """
    ratio = float((~is_request).sum()) / main
    weights = np.where(is_request, ratio * config.other_languages, 1.0)
    weights[:main] = ratio
    return weights


def _inputs(texts: Sequence[str], vectors: np.ndarray) -> np.ndarray:
    """Return (n, d + 4) float64 vectors of the encoder and what is seen without one."""
    return np.hstack([vectors.astype(np.float64), [_features(text) for text in texts]])


def _features(text: str) -> list[float]:
    """Return the length of a text and its share of values."""
    words = tokens(text)
    n = len(words)
    return [
        1 / max(n, 1),
        float(np.log1p(n)),
        float(np.log1p(len(text))),
        sum(map(is_value, words)) / max(n, 1),
    ]


# Numbers that follow the vector of the encoder.
FEATURES = len(_features(""))
