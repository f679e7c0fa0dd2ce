"""Names and keywords of intents and domains, taken from their utterances.

Keywords are ranked by class-based TF-IDF (Grootendorst, arXiv 2203.05794). The name of an intent is
a phrase of words that occur together in its utterances, in their usual order; the utterance that
the phrase comes from is its evidence. Function words and endings are English; intents in other
languages get names too, of lower quality.
"""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from advin.discovery.config import NamingConfig
from advin.discovery.naming.candidates import (
    Candidate,
    find_candidates,
    rank_by_centroid,
    rank_by_score,
    written,
)
from advin.discovery.naming.domains import domain_words
from advin.discovery.naming.terms import Documents, IntentWords, Terms, read_documents
from advin.discovery.naming.words import split_words
from advin.discovery.text.lexicon import is_personal
from advin.discovery.text.placeholders import without_placeholders

_Key = frozenset[str]
# Name of an intent whose utterances hold numbers and placeholders alone.
_NO_NAME = "untitled"


@dataclass(frozen=True, slots=True)
class IntentName:
    """A name with its evidence.

    Attributes:
        name: mostly two to five words; unique in a run.
        keywords: terms, most characteristic first.
        evidence_text: the most central utterance that contains the words of the name.
        score: how well the name fits, at least 0; comparable within a run.
    """

    name: str
    keywords: tuple[str, ...]
    evidence_text: str
    score: float


def name_intents(
    documents: Sequence[Documents],
    config: NamingConfig,
    taken: Collection[str] = (),
    encode: Callable[[Sequence[str]], np.ndarray] | None = None,
    only: Sequence[int] | None = None,
) -> list[IntentName]:
    """Name intents by phrases from their utterances, and list their keywords.

    The score of a phrase grows with the share of the intent's utterances that contain it, with the
    class-based TF-IDF of its words and with the centrality of these utterances. It falls with the
    use of the phrase in other intents.

    Args:
        documents: a bounded sample of each intent.
        config: lengths, weights and numbers of names and keywords.
        taken: names that must not be used, such as those of known intents.
        encode: from texts to unit vectors in the space of the documents' vectors; if given, the
            best phrases are also compared with the intent's centroid.
        only: positions of the intents to name; the others serve for comparison. None names all.

    Returns:
        one name for each intent of `only`, all different and none of them taken.
    """
    everything = read_documents(documents, config)
    terms = Terms.of(everything, config)
    rows = list(range(len(documents)) if only is None else only)
    intents = [everything[row] for row in rows]
    found = [
        find_candidates(intent, terms, row, config)
        for row, intent in zip(rows, intents, strict=True)
    ]
    ranked = rank_by_score(found, config)
    if encode is not None:
        ranked = rank_by_centroid(intents, ranked, encode, config)

    def best_fit_first(row: int) -> tuple[float, list[str]]:
        return -max((c.score for c in ranked[row]), default=0.0), intents[row].texts

    used = {_key(name) for name in taken}
    names: dict[int, IntentName] = {}
    for row in sorted(range(len(intents)), key=best_fit_first):
        keywords = terms.keywords(rows[row], config)
        name, candidate = _unused(intents[row], ranked[row], keywords, used, config)
        used.add(_key(name))
        evidence = candidate.rows if candidate else None
        names[row] = IntentName(
            name=name,
            keywords=keywords,
            evidence_text=intents[row].most_central(config, evidence),
            score=candidate.score if candidate else 0.0,
        )
    return [names[row] for row in range(len(intents))]


def name_domains(
    documents: Sequence[Sequence[Documents]], config: NamingConfig, taken: Collection[str] = ()
) -> list[IntentName]:
    """Name domains by two or three words that their intents share, and list their keywords.

    Words are chosen one by one, each for the intents that earlier words do not cover, as in
    "prescription / doctor / results".

    Args:
        documents: for each domain, a bounded sample of each of its intents.
        config: lengths, weights and numbers of names and keywords.
        taken: names that must not be used, such as those of known domains.

    Returns:
        one name for each domain, all different and none of them taken.
    """
    intents = read_documents([d for members in documents for d in members], config)
    bounds = np.cumsum([0, *(len(members) for members in documents)])
    groups = [intents[a:b] for a, b in pairwise(bounds)]
    wholes = [IntentWords.joined(group) for group in groups]
    terms = Terms.of(wholes, config)
    ranked = domain_words(groups, config)

    def best_fit_first(row: int) -> tuple[float, list[str]]:
        return -sum(ranked[row].values()), wholes[row].texts

    used = {_key(name) for name in taken}
    names: dict[int, IntentName] = {}
    for row in sorted(range(len(groups)), key=best_fit_first):
        whole = wholes[row]
        lemmas = list(ranked[row])[: config.domain_words]
        words = [terms.surface[lemma] for lemma in lemmas]
        text = " / ".join(words) or _beginning(whole.most_central(config), config)
        keywords = terms.keywords(row, config)
        name = _extended(text, keywords, used)
        used.add(_key(name))
        first = [i for i, line in enumerate(whole.lemmas) if lemmas and lemmas[0] in line]
        names[row] = IntentName(
            name=name,
            keywords=keywords,
            evidence_text=whole.most_central(config, first or None),
            score=sum(ranked[row][lemma] for lemma in lemmas),
        )
    return [names[row] for row in range(len(groups))]


def _unused(
    intent: IntentWords,
    candidates: Sequence[Candidate],
    keywords: Sequence[str],
    used: Collection[_Key],
    config: NamingConfig,
) -> tuple[str, Candidate | None]:
    """Return the best name that is not in use, with its candidate."""
    for candidate in candidates:
        name = written(intent, candidate, config)
        if _key(name) not in used:
            return name, candidate
    if candidates:
        return _extended(written(intent, candidates[0], config), keywords, used), candidates[0]
    return _extended(_beginning(intent.most_central(config), config), keywords, used), None


def _extended(name: str, keywords: Sequence[str], used: Collection[_Key]) -> str:
    """Return the name; if it is in use, with the first keyword or number that makes it unique."""
    for text in (name, *(f"{name} / {keyword}" for keyword in keywords)):
        if _key(text) not in used:
            return text
    number, numbered = 1, name
    while _key(numbered) in used:
        number += 1
        numbered = f"{name} ({number})"
    return numbered


def _key(name: str) -> _Key:
    """Return a key that names share if readers would take them for the same name."""
    return frozenset(re.findall(r"[^\W_]+", name.casefold()) or [name])


def _beginning(text: str, config: NamingConfig) -> str:
    """Return the beginning of a text, the name of an intent without any phrase."""
    words = [
        word
        for word in without_placeholders(text).split()
        if not any(map(str.isdigit, word)) and not any(map(is_personal, split_words(word)))
    ]
    start = " ".join(words[: config.max_words]) or (_NO_NAME if text else "")
    most = config.max_evidence
    return start if len(start) <= most else start[: most - 1] + "…"
