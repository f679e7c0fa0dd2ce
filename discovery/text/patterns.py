"""Rules for what has a form of its own: addresses of the web, accounts, dates, times, amounts."""

import re

from stdnum import iban, luhn

from advin.discovery.text.config import MaskingConfig

_I = re.IGNORECASE
_MONTHS = (
    r"(?:jan|feb|mar|apr|may(?![ ](?:be|have|not)\b)|jun|jul|aug|sept?|oct|nov|dec|january"
    r"|february|march|april|june|july|august|september|october|november|december|januar|februar|m[äa]rz|mai|juni|juli|oktober"
    r"|dezember|janvier|f[ée]vrier|mars|avril|juin|juillet|ao[ûu]t|septembre|octobre|novembre"
    r"|d[ée]cembre|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre"
    r"|diciembre|janeiro|fevereiro|março|maio|junho|julho|setembro|outubro|novembro|dezembro"
    r"|januari|februari|maart|mei|augusti|augustus|maj|marts|desember|stycznia|lutego|marca"
    r"|kwietnia|maja|czerwca|lipca|sierpnia|września|października|listopada|grudnia"
    r"|gennaio|febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|dicembre)\.?"
)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th|er|º|\.)?"
_OF = r"(?:of|de|do|di)"
_YEAR = r"(?:19|20)\d\d"

URL = re.compile(
    r"""(?:\b(?:https?|ftps?|sftp|file|s3|gs)://[^\s<>"']+
    | \bwww\.[^\s<>"']+\.[^\s<>"']+
    | \b(?<!@)[a-z0-9][a-z0-9-]{0,62}(?:\.[a-z0-9-]{1,63}){0,6}\.(?:com|org|net|edu|gov|info|biz|io
        |de|fr|es|it|pt|eu|ch|at|nl|ly|co\.uk)\b(?:/[^\s<>"']*)?)(?<![.,;:!?)])""",
    _I | re.VERBOSE,
)
EMAIL = re.compile(
    r"(?<![\w.+%'-])[\w.+%'-]{1,64}(?:\s?@\s?[\w-]+(?:\.[\w-]+)*\.[^\W\d][\w-]*|@(?=\d*[^\W\d])[\w-]+\b)",
    _I,
)
HANDLE = re.compile(r"(?<![\w@])@[^\W\d](?:[\w.-]*\w)?")
IBAN = re.compile(r"\b[a-z]{2}\d{2}(?:[ -]?[a-z0-9]{4}){2,7}(?:[ -]?[a-z0-9]{1,4})?\b", _I)
CARD = re.compile(r"(?<![\d.,+-])[2-6]\d{3}(?:[ -]?\d){8,15}(?![\d-])")
PHONE = re.compile(
    r"""(?<![\w.,$€£/-])(?:\+|\()?\(?\d{1,4}\)?(?:[ ./-]{0,2}\(?\d{1,5}\)?){1,6}
        (?:[ ]?(?:x|ext\.?)[ ]?\d{1,6})?(?![\w%])""",
    _I | re.VERBOSE,
)
# Addresses of the internet, decimals and ranges of versions.
# ITU-T E.164, with an international prefix of up to three digits.
_MAX_PHONE_DIGITS = 18
_NO_PHONE = re.compile(
    r"\d{1,3}(?:\.\d{1,3}){3}|\d+\.\d+|\d{1,2}\.\d\d-\d{1,2}\.\d\d"
    r"|(?:.* )?(?:\d{1,3}(?:\.\d{1,3}){3}|\d{1,2}\.\d)(?: .*)?"
)
DATE = re.compile(
    rf"""(?<![\w.])(?:
      {_YEAR}[-/.]\d{{1,2}}[-/.]\d{{1,2}}(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?
    | \d{{1,2}}[-/.]\d{{1,2}}[-/.]{_YEAR}
    | \d{{1,2}}[-/]\d{{1,2}}[-/]\d\d | \d\d\.\d\d\.\d\d
    | {_DAY}[ -]?(?:{_OF}[ ])?{_MONTHS}(?:(?:,?[ ]|-)(?:{_OF}[ ])?{_YEAR})?
    | {_MONTHS}[ -]?{_DAY}(?:,?[ ]{_YEAR})?
    | {_MONTHS}[ ](?:{_OF}[ ])?{_YEAR}
    )(?![\w/]|\.\d)""",
    _I | re.VERBOSE,
)
TIME = re.compile(
    r"""(?<![\w.:])(?:(?:[01]?\d|2[0-3])[:.][0-5]\d(?::[0-5]\d)?[ ]?(?:[ap]\.?[ ]?m\b\.?|uhr|hrs?\b)
    | (?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?(?!\.?\d)
    | (?:0?[1-9]|1[0-2])[ ]?[ap]\.?[ ]?m\b\.?
    | (?:[01]?\d|2[0-3])[ ]?(?:uhr|o'?clock)\b
    | (?:[01]?\d|2[0-3])h(?:[0-5]\d)\b)""",
    _I | re.VERBOSE,
)
_CURRENCY = (
    r"(?:usd|eur|gbp|chf|cad|aud|inr|jpy|cny|mxn|brl|dollars?|bucks?|euros?|pounds?|quid|cents?"
    r"|rupees?|rs|yen|yuan|pesos?|reais|real|kroner|kronor|sek|nok|dkk|pln|z[łl]|z[łl]oty(?:ch)?|try|lira|czk|huf|forint|francs?|franken|libras?|d[óo]lares?|livres?|sterlina?)"
)
_SIGN = r"[$€£¥₹₩₽]"
_SUM = r"\d+(?:[.,' ]\d{3})*(?:[.,]\d+)?(?:[ ]?(?:k|m|mio|million|thousand|hundred|billion))?"
AMOUNT = re.compile(
    rf"(?:\b(?:us|a|c)?{_SIGN}[ ]?{_SUM}|{_SIGN}[ ]?{_SUM}|\b{_SUM}[ ]?(?:{_SIGN}|{_CURRENCY}\b)"
    rf"|\b(?:usd|eur|gbp|chf|cad|aud|inr|rs\.?)[ ]?{_SUM})(?![\w$])",
    _I,
)


def is_account(text: str, config: MaskingConfig) -> bool:
    """Return True if the check digits of an IBAN are right."""
    return bool(iban.is_valid(text))


def is_card(text: str, config: MaskingConfig) -> bool:
    """Return True if the check digit of a card number is right (Luhn)."""
    return bool(luhn.is_valid(re.sub(r"\D", "", text)))


def is_phone(text: str, config: MaskingConfig) -> bool:
    """Return True if digits and separators are as long as a telephone number."""
    if text.isdigit() or _NO_PHONE.fullmatch(text):
        return False
    number = re.split("[xe]", text, maxsplit=1, flags=_I)[0]
    return config.min_phone_digits <= sum(map(str.isdigit, number)) <= _MAX_PHONE_DIGITS
