"""How likely a word is the name of a person: lists of names, and how common the word is.

First names with their popularity in 55 countries come from nam_dict.txt of gender-guesser (J.
Michael, 2008). Names of the US census, with the share of people whose first name it is, come from
probablepeople. First names and surnames of 25 more places come from mimesis (L. Geimfari, MIT).
How common a word is comes from wordfreq (R. Speer, 2022), in six languages. `words.toml` corrects
these lists.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from importlib.resources import files
from typing import Literal, NamedTuple

import wordfreq
from gender_guesser.detector import Detector
from probablepeople.ratios import ratios

from advin.discovery.text.cleaning import CACHED_WORDS
from advin.discovery.text.config import MaskingConfig
from advin.discovery.text.wordlists import word_list

# Languages, and the countries in which their names are counted.
_COUNTRIES = {
    "en": ("great_britain", "ireland", "usa"),
    "de": ("germany", "austria", "swiss", "east_frisia"),
    "es": ("spain",),
    "fr": ("france", "belgium", "luxembourg"),
    "it": ("italy",),
    "pt": ("portugal",),
}
_HEX_DIGITS = "0123456789ABCDEF"
# Countries whose short names, such as "can" and "so", are words in the languages above.
_APART = frozenset("turkey arabia israel china japan korea vietnam other_countries".split())

# Places of mimesis whose names have Latin letters. de-ch is left out, since it lists many words.
_PLACES = (
    "cs da de de-at en en-au en-ca en-gb es es-mx et fi fr hr hu is it nl nl-be no pl pt pt-br sk"
    " sv tr"
).split()

_WORDS = word_list("names", "words")
_OTHER_NAMES = word_list("names", "elsewhere")
_MORE = word_list("names", "first")
_FREQUENT = word_list("names", "last")
_PEOPLE = word_list("names", "people")


class Traits(NamedTuple):
    """What is known of a word.

    Attributes:
        first: True if it is a first name that seldom means anything else.
        maybe_first: True if it is a first name in a western country or in India.
        plausible: True if it is more likely a first name than a word with a capital letter.
        last: True if it is a surname.
        frequent: True if it is one of the most frequent surnames.
        elsewhere: True if it is a place, a month, a product or a form of address too.
        common: how common the word is in the language that uses it most, as zipf: log10 of its
            occurrences in a billion words; 0 if it is in no list.
        english: the same in English.
    """

    first: bool
    maybe_first: bool
    plausible: bool
    last: bool
    frequent: bool
    elsewhere: bool
    common: float
    english: float


@cache
def lexicon(config: MaskingConfig) -> Callable[[str], Traits]:
    """Return a function that looks up case-folded words, and keeps what it found."""
    return lru_cache(maxsize=CACHED_WORDS)(partial(_of_compound, config=config))


@lru_cache(maxsize=CACHED_WORDS)
def is_personal(word: str) -> bool:
    """True if a case-folded word is a name of people that seldom means anything else.

    The defaults of `MaskingConfig` decide, so that names of intents do not depend on masking.
    """
    return word in _PEOPLE or _by_default()(word).first


@cache
def _by_default() -> Callable[[str], Traits]:
    """Return the lexicon of the default configuration, which is made and checked once."""
    return lexicon(MaskingConfig())


def _of_compound(word: str, config: MaskingConfig) -> Traits:
    """Return what is known of a word; of a compound, what is known of its parts."""
    parts = [_traits(part, config) for part in re.split(r"[-'’]", word) if part]
    if len(parts) == 1:
        return parts[0]
    whole = _traits(word, config)
    return Traits(
        first=whole.first or (all(p.first or p.maybe_first for p in parts) and parts[0].first),
        maybe_first=whole.maybe_first or all(p.maybe_first for p in parts),
        plausible=whole.plausible or all(p.plausible for p in parts),
        last=whole.last or parts[-1].last,
        frequent=any(p.frequent for p in parts) and all(p.last for p in parts),
        elsewhere=False,
        common=whole.common or min((p.common for p in parts), default=0),
        english=whole.english or min((p.english for p in parts), default=0),
    )


def _traits(word: str, config: MaskingConfig) -> Traits:
    plain = _unaccented(word)
    count = _popularity().get(word) or _popularity().get(plain) or Popularity()
    as_first = ratios.get(plain.upper())
    common = {lang: wordfreq.zipf_frequency(word, lang, "small") for lang in _COUNTRIES}
    # English names and words are common in texts of all languages.
    most = max(common.values())
    language = next(lang for lang, zipf in common.items() if zipf >= most - config.zipf_tie)
    popularity = max(
        0,
        count.best - config.popularity_lost_abroad,
        max(count.by_language.values(), default=0) - config.popularity_lost_nearby,
        count.by_language.get(language, 0),
        config.popularity_of_census if (as_first or 0) >= config.sure_share else 0,
    )
    base, slope = config.name_commonness
    limit = base + slope * popularity
    # One list alone may have a word or a typo.
    sources = _listed("names")[word] + (count.best > 0) + (as_first is not None)
    is_rare = most <= config.max_unlisted_zipf
    is_apart = is_rare and (count.is_apart or (sources > 1 and word in _listed("names")))
    is_listed = count.best > 0 or (as_first or 0) > 0.5
    is_first = is_apart or (is_listed and most <= limit)
    # A short word may be another one with a typo.
    is_known_enough = (
        len(word) > config.short_name
        or popularity >= config.short_popularity
        or (is_rare and sources > 1 and len(word) == config.short_name)
    )
    is_plausible = word in _WORDS or most <= limit + config.capital_lead
    is_other = word in _WORDS or word in _OTHER_NAMES
    maybe_first = (
        is_apart
        or count.best > 0
        or (as_first or 0) >= config.least_share
        or (is_plausible and word in _listed("names") and word not in _OTHER_NAMES)
    )
    return Traits(
        first=word in _MORE or (is_first and len(word) > 2 and is_known_enough and not is_other),
        maybe_first=maybe_first and len(word) > 2,
        plausible=is_plausible,
        last=as_first is not None or word in _listed("surnames") or word in _FREQUENT,
        frequent=word in _FREQUENT,
        elsewhere=word in _OTHER_NAMES,
        common=most,
        english=common["en"],
    )


def _unaccented(word: str) -> str:
    if word.isascii():
        return word
    return "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))


@cache
def _listed(kind: Literal["names", "surnames"]) -> Counter[str]:
    """Return in how many places each first name or surname, without its particles, is listed."""
    found: Counter[str] = Counter()
    for place in _PLACES:
        text = (files("mimesis") / "datasets" / place / "person.json").read_text("utf-8")
        listed = json.loads(text).get(kind, [])
        groups = listed.values() if isinstance(listed, dict) else [listed]
        words = {name.casefold().split()[-1] for group in groups for name in group}
        found.update(words | {*map(_unaccented, words)})
    return found


@dataclass(slots=True)
class Popularity:
    """How popular a first name is: 1 to 13, about log2 of the number of people who have it.

    Attributes:
        best: in the country with most of them; 0 for names of other countries only.
        by_language: in the countries of each language.
        is_apart: True if it is a name in a country set apart.
    """

    best: int = 0
    by_language: dict[str, int] = field(default_factory=dict)
    is_apart: bool = False


@cache
def _popularity() -> dict[str, Popularity]:
    """Return the popularity of each first name."""
    detector = Detector(case_sensitive=False)
    language = {country: lang for lang, group in _COUNTRIES.items() for country in group}
    found: dict[str, Popularity] = {}
    for spelled, by_gender in detector.names.items():
        count = Popularity()
        for digits in by_gender.values():
            for country, digit in zip(detector.COUNTRIES, digits, strict=False):
                if digit == " ":
                    continue
                if country in _APART:
                    count.is_apart = True
                    continue
                value = _HEX_DIGITS.index(digit)
                count.best = max(count.best, value)
                if lang := language.get(country):
                    count.by_language[lang] = max(count.by_language.get(lang, 0), value)
        for name in {spelled.replace("+", joint) for joint in ("", "-", " ")}:
            found[name] = count
    return found
