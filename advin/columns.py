"""The argument `columns` of the Python API: names of the columns of the inputs."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from advin.pipelines.errors import SettingsError
from advin.pipelines.reading.columns import FLAGS, ROLES, Columns, input_columns

# Names of "text", "intent" and "domain" for all inputs, and for "log", "labeled" or "ood" alone.
ColumnNames: TypeAlias = Mapping[str, str | Mapping[str, str]]

_SHARED = ("text", "intent", "domain")
# Flags of the command line as this argument.
ARGUMENTS = {f"--{role}-column": f"columns={{'{role}': …}}" for role in _SHARED}
ARGUMENTS |= {
    f"{FLAGS[name]}-{role}-column": f"columns={{'{name}': {{'{role}': …}}}}"
    for name, roles in ROLES.items()
    for role in roles
}


def to_input_columns(given: Any) -> dict[str, Columns]:
    """Return the columns of each input.

    Raises:
        SettingsError: if a key is unknown, a name is no text, or two columns have one name.
    """
    if not isinstance(given or {}, Mapping):
        raise SettingsError(f"columns is of type {type(given).__name__}, but must be a mapping")
    shared, own = {}, {}
    for key, value in dict(given or {}).items():
        if key in ROLES and isinstance(value, Mapping):
            own[key] = dict(value)
            for role, column in value.items():
                _check(role, column, ROLES[key])
        else:
            _check(key, value, (*_SHARED, *ROLES))
            shared[key] = value
    found = input_columns(shared, own)
    for columns in found.values():
        if len({*columns.all}) < len(columns.all):
            raise SettingsError(f"columns: two of {', '.join(columns.all)} are equal")
    return found


def _check(key: Any, column: Any, known: tuple[str, ...]) -> None:
    if key not in known:
        raise SettingsError(f"columns has the key {key!r}; choose from {', '.join(known)}")
    if key in ROLES:
        raise SettingsError(
            f"columns: {key} is {column!r}, but must be a mapping such as {{'text': 'message'}}"
        )
    if not isinstance(column, str):
        raise SettingsError(f"columns: the name of {key} is {column!r}, but must be text")
