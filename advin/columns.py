"""The argument `columns` of the Python API: names of the columns of the inputs."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

from advin.pipelines.errors import SettingsError
from advin.pipelines.reading.columns import FLAGS, ROLES, Columns, input_columns

if TYPE_CHECKING:
    from advin.pipelines.reading.row_columns import RowColumns

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


class RowArguments(TypedDict, total=False):
    """Arguments of `advin.discover` that choose what the table rows holds.

    Attributes:
        id_column: column of the log with ids of rows.
        time_column: column with the times of rows.
        conversation_column: column with ids of conversations.
        keep_columns: more columns to keep.
        keep_raw: kept columns whose texts are not masked.
        rows: False to leave out the table.
    """

    id_column: str | None
    time_column: str | None
    conversation_column: str | None
    keep_columns: str | Sequence[str] | None
    keep_raw: str | Sequence[str] | None
    rows: bool


def to_row_columns(given: RowArguments) -> "RowColumns | None":
    """Return the columns of the table rows; None to leave the table out.

    Raises:
        TypeError: if there is no such argument.
        SettingsError: if a name is no text, a column is given but no table, or names are wrong.
    """
    from advin.pipelines.reading.row_columns import RowColumns, split_names

    for name in given:
        if name not in RowArguments.__annotations__:
            raise TypeError(f"discover() got an unexpected keyword argument {name!r}")
    lists = [
        split_names(names) if isinstance(names, str) else tuple(names or ())
        for names in (given.get("keep_columns"), given.get("keep_raw"))
    ]
    single = (given.get("id_column"), given.get("time_column"), given.get("conversation_column"))
    for column in (*(name for name in single if name is not None), *lists[0], *lists[1]):
        if not isinstance(column, str):
            raise SettingsError(f"the name of a column is {column!r}, but must be text")
        if not given.get("rows", True):
            raise SettingsError(f"rows is False, which leaves out the table for {column}: drop one")
    return RowColumns(*single, *lists) if given.get("rows", True) else None


def _check(key: Any, column: Any, known: tuple[str, ...]) -> None:
    if key not in known:
        raise SettingsError(f"columns has the key {key!r}; choose from {', '.join(known)}")
    if key in ROLES:
        raise SettingsError(
            f"columns: {key} is {column!r}, but must be a mapping such as {{'text': 'message'}}"
        )
    if not isinstance(column, str):
        raise SettingsError(f"columns: the name of {key} is {column!r}, but must be text")
