"""The words of intents, and their terms weighted by class-based TF-IDF."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import CountVectorizer

from advin.discovery.config import NamingConfig
from advin.discovery.naming.words import INNER, base_form, has_meaning, split_words, stop_words
from advin.discovery.text.lexicon import is_personal


@dataclass(frozen=True, slots=True)
class Documents:
    """A bounded sample of one intent's utterances.

    Attributes:
        texts: (n,) utterances.
        weights: (n,) number of occurrences of each utterance, above 0.
        vectors: (n, d) unit vectors.
        languages: ISO 639 codes of the languages whose stop words carry no meaning.
    """

    texts: Sequence[str]
    weights: np.ndarray
    vectors: np.ndarray
    languages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IntentWords:
    """The utterances of an intent in words, sorted by text.

    Attributes:
        texts: (n,) utterances.
        words: (n,) words of each utterance.
        lemmas: (n,) base forms of these words.
        meant: (n,) positions of the words that carry meaning.
        weights: (n,) damped numbers of occurrences.
        closeness: (n,) centrality of each utterance, 1 on average.
        centroid: (d,) weighted sum of the vectors.
    """

    texts: list[str]
    words: list[list[str]]
    lemmas: list[list[str]]
    meant: list[list[int]]
    weights: np.ndarray
    closeness: np.ndarray
    centroid: np.ndarray

    @classmethod
    def joined(cls, intents: Sequence["IntentWords"]) -> "IntentWords":
        """Return the utterances of several intents as one intent."""
        return cls(
            texts=[t for i in intents for t in i.texts],
            words=[line for i in intents for line in i.words],
            lemmas=[line for i in intents for line in i.lemmas],
            meant=[places for i in intents for places in i.meant],
            weights=np.concatenate([np.zeros(0), *(i.weights for i in intents)]),
            closeness=np.concatenate([np.zeros(0), *(i.closeness for i in intents)]),
            centroid=sum((i.centroid for i in intents), np.zeros(1)),
        )

    def most_central(self, config: NamingConfig, rows: Iterable[int] | None = None) -> str:
        """Return the most central utterance, of readable length if possible; "" without any.

        Args:
            config: readable lengths.
            rows: utterances to choose from; None for all.
        """

        def order(i: int) -> tuple[bool, float, str]:
            return not is_readable(len(self.words[i]), config), -self.closeness[i], self.texts[i]

        best = min(range(len(self.texts)) if rows is None else rows, key=order, default=None)
        return "" if best is None else self.texts[best]


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of all intents with their class-based TF-IDF.

    Attributes:
        names: (t,) terms, one or two lemmas each.
        weight: (k, t) weight of each term in each intent.
        utterances: (k, t) number of utterances of each intent with each term.
        surface: from each lemma to its most frequent spelling.
    """

    names: np.ndarray
    weight: csr_array
    utterances: csr_array
    surface: Mapping[str, str]

    @classmethod
    def of(cls, intents: Sequence[IntentWords], config: NamingConfig) -> "Terms":
        """Count and weight the terms of all intents.

        The weight is tf · log(1 + A / f), where tf is the term's share of an intent's terms, f its
        frequency in all intents, and A the mean number of terms of an intent.
        """
        surface = _surface(intents)
        lines = [
            line for intent in intents for line in zip(intent.lemmas, intent.meant, strict=True)
        ]
        if not surface:
            none = csr_array((len(intents), 0))
            return cls(np.zeros(0, object), none, none, surface)
        analyzer = partial(_terms_of, max_words=config.max_words)
        vectorizer = CountVectorizer(analyzer=analyzer, binary=True, dtype=np.float64)
        counts = vectorizer.fit_transform(lines)
        weights = np.concatenate([intent.weights for intent in intents])
        bounds = np.cumsum([0, *(len(intent.lemmas) for intent in intents)])
        member = csr_array((weights, np.arange(len(lines)), bounds), (len(intents), len(lines)))
        frequency = csr_array(member @ counts)
        utterances = csr_array(member.sign() @ counts)
        totals = np.asarray(frequency.sum(axis=1)).ravel()
        idf = np.log1p(totals.mean() / np.asarray(frequency.sum(axis=0)).ravel())
        row_of = np.repeat(np.arange(len(intents)), np.diff(frequency.indptr))
        frequency.data *= idf[frequency.indices] / totals[row_of]
        return cls(vectorizer.get_feature_names_out(), frequency, utterances, surface)

    def of_intent(self, row: int) -> list[tuple[str, float]]:
        """Return the terms of an intent with their weights, heaviest first."""
        start, stop = self.weight.indptr[row : row + 2]
        weights, names = self.weight.data[start:stop], self.names[self.weight.indices[start:stop]]
        return [(str(names[i]), float(weights[i])) for i in np.lexsort((names, -weights))]

    def keywords(self, row: int, config: NamingConfig) -> tuple[str, ...]:
        """Return the keywords of an intent; each adds a word to the keywords before it.

        Terms of a single utterance, such as a name that no rule masks, are left out if possible.
        """
        chosen: list[str] = []
        named: set[str] = set()
        for term in self._repeated(row, config.min_occurrences):
            lemmas = term.split(" ")
            if not named.issuperset(lemmas):
                chosen.append(" ".join(self.surface[lemma] for lemma in lemmas))
                named.update(lemmas)
            if len(chosen) == config.keywords:
                break
        return tuple(chosen)

    def _repeated(self, row: int, fewest: int) -> list[str]:
        """Return the terms of enough utterances, heaviest first; all terms if there are none."""
        start, stop = self.utterances.indptr[row : row + 2]
        within = slice(start, stop)
        is_repeated = self.utterances.data[within] >= fewest
        repeated = set(self.names[self.utterances.indices[within][is_repeated]])
        terms = [term for term, _ in self.of_intent(row)]
        return [term for term in terms if term in repeated] or terms


def read_documents(documents: Sequence[Documents], config: NamingConfig) -> list[IntentWords]:
    """Split texts into words and lemmas; the order of an intent's utterances has no effect.

    Names of people that masking left are dropped, unless they are often a word or a company.

    Raises:
        ValueError: if an intent's texts, weights and vectors differ in number.
    """
    split = []
    vocabulary: set[str] = set()
    for d in documents:
        if not len(d.texts) == len(d.weights) == len(d.vectors):
            raise ValueError(
                f"{len(d.texts)} texts, but {len(d.weights)} weights and {len(d.vectors)} vectors: "
                "give one of each"
            )
        order = sorted(range(len(d.texts)), key=lambda i: (d.texts[i], d.weights[i]))
        lines = [[w for w in split_words(d.texts[i]) if not is_personal(w)] for i in order]
        vocabulary.update(word for line in lines for word in line)
        split.append((order, lines))
    lemma = {word: base_form(word, vocabulary, config.min_stem) for word in vocabulary}
    meaning = {w for w in lemma.values() if has_meaning(w, config.max_word_length)}
    intents = []
    for d, (order, lines) in zip(documents, split, strict=True):
        near = centrality(d.vectors, d.weights)[order]
        weights = damped(d.weights)[order]
        unsaid = stop_words(d.languages)
        lemmas = [[lemma[word] for word in line] for line in lines]
        intents.append(
            IntentWords(
                texts=[d.texts[i] for i in order],
                words=lines,
                lemmas=lemmas,
                meant=[
                    [i for i, w in enumerate(line) if w in meaning and w not in unsaid]
                    for line in lemmas
                ],
                weights=weights,
                closeness=near / max(near.mean(), 1e-6) if len(near) else near,
                centroid=weights @ np.asarray(d.vectors, np.float64)[order],
            )
        )
    return intents


def is_readable(words: int, config: NamingConfig) -> bool:
    """True if a text of this many words is preferred as an exemplar or as evidence."""
    return config.min_readable <= words <= config.max_readable


def damped(weights: np.ndarray) -> np.ndarray:
    """Return (n,) float64, 1 + log of the counts (n,), at least 1."""
    # A frequent text says little more about an intent than a rare one.
    return 1 + np.log(np.maximum(np.asarray(weights, np.float64), 1))


def centrality(vectors: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the (n,) mean similarity of each vector (n, d) to all, weighted by damped counts."""
    if not len(vectors):
        return np.zeros(0)
    vectors, weights = np.asarray(vectors, np.float64), damped(weights)
    return vectors @ (weights @ vectors / weights.sum())


def _terms_of(utterance: tuple[Sequence[str], Sequence[int]], max_words: int) -> list[str]:
    """Return the terms of an utterance: words with meaning and pairs of neighbors.

    An utterance without any word that carries meaning returns all its lemmas.
    """
    line, places = utterance
    terms = [line[i] for i in places]
    for i, j in pairwise(places):
        if j - i < max_words and line[i] != line[j]:
            between = [lemma for lemma in line[i + 1 : j] if lemma in INNER]
            terms.append(" ".join([line[i], *between, line[j]]))
    return terms or list(line)


def _surface(intents: Sequence[IntentWords]) -> dict[str, str]:
    """Return the most frequent spelling of each lemma."""
    written: Counter[tuple[str, str]] = Counter()
    for intent in intents:
        for lemmas, words in zip(intent.lemmas, intent.words, strict=True):
            written.update(zip(lemmas, words, strict=True))
    rarest_first = sorted(written.items(), key=lambda item: (item[1], item[0]))
    return {lemma: word for (lemma, word), _ in rarest_first}
