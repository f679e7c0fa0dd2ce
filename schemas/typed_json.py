"""JSON files that are checked against the type hints of a dataclass: names, types and ranges."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

T = TypeVar("T")

# Unknown names, NaN, infinities and values of another type are errors.
_RULES = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)


class JsonError(ValueError):
    """A text is not the JSON of a dataclass; the message says where and why."""


def checked(kind: type[T]) -> type[T]:
    """Decorate a dataclass or a typed dictionary whose JSON `read_json` reads."""
    decorate: Callable[[Any], Any] = with_config(_RULES)
    return decorate(kind)


def read_json(data: bytes | str, kind: Callable[..., T]) -> T:
    """Return a dataclass from its JSON.

    Args:
        data: the JSON text, UTF-8.
        kind: a dataclass with the decorator `checked`.

    Raises:
        JsonError: if the text is not JSON, or a name, type or value is wrong.
    """
    try:
        found: T = _adapter(kind).validate_json(data)
        return found
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise JsonError(f"{place}: {first['msg']}" if place else first["msg"]) from error


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
