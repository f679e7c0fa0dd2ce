"""The utterances of intents in words, and their terms weighed by class-based TF-IDF."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import CountVectorizer

from advin.discovery.naming.words import INNER, base_form, has_meaning, split_words

KEYWORDS = 10
LONGEST_NAME = 5  # words


@dataclass(frozen=True, slots=True)
class Documents:
    """A bounded sample of one intent's utterances.

    Attributes:
        texts: (n,) utterances.
        weights: (n,) how often each was said, above 0.
        vectors: (n, d) unit norm.
    """

    texts: Sequence[str]
    weights: np.ndarray
    vectors: np.ndarray


@dataclass(frozen=True, slots=True)
class IntentWords:
    """An intent's utterances in words, sorted by text, with damped weights."""

    texts: list[str]
    words: list[list[str]]
    lemmas: list[list[str]]
    meant: list[list[int]]  # the places of the words that carry meaning
    weights: np.ndarray
    closeness: np.ndarray  # of each utterance to all, 1 on average
    centroid: np.ndarray

    @classmethod
    def joined(cls, intents: Sequence["IntentWords"]) -> "IntentWords":
        """Return the utterances of several intents as those of one."""
        return cls(
            texts=[t for i in intents for t in i.texts],
            words=[line for i in intents for line in i.words],
            lemmas=[line for i in intents for line in i.lemmas],
            meant=[places for i in intents for places in i.meant],
            weights=np.concatenate([np.zeros(0), *(i.weights for i in intents)]),
            closeness=np.concatenate([np.zeros(0), *(i.closeness for i in intents)]),
            centroid=sum((i.centroid for i in intents), np.zeros(1)),
        )

    def most_central(self, rows: Iterable[int] | None = None) -> str:
        """Return the most central of some or all utterances, if possible one of readable length."""

        def order(i: int) -> tuple[bool, float, str]:
            return not 3 <= len(self.words[i]) <= 15, -self.closeness[i], self.texts[i]

        best = min(range(len(self.texts)) if rows is None else rows, key=order, default=None)
        return "" if best is None else self.texts[best]


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of all intents, with their class-based TF-IDF."""

    names: np.ndarray
    weight: csr_array  # (intents, terms)
    surface: Mapping[str, str]  # how a lemma is mostly written

    @classmethod
    def of(cls, intents: Sequence[IntentWords]) -> "Terms":
        """Count the terms of every intent, and weigh them.

        tf · log(1 + A / f): tf is a term's share of an intent's terms, f how often it occurs in all
        intents, A how many terms an intent has on average.
        """
        surface = _surface(intents)
        lines = [
            line for intent in intents for line in zip(intent.lemmas, intent.meant, strict=True)
        ]
        if not surface:
            return cls(np.zeros(0, object), csr_array((len(intents), 0)), surface)
        vectorizer = CountVectorizer(analyzer=_terms_of, binary=True, dtype=np.float64)
        counts = vectorizer.fit_transform(lines)
        weights = np.concatenate([intent.weights for intent in intents])
        bounds = np.cumsum([0, *(len(intent.lemmas) for intent in intents)])
        member = csr_array((weights, np.arange(len(lines)), bounds), (len(intents), len(lines)))
        frequency = csr_array(member @ counts)
        totals = np.asarray(frequency.sum(axis=1)).ravel()
        idf = np.log1p(totals.mean() / np.asarray(frequency.sum(axis=0)).ravel())
        row_of = np.repeat(np.arange(len(intents)), np.diff(frequency.indptr))
        frequency.data *= idf[frequency.indices] / totals[row_of]
        return cls(vectorizer.get_feature_names_out(), frequency, surface)

    def of_intent(self, row: int) -> list[tuple[str, float]]:
        """Return an intent's terms with their weights, heaviest first."""
        start, stop = self.weight.indptr[row : row + 2]
        weights, names = self.weight.data[start:stop], self.names[self.weight.indices[start:stop]]
        return [(str(names[i]), float(weights[i])) for i in np.lexsort((names, -weights))]

    def keywords(self, row: int) -> tuple[str, ...]:
        """Return an intent's first terms, without those whose words were all named before."""
        chosen: list[str] = []
        named: set[str] = set()
        for term, _ in self.of_intent(row):
            lemmas = term.split(" ")
            if not named.issuperset(lemmas):
                chosen.append(" ".join(self.surface[lemma] for lemma in lemmas))
                named.update(lemmas)
            if len(chosen) == KEYWORDS:
                break
        return tuple(chosen)


def read_documents(documents: Sequence[Documents]) -> list[IntentWords]:
    """Split texts into words and lemmas; the order of an intent's utterances does not matter."""
    split = []
    vocabulary: set[str] = set()
    for d in documents:
        if not len(d.texts) == len(d.weights) == len(d.vectors):
            raise ValueError(
                f"{len(d.texts)} texts, but {len(d.weights)} weights and {len(d.vectors)} vectors: "
                "give one of each"
            )
        order = sorted(range(len(d.texts)), key=lambda i: (d.texts[i], d.weights[i]))
        lines = [split_words(d.texts[i]) for i in order]
        vocabulary.update(word for line in lines for word in line)
        split.append((order, lines))
    lemma = {word: base_form(word, vocabulary) for word in vocabulary}
    meaning = {w for w in lemma.values() if has_meaning(w)}
    intents = []
    for d, (order, lines) in zip(documents, split, strict=True):
        near = centrality(d.vectors, d.weights)[order]
        weights = damped(d.weights)[order]
        intents.append(
            IntentWords(
                texts=[d.texts[i] for i in order],
                words=lines,
                lemmas=(lemmas := [[lemma[word] for word in line] for line in lines]),
                meant=[[i for i, w in enumerate(line) if w in meaning] for line in lemmas],
                weights=weights,
                closeness=near / max(near.mean(), 1e-6) if len(near) else near,
                centroid=weights @ np.asarray(d.vectors, np.float64)[order],
            )
        )
    return intents


def damped(weights: np.ndarray) -> np.ndarray:
    """Return 1 + log of the counts (n,), at least 1."""
    # A text that was typed 400 times says no more about an intent than a few others do.
    return 1 + np.log(np.maximum(np.asarray(weights, np.float64), 1))


def centrality(vectors: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the mean similarity of each vector to all."""
    if not len(vectors):
        return np.zeros(0)
    vectors, weights = np.asarray(vectors, np.float64), damped(weights)
    return vectors @ (weights @ vectors / weights.sum())


def _terms_of(utterance: tuple[Sequence[str], Sequence[int]]) -> list[str]:
    """Return an utterance's terms: words with meaning, neighbors of them; or whatever there is."""
    line, places = utterance
    terms = [line[i] for i in places]
    for i, j in zip(places[:-1], places[1:], strict=True):
        if j - i < LONGEST_NAME and line[i] != line[j]:
            between = [lemma for lemma in line[i + 1 : j] if lemma in INNER]
            terms.append(" ".join([line[i], *between, line[j]]))
    return terms or list(line)


def _surface(intents: Sequence[IntentWords]) -> dict[str, str]:
    """Return how each lemma is mostly written."""
    written: Counter[tuple[str, str]] = Counter()
    for intent in intents:
        for lemmas, words in zip(intent.lemmas, intent.words, strict=True):
            written.update(zip(lemmas, words, strict=True))
    rarest_first = sorted(written.items(), key=lambda item: (item[1], item[0]))
    return {lemma: word for (lemma, word), _ in rarest_first}
