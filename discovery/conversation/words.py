"""Folds texts to words that all spellings of a phrase share."""

import re
import unicodedata

# Placeholders such as [number], words, and numbers.
_TOKEN = re.compile(r"\[[a-z_]+\]|[^\W_]+")
_APOSTROPHES = re.compile(r"['’‘`´]")
_REPEATED = re.compile(r"([^\W\d_])\1+")
_NUMBER = re.compile(r"\d")


def tokens(text: str) -> list[str]:
    """Return placeholders, words and numbers, without case, accents and apostrophes.

    >>> tokens("Olá, it's OK 👍 [name]!!")
    ['ola', 'its', 'ok', '[name]']
    """
    folded = unicodedata.normalize("NFKD", _APOSTROPHES.sub("", text.casefold()))
    bare = "".join(c for c in folded if not unicodedata.combining(c))
    return _TOKEN.findall(bare)


def squeezed(word: str) -> str:
    """Return a word with each run of one letter cut to one.

    >>> squeezed("hellooo")
    'helo'
    """
    return _REPEATED.sub(r"\1", word)


def is_value(token: str) -> bool:
    """True if a token is a placeholder, a number, or a code with digits."""
    return token[0] == "[" or bool(_NUMBER.search(token))


def is_one_edit_apart(word: str, other: str) -> bool:
    """True if one insertion, deletion, substitution or swap of neighbors makes two words equal."""
    if abs(len(word) - len(other)) > 1:
        return False
    short, long = sorted((word, other), key=len)
    start = 0
    while start < len(short) and short[start] == long[start]:
        start += 1
    if len(short) < len(long):
        return short[start:] == long[start + 1 :]
    rest, rest_other = short[start + 1 :], long[start + 1 :]
    swapped = (
        short[start : start + 2] == long[start : start + 2][::-1] and rest[1:] == rest_other[1:]
    )
    return rest == rest_other or swapped
