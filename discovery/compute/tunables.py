"""Sections of tunables: frozen dataclasses whose fields carry unit, range and meaning.

A section checks its values when it is made. Values can be read from nested mappings (JSON, TOML)
and from text (``metric.steps=200``); a wrong name or value gives one clear line.
"""

import dataclasses
import difflib
import math
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

# First value, last value, step.
Grid = tuple[float, float, float]
# Prefixes of the lower and the upper one of two tunables.
_ORDERED = (("min_", "max_"), ("near_", "far_"))
_S = typing.TypeVar("_S", bound="Section")


class ConfigError(ValueError):
    """A name or a value of the configuration is wrong."""


@dataclass(frozen=True, slots=True)
class Tunable:
    """One tunable as users see it.

    Attributes:
        name: dotted name, such as "metric.steps".
        value: the present value.
        default: the default value.
        kind: "a whole number", "a number", "numbers", "3 numbers", "text" or
            "names", and "auto" if allowed.
        unit: unit of the value; "" for a pure number.
        range: allowed values, such as "at least 1" or "contrastive, margin".
        meaning: what it does, in one clause.
    """

    name: str
    value: Any
    default: Any
    kind: str
    unit: str
    range: str
    meaning: str


def tunable(
    default: Any,
    meaning: str,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
) -> Any:
    """Declare a field of a section.

    Args:
        default: the default value.
        meaning: what it does, in one clause.
        unit: unit of the value; "" for a pure number.
        low: smallest allowed value, also of each item of a tuple; None for no bound.
        high: largest allowed value; None for no bound.
    """
    metadata = {"meaning": meaning, "unit": unit, "low": low, "high": high}
    return dataclasses.field(default=default, metadata=metadata)


def fraction(default: Any, meaning: str) -> Any:
    """Declare a field whose values, or the items of its tuple, lie between 0 and 1."""
    return tunable(default, meaning, "", 0, 1)


class Section:
    """Base of all sections; subclasses are frozen dataclasses of tunables and other sections."""

    __slots__ = ()

    def __post_init__(self) -> None:
        """Check all values.

        Raises:
            ConfigError: if a value has the wrong type or lies outside its range, or if ``min_x``
                exceeds ``max_x``, or ``near_x`` exceeds ``far_x``.
        """
        for field, kind in _fields(type(self)):
            value = getattr(self, field.name)
            if not _is_section(kind):
                object.__setattr__(self, field.name, _checked(field, kind, value))
        for field, _ in _fields(type(self)):
            for low, high in _ORDERED:
                most = field.name.replace(low, high, 1)
                if field.name.startswith(low) and hasattr(self, most):
                    _check_order(field.name, getattr(self, field.name), most, getattr(self, most))

    def tunables(self, prefix: str = "") -> Iterator[Tunable]:
        """Yield all tunables, those of nested sections too."""
        for field, kind in _fields(type(self)):
            name, value = prefix + field.name, getattr(self, field.name)
            if _is_section(kind):
                yield from value.tunables(f"{name}.")
            else:
                meta = field.metadata
                yield Tunable(
                    name=name,
                    value=value,
                    default=field.default,
                    kind=_kind_name(kind),
                    unit=meta["unit"],
                    range=_range_text(kind, meta["low"], meta["high"]),
                    meaning=meta["meaning"],
                )

    def with_values(self, values: Mapping[str, Any]) -> Self:
        """Return the section with some values replaced.

        Args:
            values: from dotted names to values; text is converted to the type of the tunable.

        Raises:
            ConfigError: if there is no such name, or a value is wrong.
        """
        return _replaced(self, [(name.split("."), name, value) for name, value in values.items()])

    def with_mapping(self, mapping: Mapping[str, Any]) -> Self:
        """Return the section with the values of a nested mapping, as TOML gives it."""
        return self.with_values(dict(_flat(mapping)))

    def to_dict(self) -> dict[str, Any]:
        """Return all values as nested dictionaries of JSON values."""
        return dataclasses.asdict(typing.cast(Any, self))


def grid(bounds: Grid) -> np.ndarray:
    """Return the values from first to last by a step, rounded to two decimals."""
    first, last, step = bounds
    return np.round(np.arange(first, last + step / 10, step), 2)


def _fields(section: type) -> list[tuple[dataclasses.Field[Any], Any]]:
    hints = typing.get_type_hints(section)
    return [(f, hints[f.name]) for f in dataclasses.fields(section)]


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def _replaced(section: _S, changes: list[tuple[list[str], str, Any]]) -> _S:
    """Apply changes, each a path below the section, the full name and a value, all at once."""
    kinds = {field.name: kind for field, kind in _fields(type(section))}
    own: dict[str, Any] = {}
    nested: dict[str, list[tuple[list[str], str, Any]]] = {}
    prefix = ""
    for path, name, value in changes:
        head, *rest = path
        if head not in kinds or bool(rest) != _is_section(kinds[head]):
            raise ConfigError(_unknown(section, path, name))
        prefix = name.removesuffix(".".join(path))
        if rest:
            nested.setdefault(head, []).append((rest, name, value))
        else:
            own[head] = _parsed(kinds[head], value, name) if isinstance(value, str) else value
    own |= {head: _replaced(getattr(section, head), inner) for head, inner in nested.items()}
    try:
        return dataclasses.replace(typing.cast(Any, section), **own)
    except ConfigError as error:
        raise ConfigError(f"{prefix}{error}") from None


def _unknown(section: Section, path: list[str], name: str) -> str:
    prefix = name[: len(name) - len(".".join(path))]
    names = [t.name for t in section.tunables(prefix)]
    near = difflib.get_close_matches(name, names, 1, 0.4)
    hint = f"did you mean {near[0]!r}?" if near else "`advin config` lists all names"
    return f"there is no tunable {name!r}: {hint}"


def _flat(mapping: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _options(kind: Any) -> tuple[Any, ...]:
    """Return the alternatives of a type: the members of a union, or the type alone."""
    origin = typing.get_origin(kind)
    return typing.get_args(kind) if origin in (typing.Union, types.UnionType) else (kind,)


def _choices(kind: Any) -> tuple[str, ...]:
    """Return the texts that a type allows: the values of its Literal."""
    found = [o for o in _options(kind) if typing.get_origin(o) is typing.Literal]
    return tuple(value for option in found for value in typing.get_args(option))


def _numeric(kind: Any) -> type | None:
    """Return int or float, of single values and of the items of a tuple; None for text."""
    for option in _options(kind):
        if option in (int, float):
            return typing.cast(type, option)
        if typing.get_origin(option) is tuple and not _names(option):
            return typing.cast(type, typing.get_args(option)[0])
    return None


def _names(kind: Any) -> tuple[str, ...]:
    """Return the texts that the items of a tuple may be; () for tuples of numbers and others."""
    return _choices(typing.get_args(kind)[0]) if _is_tuple(kind) else ()


def _is_tuple(kind: Any) -> bool:
    return typing.get_origin(kind) is tuple


def _parsed(kind: Any, text: str, name: str) -> Any:
    """Convert text to a type."""
    if _names(kind):
        return tuple(part.strip() for part in text.strip("()[] ").split(",") if part.strip())
    number = _numeric(kind)
    if text in _choices(kind) or number is None:
        return text
    parts = text.strip("()[] ").split(",") if _is_tuple(kind) else [text]
    try:
        values = [number(part) for part in parts if part.strip()]
    except ValueError:
        raise ConfigError(f"{name} is {text!r}, but must be {_kind_name(kind)}") from None
    return tuple(values) if _is_tuple(kind) else values[0] if values else text


def _checked(field: dataclasses.Field[Any], kind: Any, value: Any) -> Any:
    """Return a value in its type; raises ConfigError if it is none of it, or out of range."""
    choices, number = _choices(kind), _numeric(kind)
    if isinstance(value, str) and value in choices:
        return value
    if names := _names(kind):
        return _checked_names(field.name, names, value)
    if number is None:
        raise ConfigError(f"{field.name} is {value!r}, but must be one of {', '.join(choices)}")
    is_tuple = _is_tuple(kind)
    items = list(value) if is_tuple and isinstance(value, list | tuple) else [value]
    arity = typing.get_args(kind)
    fixed = is_tuple and arity[-1] is not Ellipsis
    wrong_length = not items or (fixed and len(items) != len(arity))
    if wrong_length or not all(_is_number(item, number) for item in items):
        raise ConfigError(f"{field.name} is {value!r}, but must be {_kind_name(kind)}")
    low, high = field.metadata["low"], field.metadata["high"]
    for item in items:
        if (low is not None and item < low) or (high is not None and item > high):
            allowed = _range_text(kind, low, high)
            raise ConfigError(f"{field.name} is {value!r}, but must be {allowed}")
    converted = tuple(number(item) for item in items)
    if kind == Grid:
        _check_grid(field.name, converted)
    return converted if is_tuple else converted[0]


def _checked_names(field: str, names: tuple[str, ...], value: Any) -> tuple[str, ...]:
    items = tuple(value) if isinstance(value, list | tuple) else (value,)
    for item in items:
        if item not in names:
            raise ConfigError(f"{field} has {item!r}, but may only have {', '.join(names)}")
    return items


def _check_order(low_name: str, low: float, high_name: str, high: float) -> None:
    if low > high:
        raise ConfigError(f"{low_name} is {low!r}, but must be at most {high_name}, {high!r}")


def _check_grid(name: str, bounds: Grid) -> None:
    first, last, step = bounds
    # The grid is rounded to two decimals.
    if first > last or step < 0.01:
        raise ConfigError(
            f"{name} is {bounds!r}, but must be first, last and step: first at most last, step at "
            "least 0.01"
        )


def _is_number(value: Any, number: type) -> bool:
    allowed = int if number is int else (int, float)
    if not isinstance(value, allowed) or isinstance(value, bool):
        return False
    return abs(value) <= sys.maxsize if isinstance(value, int) else math.isfinite(value)


def _kind_name(kind: Any) -> str:
    number, choices = _numeric(kind), _choices(kind)
    if number is None:
        return "names" if _names(kind) else "text"
    name = {int: "a whole number", float: "a number"}[number]
    if _is_tuple(kind):
        arity = typing.get_args(kind)
        name = "numbers" if arity[-1] is Ellipsis else f"{len(arity)} numbers"
    return " or ".join([name, *choices])


def _range_text(kind: Any, low: float | None, high: float | None) -> str:
    choices = ", ".join(_choices(kind) or _names(kind))
    if low is None and high is None:
        return choices or "any"
    if high is None:
        text = f"at least {low:g}"
    elif low is None:
        text = f"at most {high:g}"
    else:
        text = f"{low:g} to {high:g}"
    return f"{text}, or {choices}" if choices else text
