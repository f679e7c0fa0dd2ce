"""All tunables of a configuration as a table, as Markdown, and as TOML that can be read back."""

import json
import textwrap
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from advin.discovery.compute.tunables import Tunable
from advin.discovery.config import Config
from advin.runners.console import console

_COLUMNS = ("name", "value", "default", "unit", "range", "meaning")
_TABLE_WIDTH = 180
_TOML_WIDTH = 96


def print_tunables(config: Config) -> None:
    """Print a table of all tunables; changed values are bold."""
    table = Table(box=SIMPLE_HEAD)
    for column in _COLUMNS:
        table.add_column(column, no_wrap=column == "name")
    for _, tunables in _sections(config):
        for tunable in tunables:
            style = "bold" if tunable.value != tunable.default else ""
            table.add_row(*(Text(cell, style=style) for cell in _cells(tunable)))
        table.add_section()
    console(_TABLE_WIDTH).print(table)


def as_markdown(config: Config) -> str:
    """Return a Markdown table for each section."""
    lines: list[str] = []
    for section, tunables in _sections(config):
        lines += [f"## {section or 'general'}", ""]
        lines += [_row(_COLUMNS), _row(["---"] * len(_COLUMNS))]
        for tunable in tunables:
            name, *cells = _cells(tunable)
            lines.append(_row([f"`{name}`", *(cell.replace("|", "\\|") for cell in cells)]))
        lines.append("")
    return "\n".join(lines)


def as_toml(config: Config) -> str:
    """Return a TOML file of all values, with unit, range and meaning as comments."""
    lines: list[str] = []
    for section, tunables in _sections(config):
        if section:
            lines += [f"[{section}]", ""]
        for tunable in tunables:
            comment = tunable.meaning + (f" ({tunable.unit})" if tunable.unit else "")
            lines += textwrap.wrap(
                f"{comment}; {tunable.range}",
                _TOML_WIDTH,
                initial_indent="# ",
                subsequent_indent="# ",
            )
            # JSON numbers, strings and arrays are TOML too.
            lines += [f"{tunable.name.rpartition('.')[2]} = {json.dumps(tunable.value)}", ""]
    return "\n".join(lines)


def _sections(config: Config) -> Iterator[tuple[str, list[Tunable]]]:
    """Yield the dotted name of each section and its own tunables, sections in order."""
    tunables = sorted(config.tunables(), key=lambda t: "." in t.name)
    order: dict[str, list[Tunable]] = {}
    for section, group in groupby(tunables, lambda t: t.name.rpartition(".")[0]):
        order.setdefault(section, []).extend(group)
    yield from order.items()


def _cells(tunable: Tunable) -> tuple[str, ...]:
    values = (_shown(tunable.value), _shown(tunable.default))
    return (tunable.name, *values, tunable.unit, tunable.range, tunable.meaning)


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_shown, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _row(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
