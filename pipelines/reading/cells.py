"""The value of a cell: a text, an n-best list, or something else."""

from collections.abc import Iterable
from typing import Any

from advin.pipelines.reading.hypotheses import best_hypothesis
from advin.pipelines.reading.paths import opened

_CONTAINERS = (dict, list, str)
# First characters of a string that may hold JSON. The empty string counts as one, too.
_BEFORE_JSON = "{[ \t\r\n"


def cell_text(value: Any) -> tuple[str | None, str | None]:
    """Return (text, None) of a cell, or (None, problem).

    The text of an n-best list is its best hypothesis. Other objects and lists are no text, even if
    a string holds them as JSON.
    """
    if value is None:
        return None, "null"
    inside = opened(value)
    if isinstance(inside, str):
        return inside, None
    text = best_hypothesis(inside)
    if text is not None:
        return text, None
    # Brackets around numbers, such as "[1]", are text that happens to be JSON.
    plain = isinstance(inside, list) and not any(isinstance(e, _CONTAINERS) for e in inside)
    return (value, None) if plain and isinstance(value, str) else (None, "not_text")


def may_hold_json(text: str) -> bool:
    """Return True if a string may be an object or a list in JSON, which `cell_text` checks."""
    return text[:1] in _BEFORE_JSON


def problem_of(fields: Iterable[Any]) -> str | None:
    """Return the reason for which a row with these fields is rejected; None if it is readable."""
    for field in fields:
        if field is not None and not isinstance(field, str):
            return "not_text"
        if field is not None and not field.isascii():
            try:
                field.encode()
            except UnicodeEncodeError:  # JSON can contain escaped lone surrogates
                return "invalid_utf8"
    return None
