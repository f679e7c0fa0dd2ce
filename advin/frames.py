"""Utterances that are given in memory: written as Parquet, so that a run reads them like a file."""

import hashlib
import io
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from advin.pipelines.errors import SettingsError
from advin.pipelines.reading.columns import Columns

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow as pa

    Frame: TypeAlias = pandas.DataFrame | polars.DataFrame | pa.Table | pa.RecordBatch
    Column: TypeAlias = pandas.Series | polars.Series | pa.Array | pa.ChunkedArray
    Path: TypeAlias = str | os.PathLike[str]
    # A path, folder or glob; a table with a column of texts; or texts.
    Texts: TypeAlias = Path | Frame | Column | Iterable[str | None]
    # A path; a table; tuples (text, intent) or (text, intent, domain); or the texts of each intent.
    Labels: TypeAlias = (
        Path
        | Frame
        | Iterable[tuple[str, str] | tuple[str, str, str]]
        | Mapping[str, Sequence[str]]
    )

_FOLDER = "inputs"
_STAGED = re.compile(r"(log|labeled|ood)-[0-9a-f]{16}\.parquet")


def stage_input(
    data: Any, role: str, folder: str, columns: Columns, kept: Iterable[str] = ()
) -> str:
    """Return a path of some data, which is written into a folder unless it is a path already.

    The name of the file follows from its content, and its time of change is fixed, so that the
    same call finds the same input again.

    Args:
        data: a path, or what `to_columns` accepts.
        role: "log", "labeled" or "ood".
        folder: folder of the run.
        columns: names of the columns.
        kept: columns of the log, or paths in them, for the table rows.

    Raises:
        SettingsError: if the data cannot be used.
    """
    if isinstance(data, str | os.PathLike):
        return to_path(data, role)
    from advin.pipelines import storage

    names = dict(columns.roles)
    data = _collected(data)
    own = to_columns(data, role, names)
    others = _kept(data, kept if role == "log" else (), {names[name] for name in own})
    content = _parquet(own, names, others)
    name = f"{role}-{hashlib.blake2b(content, digest_size=8).hexdigest()}.parquet"
    path = storage.join(folder, _FOLDER, name)
    if not storage.exists(path):
        try:
            storage.write_bytes(path, content)
        except OSError as error:
            raise SettingsError(f"cannot write into the folder {folder}: {error}") from error
        if is_local(path):
            os.utime(path, (0, 0))
    return path


def to_path(data: Any, role: str) -> str:
    """Return a path as text.

    Raises:
        SettingsError: if it is not a path, or is empty or has a null character.
    """
    path = os.fspath(data) if isinstance(data, str | os.PathLike) else None
    if not isinstance(path, str) or not path or "\0" in path:
        raise SettingsError(f"{role} is {data!r} of type {type(data).__name__}, but must be a path")
    return path


def unstage_inputs(folder: str) -> None:
    """Delete the files that `stage_input` wrote, where it can write them again unchanged."""
    inputs = os.path.join(folder, _FOLDER)
    if not is_local(folder) or not os.path.isdir(inputs):
        return
    for name in filter(_STAGED.fullmatch, os.listdir(inputs)):
        os.remove(os.path.join(inputs, name))
    # Other files in the folder are not ours.
    if not os.listdir(inputs):
        os.rmdir(inputs)


def is_local(path: str) -> bool:
    """True if a path is on this machine."""
    return "://" not in path


def to_columns(data: Any, role: str, columns: Mapping[str, str]) -> dict[str, list[str | None]]:
    """Return the columns of some utterances.

    Args:
        data: texts; with role "labeled" tuples or a mapping; or a pandas, Polars or Arrow table.
        role: "log", "labeled" or "ood", for messages.
        columns: from "text", "intent" and "domain" to the names of the columns.

    Returns:
        "text", and with role "labeled" also "intent" and, if it is given, "domain": lists of equal
        length.

    Raises:
        SettingsError: if a column is missing, a value is not text, or there is no row.
    """
    # The log's domain column names the speakers.
    names = ["text", "intent", "domain"] if role == "labeled" else ["text", "domain"]
    names = [name for name in names if role == "labeled" or name in columns]
    data = _collected(data)
    there = _columns_of(data)
    if there is not None:
        found = _of_frame(data, there, role, {name: columns[name] for name in names})
    elif role == "labeled":
        found = _of_labels(data)
    else:
        found = {"text": to_list(data, role)}
    if not found["text"]:
        raise SettingsError(f"{role} is empty: give at least one utterance")
    return {
        name: [_text(value, f"{role}: {name} {i}") for i, value in enumerate(values)]
        for name, values in found.items()
    }


def to_texts(data: Any) -> list[str | None]:
    """Return the texts of a list, series or array.

    Raises:
        SettingsError: if it is a single text, or an item is not a text.
    """
    if isinstance(data, str):
        raise SettingsError("texts is one text: give a list of texts")
    if _columns_of(data) is not None:
        raise SettingsError("texts is a table: give one of its columns")
    return [_text(value, f"texts: item {i}") for i, value in enumerate(to_list(data, "texts"))]


def to_list(data: Any, role: str) -> list[Any]:
    """Return the items of a list, a series, an array or any other iterable.

    Raises:
        SettingsError: if it has no items.
    """
    for method in ("to_pylist", "to_list", "tolist"):
        if hasattr(data, method):
            return list(getattr(data, method)())
    if isinstance(data, bytes | Mapping) or not isinstance(data, Iterable):
        raise SettingsError(
            f"{role} is of type {type(data).__name__}: give a path, a list of texts, or a pandas, "
            "Polars or Arrow table"
        )
    return list(data)


def _collected(data: Any) -> Any:
    """Return a lazy frame of Polars as a frame, and other data as it is."""
    lazy = hasattr(data, "collect_schema") and hasattr(data, "collect")
    return data.collect() if lazy else data


def _columns_of(data: Any) -> list[Any] | None:
    """Return the names of a table's columns, or None for anything else."""
    for attribute in ("column_names", "columns"):
        if hasattr(data, attribute):
            return list(getattr(data, attribute))
    return None


def _of_frame(
    data: Any, there: list[Any], role: str, columns: Mapping[str, str]
) -> dict[str, list[Any]]:
    missing = [c for name, c in columns.items() if c not in there and name != "domain"]
    if missing:
        raise SettingsError(
            f"{role} has no column {missing[0]!r}; its columns are "
            f"{', '.join(map(str, there)) or 'none'}: name yours by columns={{'text': …}}"
        )
    return {name: to_list(data[c], role) for name, c in columns.items() if c in there}


def _kept(data: Any, paths: Iterable[str], taken: set[str]) -> dict[str, "pa.Array"]:
    """Return the columns of a table that some paths begin in, in their own types."""
    import pyarrow as pa

    from advin.pipelines.reading.paths import root_column

    there = _columns_of(data) or []
    roots = (root_column(path, [name for name in there if isinstance(name, str)]) for path in paths)
    found = {}
    for root in roots:
        if root is None or root in taken:
            continue  # a column that is not there is refused with the files
        column = data[root]
        if hasattr(column, "to_arrow"):
            column = column.to_arrow()
        try:
            array = column if isinstance(column, pa.ChunkedArray) else pa.array(column)
        except (pa.ArrowException, ValueError, TypeError) as error:
            raise SettingsError(f"log: column {root!r} cannot be kept: {error}") from error
        found[root] = array
    return found


def _of_labels(data: Any) -> dict[str, list[Any]]:
    if isinstance(data, Mapping):
        for intent, texts in data.items():
            if isinstance(texts, str) or not isinstance(texts, Iterable):
                what = "one text" if isinstance(texts, str) else f"of type {type(texts).__name__}"
                raise SettingsError(
                    f"labeled: the texts of intent {intent!r} are {what}: give a list of texts"
                )
        rows = [(text, intent) for intent, texts in data.items() for text in texts]
    else:
        rows = to_list(data, "labeled")
    for i, row in enumerate(rows):
        if not isinstance(row, tuple | list) or len(row) not in (2, 3):
            raise SettingsError(
                f"labeled: item {i} is {row!r}: give tuples (text, intent) or "
                "(text, intent, domain), or a mapping from intents to lists of texts"
            )
    found = {"text": [row[0] for row in rows], "intent": [row[1] for row in rows]}
    if any(len(row) == 3 for row in rows):
        found["domain"] = [row[2] if len(row) == 3 else None for row in rows]
    return found


def _text(value: Any, where: str) -> str | None:
    if isinstance(value, str):
        return str(value)
    missing = value is None or type(value).__name__ in ("NAType", "NaTType")
    if missing or (isinstance(value, float) and math.isnan(value)):
        return None
    raise SettingsError(f"{where} is {value!r} of type {type(value).__name__}, but must be text")


def _parquet(
    found: dict[str, list[str | None]], columns: Mapping[str, str], others: dict[str, "pa.Array"]
) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def encoded(values: list[str | None]) -> "pa.Array":
        # A lone surrogate is no valid UTF-8: the row is rejected when it is read.
        data = [None if v is None else v.encode("utf-8", "surrogatepass") for v in values]
        return pa.array(data, pa.large_binary()).view(pa.large_string())

    buffer = io.BytesIO()
    pq.write_table(
        pa.table({columns[name]: encoded(values) for name, values in found.items()} | others),
        buffer,
        compression="zstd",
        write_statistics=False,
    )
    return buffer.getvalue()
