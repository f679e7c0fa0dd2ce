"""The tables of a run, column by column, and all kinds and reasons: `advin tables`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from advin.runners.console import console
from advin.schemas.tables import TABLES
from advin.schemas.verdicts import KINDS, REASONS

_TABLE_WIDTH = 120
_COLUMN_HEADER = ("column", "type", "may be null", "meaning")


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of names with their meanings.

    Attributes:
        title: what is listed.
        meaning: one sentence.
        header: names of the columns.
        rows: the cells.
    """

    title: str
    meaning: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def listings() -> Iterator[Listing]:
    """Yield the columns of each table, then the kinds and the reasons of utterances."""
    for name, schema in TABLES.items():
        rows = [
            (
                field.name,
                f"{field.type}".replace("element: ", ""),
                "yes" if field.nullable else "no",
                field.metadata[b"description"].decode(),
            )
            for field in schema
        ]
        yield Listing(name, schema.metadata[b"description"].decode(), _COLUMN_HEADER, rows)
    kinds = list(KINDS.items())
    yield Listing("kind", "Each utterance has one kind.", ("kind", "meaning"), kinds)
    reasons = [(name, reason.kind, reason.meaning) for name, reason in REASONS.items()]
    meaning = "The reason says why an utterance has its kind."
    yield Listing("reason", meaning, ("reason", "kind", "meaning"), reasons)


def print_columns() -> None:
    """Print all listings."""
    out = console(_TABLE_WIDTH)
    for listing in listings():
        out.print(Text(f"{listing.title}: {listing.meaning}", style="bold"))
        table = Table(box=SIMPLE_HEAD)
        for column in listing.header:
            table.add_column(column, no_wrap=column in listing.header[:2])
        for row in listing.rows:
            table.add_row(*map(Text, row))
        out.print(table)
