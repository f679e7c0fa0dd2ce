"""The flags that choose what the table rows holds. Loads neither Beam nor torch."""

import argparse
from typing import TYPE_CHECKING

from advin.pipelines.errors import SettingsError

if TYPE_CHECKING:
    from advin.pipelines.reading.row_columns import RowColumns

_NAMES = ("id_column", "time_column", "conversation_column", "keep_columns", "keep_raw")


def add_row_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags to a command."""
    group = parser.add_argument_group(
        "the table rows", "Columns of --input that the table rows holds, as names or paths."
    )
    group.add_argument("--id-column", metavar="NAME", help="column of the ids of rows")
    group.add_argument(
        "--time-column",
        metavar="NAME",
        help="column of times: ISO 8601, seconds or milliseconds since 1970, or types of Parquet",
    )
    group.add_argument(
        "--conversation-column", metavar="NAME", help="column of the ids of conversations"
    )
    group.add_argument(
        "--keep-columns", metavar="NAMES", help="more columns to keep, separated by commas"
    )
    group.add_argument(
        "--keep-raw",
        metavar="NAMES",
        help="those of --keep-columns whose texts are not masked, separated by commas",
    )
    group.add_argument(
        "--no-rows", action="store_const", const=True, help="leave out the table rows"
    )


def row_columns(flags: argparse.Namespace) -> "RowColumns | None":
    """Return the columns of the table rows; None to leave the table out.

    Raises:
        SettingsError: if flags contradict each other, or a name is wrong.
    """
    from advin.pipelines.reading.row_columns import RowColumns, split_names

    if flags.no_rows:
        for name in _NAMES:
            if getattr(flags, name, None) is not None:
                flag = name.replace("_", "-")
                raise SettingsError(
                    f"--no-rows leaves out the table that --{flag} is for: drop one of them"
                )
        return None
    given = (flags.keep_columns, flags.keep_raw)
    keep, raw = (() if names is None else split_names(names) for names in given)
    return RowColumns(flags.id_column, flags.time_column, flags.conversation_column, keep, raw)
