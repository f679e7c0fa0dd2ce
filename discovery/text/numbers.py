"""Rules for tokens with digits: ids and long numbers are masked, numbers with a meaning stay.

A number of one to three digits mostly says what is asked ("error 404", "3 days late", "top 10"),
and so does a year. A longer one, and a token that mixes letters and digits without a pattern,
mostly names one order or case. Words before the token decide the cases between.
"""

import re

from advin.discovery.text.config import MaskingConfig
from advin.discovery.text.lexicon import lexicon
from advin.discovery.text.wordlists import word_list

_TOKEN = re.compile(r"(?<![\w\[])#?[ ]?[^\W_]+(?:[-_.,:+*]+[^\W_]+)*")
# Versions, decimals and numbers such as 1.5 or 2.6.8.
_VERSION = re.compile(r"v?\d{1,3}(?:\.\d{1,2}){1,3}", re.IGNORECASE)
# Versions in a longer token, such as linux-image-2.6.31-19, and sizes such as 1920x1080.
_LONG_VERSION = re.compile(
    r"(?<!\d)\d{1,2}\.\d{1,2}(?:\.\d{1,2})?[-+~]\w|\d\.\d{1,2}\.\d{1,2}(?!\d)|x86_64-"
)
_SIZE = re.compile(r"\d{2,4}[x*]\d{2,4}(?:\D.*)?", re.IGNORECASE)
# Versions after a name, such as ubuntu11.04, and names of processors.
_NAMED_VERSION = re.compile(
    r"[a-z]*-?\d{1,2}\.\d{1,2}(?:\.\d{1,2})?[a-z]*|x(?:86[-_])?64|x86(?:[-_]32)?|i[3-6]86|[a-z]+:\d{1,3}|[a-z]+(?:_[a-z]+)+:\d+|0x[0-9a-f]+",
    re.I,
)
_YEAR = re.compile(r"(?:19[5-9]|20[0-4])\d")
_RANGE = re.compile(r"\d{1,3}-\d{1,3}")
_MODEL = re.compile(r"[a-z]+-?\d{4}[a-z]{0,4}|[a-z]{5,}\d{3,4}[a-z]{0,2}|\d{4}[a-zA-Z]{1,2}")
_DIGITS = re.compile(r"\d+")
_CAPITALS = re.compile(r"\b[A-Z]{3,}\b")
_CHANGE = re.compile(r"(?<=\d)[^\W\d_]|(?<=[^\W\d_])\d")
_HEX = re.compile(r"[0-9a-f]{8,}(?:-[0-9a-f]{4,})*", re.IGNORECASE)
_UNIT = re.compile(
    r"""\d{1,4}(?:[.,]\d+)?(?:st|nd|rd|th|k|m|g|b|t|gb|mb|tb|kb|[kmg]?bps|kg|km|mi|mph|cm|mm|ml
        |cl|l|oz|lbs?|ft|in|px|mah|k?w|kwh|[kmg]?hz|fps|p|x|d|h|hrs?|mins?|s|secs?|y|yrs?|yo|v|c|f
        |er|e|i|a|ª|º|ème|eme|ten|te|de|-?(?:day|week|month|year|inch|digit|step|factor)s?)""",
    re.IGNORECASE | re.VERBOSE,
)
_CONTEXT = len("confirmation number, reference number: ")
_LAST_WORD = re.compile(r"([^\W\d_]+)[^\w\[\]]*$")

# Words before a number or a code that names one thing among many.
_NAMED = word_list("numbers", "named")
# Words before groups of at most four digits that belong to the name of a thing.
_KINDS = word_list("numbers", "kinds") | word_list("numbers", "makers")
# A short code after one of these words is a model.
_KINDS_OR_ARTICLES = _KINDS | frozenset("a an my your this these".split())
# A short code near one of these words is a model of hardware.
_DEVICES = word_list("numbers", "devices") | word_list("numbers", "makers")
_WORDS = re.compile(r"[^\W\d_]+")


def mask_ids(text: str, config: MaskingConfig) -> str:
    """Replace ids: codes of letters and digits, and numbers after words such as "order"."""
    if _DIGITS.search(text):
        text = _TOKEN.sub(lambda m: "[id]" if _is_id(m, config) else m[0], text)
    return _CAPITALS.sub(lambda m: "[id]" if _is_letter_code(m, config) else m[0], text)


def mask_numbers(text: str, config: MaskingConfig) -> str:
    """Replace long numbers, and a number that is the whole text."""
    return _TOKEN.sub(lambda m: "[number]" if _is_number(m, config) else m[0], text)


def _is_id(match: re.Match[str], config: MaskingConfig) -> bool:
    token = match[0].lstrip("# ")
    digits = sum(map(str.isdigit, token))
    if not digits:
        return False
    marked = match[0].startswith("#")
    if any(map(str.isalpha, token)):
        if digits <= config.kept_digits + 1 and _word_before(match) in _KINDS_OR_ARTICLES:
            return False
        is_named = marked or _word_before(match) in _NAMED
        if not is_named and _is_model(match, digits, config):
            return False
        return _is_code(token, digits, is_named, config) or (digits > 1 and marked)
    named = _word_before(match) in _NAMED and not _follows_kind(match)
    return (marked or named) and digits > 1


def _is_code(token: str, digits: int, is_named: bool, config: MaskingConfig) -> bool:
    """True if a token of letters and digits has no pattern of a word with a number."""
    if _NAMED_VERSION.fullmatch(token) or _UNIT.fullmatch(token) or _SIZE.fullmatch(token):
        return False
    if _LONG_VERSION.search(token):
        return False
    if _MODEL.fullmatch(token) and not is_named:
        return False
    if _HEX.fullmatch(token):
        return True
    letters = [piece for piece in re.split(r"[\W\d_]+", token) if piece]
    switches = max(len(_CHANGE.findall(run)) for run in re.split(r"[\W_]+", token))
    if digits > config.kept_digits or switches > config.kept_digits:
        return True
    words = [p for p in letters if len(p) > config.kept_digits and _is_word(p, config)]
    if len(token) >= config.min_code and not words and (is_named or token.isupper()):
        return True
    # Such as the flight BA249.
    is_short = token[0].isalpha() and switches == 1 and len(letters[0]) == config.kept_digits - 1
    return is_short and digits == config.kept_digits and letters[0].isupper()


def _is_letter_code(match: re.Match[str], config: MaskingConfig) -> bool:
    """True for capital letters that are no word, after a word such as "order"."""
    if len(match[0]) < config.min_code or _word_before(match) not in _NAMED:
        return False
    return not _is_word(match[0], config)


def _is_word(letters: str, config: MaskingConfig) -> bool:
    known = lexicon(config)(letters.casefold())
    return known.common > 0 or known.last or known.maybe_first


def _is_number(match: re.Match[str], config: MaskingConfig) -> bool:
    token = match[0].lstrip("# ")
    digits = sum(map(str.isdigit, token))
    if not digits or any(map(str.isalpha, token)):
        return False
    around = match.string[: match.start()] + match.string[match.end() :]
    if not around.strip(" .,!?"):
        return True
    if _VERSION.fullmatch(token) or _LONG_VERSION.search(token):
        return False
    if any(form.fullmatch(token) for form in (_YEAR, _RANGE, _SIZE)):
        return False
    if _is_model(match, digits, config):
        return False
    kept, longest = config.kept_digits, max(map(len, _DIGITS.findall(token)))
    return digits > kept and not (longest <= kept + 1 and _word_before(match) in _KINDS)


def _is_model(match: re.Match[str], digits: int, config: MaskingConfig) -> bool:
    """True if a number or a code is short enough for a model, and a device is named near it."""
    if digits > config.max_model_digits:
        return False
    near = _before(match) + match.string[match.end() : match.end() + _CONTEXT]
    return not _DEVICES.isdisjoint(word.casefold() for word in _WORDS.findall(near))


def _before(match: re.Match[str]) -> str:
    """Return the last two words or so before a match."""
    return match.string[max(0, match.start() - _CONTEXT) : match.start()]


def _word_before(match: re.Match[str]) -> str:
    found = _LAST_WORD.search(_before(match))
    return found[1].casefold() if found else ""


def _follows_kind(match: re.Match[str]) -> bool:
    """True after "error code": the number says which error, and no thing."""
    found = re.search(r"([^\W\d_]+)[^\w]+[^\W\d_]+[^\w]*$", _before(match))
    return found is not None and found[1].casefold() in _KINDS
