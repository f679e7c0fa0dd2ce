"""Columns whose values stand in the names of folders, such as intent=refund/part-0.parquet."""

from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from advin.pipelines.reading.columns import Columns
from advin.pipelines.reading.extra import literal

# What Hive and Spark write for null.
_NULL = "__HIVE_DEFAULT_PARTITION__"
_FIELDS = ("intent", "domain")


def folder_values(path: str) -> dict[str, str]:
    """Return the values that the folders of a path name, by column."""
    folders = (folder.partition("=") for folder in path.replace("\\", "/").split("/")[:-1])
    return {name: unquote(value) for name, equals, value in folders if name and equals}


def extra_values(path: str, columns: Columns) -> dict[int, Any]:
    """Return the values of `Columns.extra` that the folders of a path name, by position."""
    found = folder_values(path)
    return {
        i: None if found[name] == _NULL else literal(found[name])
        for i, name in enumerate(columns.extra)
        if name in found
    }


def partition_values(path: str, columns: Columns) -> dict[str, str | None]:
    """Return the fields "intent" and "domain" whose columns the folders of a path name."""
    found = folder_values(path)
    named = {field: found.get(getattr(columns, field) or "") for field in _FIELDS}
    return {
        field: None if value == _NULL else value
        for field, value in named.items()
        if value is not None
    }


def inner_columns(path: str, columns: Columns) -> Columns:
    """Return the columns that are inside a file."""
    given = partition_values(path, columns)
    return replace(
        columns,
        intent=None if "intent" in given else columns.intent,
        domain=None if "domain" in given else columns.domain,
    )
