"""Rich tables on standard output. Texts from logs are untrusted: print them as plain `Text`."""

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDTH = 110
_NUMBERS = (
    "count",
    "rows",
    "distinct",
    "value",
    "recall",
    "purity",
    "share",
    "seconds",
    "MB written",
)


def console(width_in_pipe: int = _WIDTH) -> Console:
    """Return a console of the terminal's width; a pipe has none of its own."""
    width = None if sys.stdout.isatty() else width_in_pipe
    return Console(file=sys.stdout, width=width, highlight=False)


def plain(text: str) -> Text:
    """Return a text without markup, in which what is not printable is escaped."""
    return Text("".join(c if c.isprintable() else ascii(c)[1:-1] for c in text))


def new_table(title: str, *columns: str) -> Table:
    """Return an empty table; columns of numbers, but for the first one, are right-aligned."""
    table = Table(title=plain(title) if title else None, title_justify="left", title_style="bold")
    for i, column in enumerate(columns):
        table.add_column(column, justify="right" if i and column in _NUMBERS else "left")
    return table
