"""The tunables of this package, which `advin.discovery.config` includes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from advin.discovery.compute.tunables import Section, fraction, tunable

# Rises when a rule changes what it finds: ids of utterances then change too.
MASKING_VERSION = 3
# The rules, in the order in which they are applied.
Rule = Literal[
    "html",
    "quote",
    "url",
    "email",
    "handle",
    "account",
    "card",
    "date",
    "phone",
    "time",
    "address",
    "amount",
    "id",
    "number",
    "name",
]

# The languages of a log are detected.
AUTO = "auto"
_CODES = tuple(
    """af am an ar ary arz as az ba be bg bn br bs ca crh cs cy da de dz el en eo es et eu ext
    fa fi fo fr fy ga gd gl gom gu ha he hi hr ht hu hy id ig is it ja jv ka kab kk km kn ko
    ku ky la lb lg ln lo lt lv mg mk ml mn mr ms mt my ne nl nn no oc om or pa pcm pl ps pt ro
    ru rw sa se si sk sl sn so sq sr st sv sw ta te tg th tk tl tr tt ug uk ur uz vec vi vo wa
    xh yo yue zh zu""".split()
)
if TYPE_CHECKING:
    Language = str
else:
    Language = Literal[(AUTO, *_CODES)]


@dataclass(frozen=True, slots=True)
class LanguageConfig(Section):
    """The languages of the log, and when the encoder does not read them."""

    names: tuple[Language, ...] = tunable((AUTO,), "ISO 639 codes, or auto to detect them")
    sample: int = tunable(2000, "most utterances that auto looks at", "utterances", 1)
    min_bytes: int = tunable(30, "shortest utterance that auto looks at", "bytes of UTF-8", 1)
    min_share: float = fraction(0.05, "least share of a language")
    min_utterances: int = tunable(50, "fewest to learn the bias of a language", "utterances", 1)
    min_name_share: float = fraction(0.2, "least share of a language whose stop words count")
    min_reported: int = tunable(
        30, "fewest distinct utterances of a log whose foreign languages are reported", low=1
    )
    max_foreign: float = fraction(0.2, "a larger share that the encoder does not read is reported")
    max_unknown: float = fraction(0.05, "a larger share in unknown letters is reported")


# Rules that leave no placeholder.
STRIPPING = ("html", "quote")


@dataclass(frozen=True, slots=True)
class TextConfig(Section):
    """Which texts are accepted as utterances, and what is kept of them."""

    max_characters: int = tunable(20_000, "longest accepted text", "characters", 1)
    piece_words: int = tunable(
        40, "pieces in which a text longer than the encoder reads is encoded", "words", 1
    )
    request_words: int = tunable(
        3, "shortest request where a text is checked for several", "words", 1
    )
    original: Literal["drop", "keep"] = tunable(
        "drop", "whether the tables keep texts as they stand in the input"
    )


@dataclass(frozen=True, slots=True)
class MaskingConfig(Section):
    """What is removed or replaced before a text gets an id."""

    off: tuple[Rule | Literal["all"], ...] = tunable((), "rules that are switched off")
    kept_digits: int = tunable(3, "longest number that mostly has a meaning", "digits", 1)
    max_model_digits: int = tunable(5, "longest device model that is not masked", "digits", 0)
    min_code: int = tunable(7, "shortest code that may have few digits or none", "characters", 3)
    min_phone_digits: int = tunable(7, "shortest telephone number", "digits", 4)
    max_name_words: int = tunable(4, "longest name of a person", "words", 1)
    name_commonness: tuple[float, float] = tunable(
        (3.6, 0.2), "zipf up to which a word is rather a name: base, and slope by its popularity"
    )
    capital_lead: float = tunable(
        0.5, "the same for a word with a capital letter: lead of its base", "zipf", 0
    )
    popularity_lost_abroad: int = tunable(
        6, "popularity of a first name that is lost in other languages", low=0, high=13
    )
    popularity_lost_nearby: int = tunable(
        2,
        "popularity that is lost between English, German, Spanish, French, Italian, Portuguese",
        low=0,
        high=13,
    )
    sure_share: float = fraction(0.9, "share of first names from which the census is sure")
    least_share: float = fraction(0.2, "the same, from which a name may be a first name")
    popularity_of_census: int = tunable(6, "popularity of these names", low=0, high=13)
    short_name: int = tunable(4, "longest name that must be popular", "characters", 1)
    short_popularity: int = tunable(4, "least popularity of a short first name", low=0, high=13)
    zipf_tie: float = tunable(0.3, "lead of English in how common a word is", "zipf", 0)
    max_pair_zipf: float = tunable(
        3.2, "most common surname after a doubtful first name", "zipf", 0
    )
    max_surname_zipf: float = tunable(4.0, "most common surname in lower case", "zipf", 0)
    max_foreign_zipf: float = tunable(4.9, "the same for words rare in English", "zipf", 0)
    max_capital_zipf: float = tunable(5.3, "most common surname with a capital letter", "zipf", 0)
    max_unlisted_zipf: float = tunable(2.9, "most common surname that is in no list", "zipf", 0)
    max_cued_zipf: float = tunable(4.6, 'most common name after words like "my name is"', "zipf", 0)
