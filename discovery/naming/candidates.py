"""Candidate names of an intent: short phrases of its utterances, and their scores."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from advin.discovery.config import NamingConfig
from advin.discovery.naming.terms import IntentWords, Terms
from advin.discovery.naming.words import ASKING, FUNCTION, INNER, PARTICLES


@dataclass(frozen=True, slots=True)
class Candidate:
    """Lemmas that could form a name, in their order.

    Attributes:
        lemmas: one to three lemmas, or all lemmas of a short utterance.
        rows: utterances that contain them.
        coverage: weight of these utterances as a share of the intent, 0 to 1.
        weight: how characteristic, central and readable they are, at least 0.
        score: how well they name the intent, at least 0.
    """

    lemmas: tuple[str, ...]
    rows: tuple[int, ...]
    coverage: float
    weight: float
    score: float


def find_candidates(
    intent: IntentWords, terms: Terms, row: int, config: NamingConfig
) -> list[Candidate]:
    """Return the phrases that could name an intent, not yet scored.

    Args:
        intent: utterances of the intent.
        terms: terms of all intents.
        row: position of the intent among all intents.
        config: which phrases count, and their factors.
    """
    words = [(t, w) for t, w in terms.of_intent(row) if " " not in t][: config.candidate_words]
    weight = {term: w / words[0][1] for term, w in words}
    found: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    adjacent: Counter[tuple[str, ...]] = Counter()
    for i, (line, places) in enumerate(zip(intent.lemmas, intent.meant, strict=True)):
        for lemmas, is_adjacent in _phrases(line, places, weight, config).items():
            found[lemmas].append(i)
            adjacent[lemmas] += is_adjacent

    # Phrases that occur once are the majority and say little.
    fewest = min(config.min_occurrences, max(map(len, found.values()), default=1))
    candidates = []
    for lemmas, own_rows in found.items():
        rows = own_rows
        reversed_rows = found.get(lemmas[::-1], []) if len(lemmas) == 2 else []
        if len(rows) + len(reversed_rows) < fewest:
            continue
        if (len(reversed_rows), lemmas[::-1]) > (len(rows), lemmas):
            continue  # the reversed order is more frequent
        fit = _fit(lemmas, weight, config)
        if reversed_rows or adjacent[lemmas] < len(rows):
            rows = sorted({*rows, *reversed_rows})
            apart = config.apart_factor
            fit *= apart + (1 - apart) * adjacent[lemmas] / len(rows)
        candidates.append(_candidate(intent, lemmas, rows, fit, config))
    return candidates


def _fit(lemmas: Sequence[str], weight: Mapping[str, float], config: NamingConfig) -> float:
    """Return how characteristic lemmas are: the mean of their weights, times a length factor."""
    own = [weight.get(lemma, config.asking_weight) for lemma in lemmas]
    factors = (config.one_word_factor, 1.0, config.three_word_factor)
    factor = factors[len(lemmas) - 1] if len(lemmas) <= len(factors) else 1.0
    mean: float = math.prod(own) ** (1 / len(own))
    return mean * factor


def _candidate(
    intent: IntentWords,
    lemmas: tuple[str, ...],
    rows: Sequence[int],
    fit: float,
    config: NamingConfig,
) -> Candidate:
    mass = intent.weights[list(rows)]
    closeness = max(0.0, float(mass @ intent.closeness[list(rows)] / mass.sum()))
    return Candidate(
        lemmas=lemmas,
        rows=tuple(rows),
        coverage=float(mass.sum() / intent.weights.sum()),
        weight=fit * closeness**config.centrality_power,
        score=0.0,
    )


def _phrases(
    line: Sequence[str], places: Sequence[int], weight: Mapping[str, float], config: NamingConfig
) -> dict[tuple[str, ...], bool]:
    """Return words, ordered pairs and neighboring triples of an utterance.

    An utterance without any word that carries meaning is one phrase if it is short.

    Args:
        line: lemmas of the utterance.
        places: positions of the lemmas that carry meaning.
        weight: weights of the lemmas that may form a name.
        config: longest phrases.

    Returns:
        from each phrase to True if only function words lie between its words.
    """
    if not places:
        is_short = 0 < len(line) <= config.max_words and sum(map(len, line)) <= config.max_evidence
        return {tuple(line): True} if is_short else {}
    words = [line[i] for i in places]
    phrases: dict[tuple[str, ...], bool] = {}
    for i, first in enumerate(words):
        if first not in weight:
            continue
        phrases[(first,)] = True
        for j in range(i + 1, min(i + 2 + config.max_skipped, len(words))):
            if words[j] in weight and words[j] != first:
                pair = (first, words[j])
                phrases[pair] = phrases.get(pair, False) or j == i + 1
        following = words[i + 1 :][:2]
        triple = (first, *following)
        is_triple = len(following) == 2 and len(set(triple)) == len(triple)
        if is_triple and all(w in weight for w in triple):
            phrases[triple] = True
    if words[0] in weight:
        phrases |= {(asking, words[0]): True for asking in line[: places[0]] if asking in ASKING}
    return phrases


def rank_by_score(
    candidates: Sequence[list[Candidate]], config: NamingConfig
) -> list[list[Candidate]]:
    """Score candidates and sort them, best first.

    The score combines coverage, weight, and the share of all occurrences that are in the intent.

    Args:
        candidates: candidates of each intent.
        config: exponent of the coverage, and rarity.
    """
    everywhere: defaultdict[frozenset[str], float] = defaultdict(float)
    for of_intent in candidates:
        for c in of_intent:
            everywhere[frozenset(c.lemmas)] += c.coverage
    ranked = []
    for of_intent in candidates:
        scored = []
        for c in of_intent:
            here = c.coverage / (everywhere[frozenset(c.lemmas)] + config.rarity)
            scored.append(replace(c, score=c.coverage**config.coverage_power * here * c.weight))
        ranked.append(_sorted(scored))
    return ranked


def rank_by_centroid(
    intents: Sequence[IntentWords],
    ranked: Sequence[list[Candidate]],
    encode: Callable[[Sequence[str]], np.ndarray],
    config: NamingConfig,
) -> list[list[Candidate]]:
    """Weight the best candidates of each intent by their cosine to its centroid.

    Args:
        intents: utterances of each intent.
        ranked: candidates of each intent, best first.
        encode: from texts to unit vectors in the space of the centroids.
        config: number of candidates that are compared.
    """
    best = [candidates[: config.compared] for candidates in ranked]
    phrases = [written(i, c, config) for i, row in zip(intents, best, strict=True) for c in row]
    if not phrases:
        return list(ranked)
    vectors = iter(np.asarray(encode(phrases), np.float64))
    weighted = []
    for intent, row, candidates in zip(intents, best, ranked, strict=True):
        centroid = intent.centroid / max(float(np.linalg.norm(intent.centroid)), 1e-12)
        cosine = [max(0.0, float(next(vectors) @ centroid)) for _ in row]
        # Relative to the highest cosine, so that candidates that were not compared stay behind.
        top = max(cosine, default=1.0) or 1.0
        near = [replace(c, score=c.score * x / top) for c, x in zip(row, cosine, strict=True)]
        weighted.append([*_sorted(near), *candidates[config.compared :]])
    return weighted


def _sorted(candidates: Iterable[Candidate]) -> list[Candidate]:
    return sorted(candidates, key=lambda c: (-c.score, c.lemmas))


def written(intent: IntentWords, candidate: Candidate, config: NamingConfig) -> str:
    """Return a candidate as its utterances mostly write it."""
    forms: Counter[str] = Counter()
    for i in candidate.rows:
        form = _written_in(candidate.lemmas, intent.words[i], intent.lemmas[i], config)
        if form:
            forms[form] += intent.weights[i]
    return min(forms, key=lambda f: (-forms[f], f))


def _written_in(
    lemmas: Sequence[str], words: Sequence[str], line: Sequence[str], config: NamingConfig
) -> str:
    """Return a candidate as one utterance writes it; "" if the utterance has another order."""
    places: list[int] = []
    for lemma in lemmas:
        start = places[-1] + 1 if places else 0
        if lemma not in line[start:]:
            return ""
        places.append(line.index(lemma, start))
    is_question = lemmas[0] in ASKING
    first, last = places[0], places[-1]
    phrase = ["how"] if first and words[first - 1] == "how" and not is_question else []
    phrase.append(words[first])
    for i, j in pairwise(places):
        between = words[i + 1 : j]
        if all(w in FUNCTION for w in between):
            phrase += [w for w in between if is_question or w in INNER]
        phrase.append(words[j])
    if last + 1 < len(words):
        at_end = last + 2 == len(words) and words[last + 1] in INNER - {"not", "no"}
        if at_end or words[last + 1] in PARTICLES:
            phrase.append(words[last + 1])
    return " ".join(phrase if len(phrase) <= config.max_words else [words[i] for i in places])
