"""How likely a word is the name of a person: lists of names, and how common the word is.

First names with their popularity in 55 countries come from nam_dict.txt of gender-guesser (J.
Michael, 2008). Names of the US census, with the share of people whose first name it is, come from
probablepeople. First names and surnames of 25 more places come from mimesis (L. Geimfari, MIT).
How common a word is comes from wordfreq (R. Speer, 2022), in six languages.
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

# Names that as often are a word: they are names in context, or with a capital letter.
_WORDS = frozenset(
    """mark rose sue frank grace jack joy pat gene don ray summer autumn dawn eve hope faith charity
    chance drew grant bill will art rich dick bob jean rob nick pierce cliff glen dale dean
    earl guy max miles sky star destiny heaven harmony melody violet lily ruby jade amber
    pearl crystal iris ivy heather holly olive daisy ginger basil rosemary angel christian
    jesus mary carol penny buck cash king prince major sonny junior lance wade ward mason
    hunter carter taylor tyler cooper baker brook brooks forest lake river reed stone clay
    rusty sandy misty stormy windy rocky dusty woody chip skip trip buddy bud chuck jet ace
    kit page paige price love merry noel dusk dot rosa sol luz mar paz nieves pilar dolores
    consuelo remedios reyes santos domingo viola perla gloria alba vera bella dante felice
    bruno serena chiara marina fortuna celeste linda bonita blanca clara bianca leo luna
    stella rosen markt tag heide wolf otto estrella victor salvador esperanza ben tim sam
    norma aurora regina patience prudence harper ash asher lane drake flora fern hazel robin
    jay birdie wren lark colt archer ranger chandler sailor sage poppy clover juniper candy
    joke taco mart gun jeep pier jelly harm honey cherry coco sierra valle mercy constance
    felicity amity verity""".split()
)
# Names that as often are a place, a month, a product or a form of address: only words that
# announce a name, or a surname, make them one.
_OTHER_NAMES = frozenset(
    """may april june august alexa siri bixby echo watson cortana jarvis google tesla ford lincoln
    dodge mercedes porsche kia chevy audi dell levi hilton wendy marriott domino visa mac
    cisco oracle adobe perl julia java dart swift scala eclipse macy target lowe kohl ross
    marshall sears chase duke paris london austin sydney charlotte madison jordan chad
    georgia virginia phoenix florence vienna victoria carolina dakota israel kenya india asia
    china brooklyn dallas houston denver jackson columbia milan sofia lima santiago troy
    cairo geneva savannah chelsea cleveland raleigh orlando montana tennessee ireland holland
    france spain germany lourdes verona siena valencia leon adelaide alexandria catalina
    trinidad malta salem berlin hamburg boston washington hudson nevada alabama arizona texas
    cuba america africa europe brazil italy jamaica roma romania petersburg augusta eugene
    lansing orleans memphis nashville dublin bristol york kent devon essex surrey cork
    angeles rio san santa los las saint nova pam ram sim tan van les del des mommy mom mama
    papa dad nana baby babe boss mister madam maam sir bro dude lord lady ok yes sea sunny
    merit lease tab debit linux barclay barclays schwab ira reno modesto burma viet nam deb
    gui ati suse beryl fedora gerrit lilo kali haskell octave maverick unity aud raid revert
    alfredo tulsa trenton nirvana beverly notting fee delta emerald wayland wierd ubuntu
    expecting edit nanny lan vid olympia alpha meta hardy arduino vesa
    ty vi si mo lou tiny star drake trader hae bora sun gnome vaio vaios anjuta
    tapas camden arbor bent florida tampa sal theres manual""".split()
)
# Frequent names that the lists lack, or count as rarer than they are.
_MORE = frozenset(
    """joe tom jim mike dan jeff steve dave chris matt tony andy greg fred brad jake alex josh zach
    phil pete ron ken ted bobby billy jimmy johnny tommy danny kenny ricky eddie jerry larry
    terry gary barry harry kim liz kate katie beth meg sally betty peggy nancy judy becky
    debbie cindy jenny jess nicole steph tina tracy kathy pepe paco nacho lola pepa toni uwe
    heinz dieter jupp heidi steffi susi gigi beppe gianni chico zeca thiago luiz breno
    matheus laís thaís taís caio heloísa heloisa cauã kauã davi vitor vinicius vinícius
    otávio murilo benício lavínia gabrielly maitê ísis lívia luan ruan erick calebe thales
    théo luana luísa eloá rayssa raíssa iago yago lucca josué amanda""".split()
)


# Surnames so frequent that they follow a first name more often than the word does.
_FREQUENT = frozenset(
    """smith johnson williams brown jones miller davis wilson anderson thomas taylor moore jackson
    martin lee thompson white harris clark lewis robinson walker young allen king wright
    scott hill green adams nelson baker hall campbell mitchell carter roberts turner phillips
    parker evans edwards collins stewart morris rogers reed cook morgan bell murphy bailey
    cooper richardson cox howard ward peterson gray james watson brooks kelly sanders price
    bennett wood barnes ross henderson coleman jenkins perry powell long patterson hughes
    washington butler simmons foster bryant alexander russell griffin hayes myers ford
    hamilton graham sullivan wallace woods cole west jordan owens reynolds fisher ellis
    harrison gibson mcdonald marshall wells webb simpson stevens tucker porter hunter hicks
    crawford henry boyd mason kennedy warren dixon burns gordon shaw holmes rice robertson
    hunt black daniels palmer mills grant knight ferguson stone hawkins dunn perkins hudson
    spencer gardner payne pierce berry matthews wagner willis ray watkins olson carroll
    duncan snyder hart cunningham bradley lane andrews ruiz harper fox riley armstrong
    carpenter weaver greene lawrence elliott chavez sims austin peters franklin lawson fields
    garcia rodriguez martinez hernandez lopez gonzalez perez sanchez ramirez torres flores
    rivera gomez diaz cruz reyes morales gutierrez ortiz ramos alvarez castillo moreno romero
    fernandez jimenez santos silva costa ferreira pereira oliveira rossi russo ferrari
    bianchi romano bernard dubois durand leroy moreau laurent simon michel garnier roux
    müller schmidt schneider fischer weber meyer becker schulz hoffmann koch richter klein
    wolf schröder neumann schwarz zimmermann braun krüger hartmann lange werner krause
    lehmann schmid schulze maier köhler herrmann walter kaiser fuchs lang scholz weiß jung
    hahn vogel friedrich keller günther frank berger winkler roth beck lorenz baumann franke
    albrecht schuster ludwig böhm winter kraus schumacher krämer vogt stein jäger otto sommer
    groß seidel heinrich brandt haas schreiber graf schulte dietrich ziegler kuhn kühn pohl
    engel horn busch bergmann voigt sauer arnold wolff pfeiffer""".split()
)


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
