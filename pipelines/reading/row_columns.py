"""The columns of the log that go to the table rows: what the user names, and their types."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from advin.pipelines.errors import SettingsError
from advin.pipelines.reading import parquet
from advin.pipelines.reading.columns import Columns
from advin.pipelines.reading.detection import PROBED_ROWS
from advin.pipelines.reading.extra import native_type
from advin.pipelines.reading.files import InputFile
from advin.pipelines.reading.inputs import inspect
from advin.pipelines.reading.partitions import folder_values
from advin.pipelines.reading.paths import has_path, root_column
from advin.pipelines.reading.streams import open_stream
from advin.schemas.tables import ROWS

# Before the name of a kept column that the table has already.
_PREFIX = "kept_"
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class RowColumns:
    """The columns of the log that the table rows holds, as the user names them.

    Attributes:
        id: column of the ids of rows, or None.
        time: column of their times, or None.
        conversation: column of the ids of conversations, or None.
        keep: other columns to keep.
        raw: those of them whose texts are not masked.
    """

    id: str | None = None
    time: str | None = None
    conversation: str | None = None
    keep: tuple[str, ...] = ()
    raw: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the names.

        Raises:
            SettingsError: if a name is empty or stands twice, or a raw column is not kept.
        """
        for flag, names in (("--keep-columns", self.keep), ("--keep-raw", self.raw)):
            for name in names:
                if not name or names.count(name) > 1:
                    what = f"names {name!r} twice" if name else "has an empty name"
                    raise SettingsError(f"{flag} {what}: give each column once")
        for name in self.raw:
            if name not in self.keep:
                raise SettingsError(
                    f"--keep-raw names {name!r}, which --keep-columns does not: add it there"
                )

    @property
    def flags(self) -> dict[str, str]:
        """The flag that names each column."""
        given = {self.id: "--id-column", self.time: "--time-column"}
        given |= {self.conversation: "--conversation-column"}
        given |= {name: "--keep-columns" for name in self.keep if name not in given}
        return {name: flag for name, flag in given.items() if name is not None}


@dataclass(frozen=True, slots=True)
class ExtraColumn:
    """A column of the log that goes to the table rows.

    Attributes:
        name: its name in the table.
        path: its name in the log.
        kind: its type in every file of the log; None if the type follows from its values.
        masked: True if its texts are masked.
    """

    name: str
    path: str
    kind: pa.DataType | None
    masked: bool = False


def extra_columns(
    names: RowColumns, files: Sequence[InputFile], columns: Columns
) -> tuple[Columns, tuple[ExtraColumn, ...]]:
    """Find the columns of the table rows in the files of the log.

    Args:
        names: as the user gave them.
        files: of the log, with their layouts.
        columns: the columns that are read otherwise.

    Returns:
        the columns to read, with these, and the columns of the table.

    Raises:
        SettingsError: if no file has one of the columns.
    """
    kinds = _find_types(names.flags, files, columns)
    extra = [
        ExtraColumn(name, path, kinds[path])
        for name, path in (
            *(("row_id", names.id), ("time", names.time)),
            ("conversation_id", names.conversation),
        )
        if path is not None
    ]
    taken = {name.casefold() for name in ROWS.names}
    for path in names.keep:
        name = _PREFIX + path if path.casefold() in taken else path
        extra.append(ExtraColumn(name, path, kinds[path], path not in names.raw))
    native = tuple(path for path, kind in kinds.items() if kind is not None)
    return replace(columns, extra=tuple(c.path for c in extra), native=native), tuple(extra)


def split_names(text: str) -> tuple[str, ...]:
    """Return the names in a text, which commas separate."""
    return tuple(name.strip() for name in text.split(","))


def _find_types(
    flags: dict[str, str], files: Sequence[InputFile], columns: Columns
) -> dict[str, pa.DataType | None]:
    """Return the type of each column if it is the same in each file that has it, else None."""
    seen = _Seen(list(flags), columns)
    for file in files if flags else ():
        seen.add(file)
    for path, flag in flags.items():
        if path not in seen.there:
            names = ", ".join(sorted(seen.names)[:_SHOWN]) or "none"
            raise SettingsError(
                f"{flag}: no file of --input has the column {path!r} in its first {PROBED_ROWS} "
                f"rows; the columns are: {names}"
            )
    return {path: next(iter(k)) if len(k) == 1 else None for path, k in seen.types.items()}


class _Seen:
    """What the files of a log hold of some columns.

    Attributes:
        types: types of each column; None for a type that follows from the values.
        there: columns that a file holds.
        names: names of all columns.
    """

    def __init__(self, paths: list[str], columns: Columns) -> None:
        self._paths, self._columns = paths, columns
        self.types: dict[str, set[pa.DataType | None]] = {path: set() for path in paths}
        self.there: set[str] = set()
        self.names: set[str] = set()

    def add(self, file: InputFile) -> None:
        """Look at the columns of a file."""
        for path in folder_values(file.path).keys() & self.types.keys():
            self.there.add(path)
            self.types[path].add(None)
        if file.format == "parquet":
            self._add_parquet(file)
            return
        for types in self.types.values():
            types.add(None)
        if not self.there.issuperset(self._paths):
            found, rows = inspect(file, replace(self._columns, extra=()))
            self._add_rows(found, rows)

    def _add_parquet(self, file: InputFile) -> None:
        with open_stream(file) as stream:
            schema = parquet.schema_of(stream)
        inside = []
        for path in self._paths:
            kind = native_type(schema, path)
            if kind is not None:
                self.there.add(path)
                self.types[path] |= set() if pa.types.is_null(kind) else {kind}
            elif root_column(path, schema.names) is not None:
                self.types[path].add(None)
                inside.append(path)
        # A path into a list, a map or JSON shows only in the rows.
        rows = inspect(file, replace(self._columns, extra=tuple(inside)))[1] if inside else []
        self._add_rows(schema.names, rows)

    def _add_rows(self, names: Iterable[str], rows: list[Any]) -> None:
        self.names.update(names)
        self.there |= {
            path
            for path in self._paths
            if path in self.names or any(has_path(row, path) for row in rows)
        }
