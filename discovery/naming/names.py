"""Names, keywords and exemplars of intents and domains, taken from their utterances.

Keywords are ranked by class-based TF-IDF (Grootendorst, arXiv 2203.05794). The name of an intent is
a phrase of words that occur together in its utterances, in the order in which they mostly do; the
utterance it was taken from is kept as its evidence. Function words and endings are English ones:
other languages are named too, with less polish.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from advin.discovery.encoding.text import normalize
from advin.discovery.naming.terms import (
    LONGEST_NAME,
    Documents,
    IntentWords,
    Terms,
    centrality,
    read_documents,
)
from advin.discovery.naming.words import (
    ASKING,
    FUNCTION,
    INNER,
    PARTICLES,
)

# Words of an intent that can be in its name: the most characteristic.
_NAME_WORDS = 30
# Words with meaning that a pair of words may skip.
_SKIPPED = 2
_LONGEST_EVIDENCE = 40
# Candidates of each intent that are compared with its centroid.
_COMPARED = 5
# How candidates are weighed, by looking at names of gold intents; +-50 % changes few of them.
_COVERAGE_POWER = 0.6
_RARE = 0.1
_LENGTH_FACTOR = {1: 0.18, 3: 1.8}
_ASKING_WORD = 0.2
_APART = 0.35
# Words of a domain's name; a word that occurs in this share of an intent speaks for all of it.
_DOMAIN_WORDS = 3
_SPEAKS_FOR = 0.25


@dataclass(frozen=True, slots=True)
class IntentName:
    """A name and what it rests on.

    Attributes:
        name: mostly two to five words, unlike all others of a run.
        keywords: most characteristic terms first.
        evidence_text: the most central utterance that the name's words occur in.
        score: how well the name fits, 0 and more; comparable inside a run.
    """

    name: str
    keywords: tuple[str, ...]
    evidence_text: str
    score: float


def exemplars(
    vectors: np.ndarray, texts: Sequence[str], weights: np.ndarray, n: int = 5
) -> list[int]:
    """Choose up to n utterances that show an intent: the medoid first, then a spread.

    The medoid has the highest mean similarity to all; each next one is the farthest from those
    chosen, among the more central half. Texts of 3 to 15 words are preferred if there are n of
    them; of texts that are equal but for case and space only the most frequent is taken.

    Args:
        vectors: (m, d) unit norm.
        texts: (m,) utterances.
        weights: (m,) how often each was said, above 0.
        n: how many to choose, at least 1.

    Returns:
        Indices of the chosen, at most n; ties break by text.
    """
    if n < 1:
        raise ValueError(f"n is {n}, but must be at least 1")
    best_spelling: dict[str, int] = {}
    for i in sorted(range(len(texts)), key=lambda i: (-weights[i], texts[i])):
        best_spelling.setdefault(normalize(texts[i]), i)
    rows = [best_spelling[text] for text in sorted(best_spelling)]
    readable = [i for i in rows if 3 <= len(texts[i].split()) <= 15]
    rows = readable if len(readable) >= n else rows
    if not rows:
        return []
    near = centrality(vectors, weights)[rows]
    half = max(n, -(-len(rows) // 2))
    central = [rows[i] for i in np.argsort(-near, kind="stable")[:half]]
    points = np.asarray(vectors, np.float64)[central]
    chosen = [0]
    nearest = points @ points[0]
    while len(chosen) < min(n, len(central)):
        nearest[chosen] = np.inf
        chosen.append(int(np.argmin(nearest)))
        nearest = np.maximum(nearest, points @ points[chosen[-1]])
    return [central[i] for i in chosen]


def name_intents(
    documents: Sequence[Documents],
    taken: Collection[str] = (),
    encode: Callable[[Sequence[str]], np.ndarray] | None = None,
) -> list[IntentName]:
    """Name intents by phrases from their utterances, and list their keywords.

    A phrase scores by the share of the intent's utterances it occurs in, by how little it occurs in
    other intents, by the class-based TF-IDF of its words, and by how central its utterances are.

    Args:
        documents: of each intent a bounded sample.
        taken: names that are in use already, such as those of known intents.
        encode: texts to unit vectors in the space of the documents' vectors; if given, the best
            phrases are also compared with the intent's centroid.

    Returns:
        One name for each intent, all different and none of them taken.
    """
    intents = read_documents(documents)
    terms = Terms.of(intents)
    ranked = _by_score([_candidates(intent, terms, row) for row, intent in enumerate(intents)])
    if encode is not None:
        ranked = _by_centroid(intents, ranked, encode)

    def fit(row: int) -> tuple[float, list[str]]:
        return -max((c.score for c in ranked[row]), default=0.0), intents[row].texts

    used = {_key(name) for name in taken}
    names: dict[int, IntentName] = {}
    for row in sorted(range(len(intents)), key=fit):  # whom a name fits best takes it
        name, candidate = _unused(intents[row], ranked[row], used)
        used.add(_key(name))
        names[row] = IntentName(
            name=name,
            keywords=terms.keywords(row),
            evidence_text=intents[row].most_central(candidate.rows if candidate else None),
            score=candidate.score if candidate else 0.0,
        )
    return [names[row] for row in range(len(intents))]


def name_domains(
    documents: Sequence[Sequence[Documents]], taken: Collection[str] = ()
) -> list[IntentName]:
    """Name domains by two or three words that their intents share, and list their keywords.

    Words are chosen one by one, each for the intents that those before do not speak for, as in
    "prescription / doctor / results".

    Args:
        documents: of each domain, of each of its intents, a bounded sample.
        taken: names that are in use already, such as those of known domains.

    Returns:
        One name for each domain, all different and none of them taken.
    """
    intents = read_documents([d for members in documents for d in members])
    bounds = np.cumsum([0, *(len(members) for members in documents)])
    groups = [intents[a:b] for a, b in zip(bounds[:-1], bounds[1:], strict=True)]
    wholes = [IntentWords.joined(group) for group in groups]
    terms = Terms.of(wholes)
    ranked = _domain_words(groups)
    used = {_key(name) for name in taken}
    names: dict[int, IntentName] = {}

    def fit(row: int) -> tuple[float, list[str]]:
        return -sum(ranked[row].values()), wholes[row].texts

    for row in sorted(range(len(groups)), key=fit):
        lemmas = list(ranked[row])[:_DOMAIN_WORDS]
        words = [terms.surface[lemma] for lemma in lemmas]
        name = _numbered(" / ".join(words) or _cut(wholes[row].most_central()), used)
        used.add(_key(name))
        first = [i for i, line in enumerate(wholes[row].lemmas) if lemmas and lemmas[0] in line]
        names[row] = IntentName(
            name=name,
            keywords=terms.keywords(row),
            evidence_text=wholes[row].most_central(first or None),
            score=sum(ranked[row][lemma] for lemma in lemmas),
        )
    return [names[row] for row in range(len(groups))]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Lemmas that could make a name, in their order, and what speaks for them."""

    lemmas: tuple[str, ...]
    rows: tuple[int, ...]  # the utterances they occur in
    coverage: float  # those, as a share of the intent
    weight: float  # how characteristic, central and readable they are
    score: float = 0.0


def _candidates(intent: IntentWords, terms: Terms, row: int) -> list[_Candidate]:
    """Return the words and pairs of words that could name an intent, not yet scored."""
    words = [(t, w) for t, w in terms.of_intent(row) if " " not in t][:_NAME_WORDS]
    weight = {term: w / words[0][1] for term, w in words}
    found: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    adjacent: Counter[tuple[str, ...]] = Counter()
    for i, (line, places) in enumerate(zip(intent.lemmas, intent.meant, strict=True)):
        for lemmas, is_adjacent in _phrases(line, places, weight).items():
            found[lemmas].append(i)
            adjacent[lemmas] += is_adjacent

    total = intent.weights.sum()
    candidates = []
    # What was said once says little, and is most of it.
    fewest = min(2, max(map(len, found.values()), default=1))
    for lemmas, rows in found.items():
        back = found.get(lemmas[::-1], []) if len(lemmas) == 2 else []
        if len(rows) + len(back) < fewest or (len(back), lemmas[::-1]) > (len(rows), lemmas):
            continue  # the latter: mostly said the other way round
        own = [weight.get(lemma, _ASKING_WORD) for lemma in lemmas]
        fit = math.prod(own) ** (1 / len(own)) * _LENGTH_FACTOR.get(len(lemmas), 1.0)
        if back or adjacent[lemmas] < len(rows):
            rows = sorted({*rows, *back})
            fit *= _APART + (1 - _APART) * adjacent[lemmas] / len(rows)
        mass = intent.weights[rows]
        closeness = max(0.0, float(mass @ intent.closeness[rows] / mass.sum()))
        candidates.append(
            _Candidate(lemmas, tuple(rows), float(mass.sum() / total), fit * closeness**2)
        )
    return candidates


def _phrases(
    line: Sequence[str], places: Sequence[int], weight: Mapping[str, float]
) -> dict[tuple[str, ...], bool]:
    """Return words, ordered pairs and neighboring triples, and if only small words lie between.

    An utterance without any word that has meaning is a phrase as a whole, if it is short.
    """
    if not places:
        short = 0 < len(line) <= LONGEST_NAME and sum(map(len, line)) <= _LONGEST_EVIDENCE
        return {tuple(line): True} if short else {}
    words = [line[i] for i in places]
    phrases: dict[tuple[str, ...], bool] = {}
    for i, first in enumerate(words):
        if first not in weight:
            continue
        phrases[(first,)] = True
        for j in range(i + 1, min(i + 2 + _SKIPPED, len(words))):
            if words[j] in weight and words[j] != first:
                pair = (first, words[j])
                phrases[pair] = phrases.get(pair, False) or j == i + 1
        triple = tuple(words[i : i + 3])
        if len(set(triple)) == 3 and all(w in weight for w in triple):
            phrases[triple] = True
    if words[0] in weight:
        phrases |= {(asking, words[0]): True for asking in line[: places[0]] if asking in ASKING}
    return phrases


def _by_score(ranked: Sequence[list[_Candidate]]) -> list[list[_Candidate]]:
    """Score candidates by coverage, weight, and the share of their occurrences that is here."""
    everywhere: defaultdict[frozenset[str], float] = defaultdict(float)
    for candidates in ranked:
        for c in candidates:
            everywhere[frozenset(c.lemmas)] += c.coverage
    scored = []
    for candidates in ranked:
        row = []
        for c in candidates:
            here = c.coverage / (everywhere[frozenset(c.lemmas)] + _RARE)
            row.append(replace(c, score=c.coverage**_COVERAGE_POWER * here * c.weight))
        scored.append(_sorted(row))
    return scored


def _sorted(candidates: Iterable[_Candidate]) -> list[_Candidate]:
    return sorted(candidates, key=lambda c: (-c.score, c.lemmas))


def _by_centroid(
    intents: Sequence[IntentWords],
    ranked: Sequence[list[_Candidate]],
    encode: Callable[[Sequence[str]], np.ndarray],
) -> list[list[_Candidate]]:
    """Weigh the best candidates of each intent by their cosine to its centroid."""
    best = [candidates[:_COMPARED] for candidates in ranked]
    phrases = [_written(i, c) for i, row in zip(intents, best, strict=True) for c in row]
    if not phrases:
        return list(ranked)
    vectors = iter(np.asarray(encode(phrases), np.float64))
    weighed = []
    for intent, row, candidates in zip(intents, best, ranked, strict=True):
        centroid = intent.centroid / max(float(np.linalg.norm(intent.centroid)), 1e-12)
        cosine = [max(0.0, float(next(vectors) @ centroid)) for _ in row]
        # Relative to the nearest: what was not compared keeps its place behind.
        top = max(cosine, default=1.0) or 1.0
        near = [replace(c, score=c.score * x / top) for c, x in zip(row, cosine, strict=True)]
        weighed.append([*_sorted(near), *candidates[_COMPARED:]])
    return weighed


def _unused(
    intent: IntentWords, candidates: Sequence[_Candidate], used: Collection[frozenset[str]]
) -> tuple[str, _Candidate | None]:
    """Return the best name that is not in use, with its candidate."""
    for candidate in candidates:
        name = _written(intent, candidate)
        if _key(name) not in used:
            return name, candidate
    if candidates:
        return _numbered(_written(intent, candidates[0]), used), candidates[0]
    return _numbered(_cut(intent.most_central()), used), None


def _numbered(name: str, used: Collection[frozenset[str]]) -> str:
    """Return the name, with the first number that makes it new if it is in use."""
    number, numbered = 1, name
    while _key(numbered) in used:
        number += 1
        numbered = f"{name} ({number})"
    return numbered


def _key(name: str) -> frozenset[str]:
    """Return what two names share that a reader would take for the same."""
    return frozenset(re.findall(r"[^\W_]+", name.casefold()) or [name])


def _cut(text: str) -> str:
    """Return the beginning of a text, for want of a phrase."""
    start = " ".join(text.split()[:LONGEST_NAME])
    return start if len(start) <= _LONGEST_EVIDENCE else start[: _LONGEST_EVIDENCE - 1] + "…"


def _written(intent: IntentWords, candidate: _Candidate) -> str:
    """Write a candidate as its utterances mostly do."""
    forms: Counter[str] = Counter()
    for i in candidate.rows:
        form = _written_in(candidate.lemmas, intent.words[i], intent.lemmas[i])
        if form:
            forms[form] += intent.weights[i]
    return min(forms, key=lambda f: (-forms[f], f))


def _written_in(lemmas: Sequence[str], words: Sequence[str], line: Sequence[str]) -> str:
    """Return a candidate as one utterance writes it, "" if it has another order there."""
    places: list[int] = []
    for lemma in lemmas:
        start = places[-1] + 1 if places else 0
        if lemma not in line[start:]:
            return ""
        places.append(line.index(lemma, start))
    asked = lemmas[0] in ASKING
    first, last = places[0], places[-1]
    phrase = ["how"] if first and words[first - 1] == "how" and not asked else []
    phrase.append(words[first])
    for i, j in zip(places[:-1], places[1:], strict=True):
        between = words[i + 1 : j]
        if all(w in FUNCTION for w in between):
            phrase += [w for w in between if asked or w in INNER]
        phrase.append(words[j])
    if last + 1 < len(words):
        at_end = last + 2 == len(words) and words[last + 1] in INNER - {"not", "no"}
        if at_end or words[last + 1] in PARTICLES:
            phrase.append(words[last + 1])
    return " ".join(phrase if len(phrase) <= LONGEST_NAME else [words[i] for i in places])


def _domain_words(groups: Sequence[Sequence[IntentWords]]) -> list[dict[str, float]]:
    """Return of each domain its best words with what they add, best first."""
    covers = [[_coverage(intent) for intent in group] for group in groups]
    everywhere: Counter[str] = Counter()
    for cover in chain.from_iterable(covers):
        everywhere.update(cover)
    return [_greedy_words(group, everywhere) for group in covers]


def _coverage(intent: IntentWords) -> dict[str, float]:
    """Return of each word with meaning how far it speaks for an intent, 0 to 1."""
    cover: defaultdict[str, float] = defaultdict(float)
    shares = intent.weights / intent.weights.sum() / _SPEAKS_FOR
    for line, places, share in zip(intent.lemmas, intent.meant, shares.tolist(), strict=True):
        for lemma in {line[i] for i in places}:
            cover[lemma] += share
    return {lemma: min(1.0, share) for lemma, share in cover.items()}


def _greedy_words(
    group: Sequence[Mapping[str, float]], everywhere: Mapping[str, float]
) -> dict[str, float]:
    """Choose words one by one, each for the intents that those before speak least for."""
    words = sorted(set().union(*group))
    table = np.array([[cover.get(word, 0.0) for cover in group] for word in words])
    table = table.reshape(-1, len(group))
    here = table.sum(axis=1) / (np.array([everywhere[word] for word in words]) + _RARE)
    left = np.ones(len(group))
    chosen: dict[str, float] = {}
    while len(chosen) < min(_DOMAIN_WORDS, len(words)):
        gain = here * (table @ left) / len(group)
        gain[[word in chosen for word in words]] = -1
        best = int(np.argmax(gain))
        if len(chosen) >= 2 and gain[best] < 0.3 * max(chosen.values()):
            break
        chosen[words[best]] = float(gain[best])
        left *= 1 - 0.7 * table[best]
    return chosen
