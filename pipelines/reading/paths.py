"""Paths into nested rows: `queryResult.queryText`, `messages[].text`, `"odd.key".text`.

A path is a chain of keys with dots between them. `[]` or `*` stands for each element of a list, or
each member of an object, and `[2]` for one element. Quotes make a key literal. A key that contains
the dots itself comes first: the column `a.b` wins over the key `b` of the object `a`. A string that
holds JSON is opened on the way.
"""

import functools
import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

# A key, a position in a list, or None for each element of a list.
Step = str | int | None
Steps = tuple[Step, ...]
# Positions of the elements that a path took in the lists on its way.
Elements = tuple[int, ...]

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|\[(\d{0,9})\]|([^.\[\]"]+)')
_PLAIN = re.compile(r'[^.\[\]"*]+')
# A longer name is taken literally, and deeper values are not searched for texts.
_MAX_STEPS = 32
# Values of a row that are searched for texts, and characters of a text that count.
_MAX_VALUES = 1000
_MAX_CHARACTERS = 200


class Quoted(str):
    """A key in quotes, which is never a part of a longer key."""

    __slots__ = ()


class NotJsonError(ValueError):
    """A text is not JSON, or it is nested too deeply to be read."""


def parse_json(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        NotJsonError: if it is not JSON, is nested too deeply, or holds a number of more than 4300
            digits.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotJsonError(str(error)) from error


def opened(value: Any) -> Any:
    """Return the object or list that a string holds as JSON; other values as they are."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        return _opened_string(value)
    return value


# The paths of a text, its labels and its speaker open the same string.
@functools.lru_cache(maxsize=4)
def _opened_string(text: str) -> Any:
    try:
        return parse_json(text)
    except NotJsonError:
        return text


@functools.lru_cache(maxsize=64)
def parse_path(name: str) -> Steps:
    """Return the steps of a path. A name that is no path is one key.

    >>> parse_path("messages[].text")
    ('messages', None, 'text')
    >>> parse_path('"a.b".c[0]')
    ('a.b', 'c', 0)
    """
    steps: list[Step] = []
    at = 0
    while at < len(name) and len(steps) <= _MAX_STEPS:
        token = _TOKEN.match(name, at)
        if token is None:
            return (name,)
        quoted, position, plain = token.groups()
        if quoted is not None:
            steps.append(Quoted(re.sub(r"\\(.)", r"\1", quoted)))
        elif position is not None:
            steps.append(int(position) if position else None)
        else:
            steps.append(None if plain == "*" else plain)
        at = token.end()
        if name[at : at + 1] == "." and at + 1 < len(name):
            at += 1
        elif at < len(name) and name[at] != "[":
            return (name,)
    return tuple(steps) if 0 < len(steps) <= _MAX_STEPS else (name,)


def is_path(name: str) -> bool:
    """Return True if a name is a path of several steps."""
    return len(parse_path(name)) > 1


def format_path(steps: Steps) -> str:
    """Return the path with these steps, as a user writes it."""
    path = ""
    for step in steps:
        if step is None or isinstance(step, int):
            path += "[]" if step is None else f"[{step}]"
        else:
            key = step if _PLAIN.fullmatch(step) else json.dumps(step, ensure_ascii=False)
            path += f".{key}" if path else key
    return path


def select(row: Any, name: str) -> Iterator[tuple[Elements, Any]]:
    """Yield (elements, value) for each value at a path of a row; nothing if the path is absent."""
    if isinstance(row, dict) and name in row:
        yield (), row[name]
    else:
        steps = parse_path(name)
        found = _follow(row, steps, ())
        if steps[0] is None and not isinstance(row, list):
            # `[].text` names the elements of a file that is an array, and these are the rows.
            elements = list(_follow(row, steps[1:], ()))
            found = iter(elements) if elements else found
        yield from found


def has_path(row: Any, name: str) -> bool:
    """Return True if a row has a value at a path."""
    return next(select(row, name), None) is not None


def select_at(row: Any, name: str, elements: Elements) -> Any:
    """Return the value at a path of a row, None if it is absent.

    Each list on the way gives the element that `elements` names, so that a label stands next to its
    text: `intents[].intent` and `intents[].examples[].text`.
    """
    if isinstance(row, dict) and name in row:
        return row[name]
    left = iter(elements)
    steps = tuple(next(left, None) if step is None else step for step in parse_path(name))
    return next((value for _, value in _follow(row, steps, ())), None)


def root_column(name: str, columns: Iterable[str]) -> str | None:
    """Return the column of a table that a path begins in; None if there is none."""
    there = set(columns)
    if name in there:
        return name
    steps = parse_path(name)
    return next((key for key, _ in _keys(steps) if key in there), None)


def struct_path(
    name: str, inside: Callable[[tuple[str, ...]], Collection[str]]
) -> tuple[str, ...] | None:
    """Return the names that a path follows through a column and its structs.

    Args:
        name: the path.
        inside: returns the names of the fields at some names; without names, those of the columns.

    Returns:
        the names; None if the path is absent, or leads into something else than a struct.
    """
    names: tuple[str, ...] = ()
    steps = (name,) if name in inside(()) else parse_path(name)
    while steps:
        there = inside(names)
        found = next(((key, rest) for key, rest in _keys(steps) if key in there), None)
        if found is None:
            return None
        names, steps = (*names, found[0]), found[1]
    return names


def _follow(value: Any, steps: Steps, elements: Elements) -> Iterator[tuple[Elements, Any]]:
    while steps:
        value = opened(value)
        step = steps[0]
        if step is None and isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, dict):
            found = next(((k, rest) for k, rest in _keys(steps) if k in value), None)
            if found is None:
                return
            value, steps = value[found[0]], found[1]
        elif not isinstance(value, list) or isinstance(step, str):
            return
        elif step is None:
            for i, element in enumerate(value):
                yield from _follow(element, steps[1:], (*elements, i))
            return
        elif step >= len(value):
            return
        else:
            value, steps = value[step], steps[1:]
    yield elements, value


def _keys(steps: Steps) -> Iterator[tuple[str, Steps]]:
    """Yield (key, remaining steps): first the longest key that contains dots itself."""
    keys: list[str] = []
    for step in steps:
        if not isinstance(step, str) or (keys and isinstance(step, Quoted)):
            break
        keys.append(step)
        if isinstance(step, Quoted):
            break
    for n in range(len(keys), 0, -1):
        yield ".".join(keys[:n]), steps[n:]


def text_paths(rows: Iterable[Any]) -> list[str]:
    """Return the paths of all texts in some rows, the one with the longest texts first.

    A text is a string that contains a letter. Strings with a space come before those without, which
    are mostly ids and names.
    """
    lengths: dict[Steps, list[tuple[bool, int]]] = defaultdict(list)
    for row in rows:
        for steps, text in _texts(row):
            if any(c.isalpha() for c in text):
                words = " " in text.strip()
                lengths[steps].append((words, min(len(text), _MAX_CHARACTERS)))

    def rank(steps: Steps) -> tuple[float, float]:
        found = lengths[steps]
        return -sum(words for words, _ in found), -sum(length for _, length in found)

    return [format_path(steps) for steps in sorted(lengths, key=rank)]


def _texts(row: Any) -> Iterator[tuple[Steps, str]]:
    """Yield (steps, string) for the strings of a row, at a bounded depth and number."""
    waiting: list[tuple[Steps, Any]] = [((), row)]
    for _ in range(_MAX_VALUES):
        if not waiting:
            return
        steps, value = waiting.pop()
        value = opened(value)
        inside: Iterable[tuple[Step, Any]] = ()
        if isinstance(value, str):
            yield steps, value
        elif isinstance(value, dict):
            inside = value.items()
        elif isinstance(value, list):
            inside = ((None, element) for element in value)
        if len(steps) < _MAX_STEPS:
            waiting += [((*steps, step), element) for step, element in inside]
