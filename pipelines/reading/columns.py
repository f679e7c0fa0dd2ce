"""The columns that are read, and the types of columns in a file."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from advin.pipelines.errors import SettingsError

# Type of each column of a file: TEXT, AMBIGUOUS for columns of one name, or another type's name.
Types = dict[str, str]
TEXT, AMBIGUOUS = "text", "ambiguous"
# The inputs by the flags that give them, and the columns that each has.
FLAGS = {"log": "--input", "labeled": "--labeled", "ood": "--ood"}
ROLES = {"log": ("text",), "labeled": ("text", "intent", "domain"), "ood": ("text",)}
DEFAULT_TEXT = "text"
ROWS = "rows"
# Usual names of a column, most telling first.
_USUAL = {
    "text": (
        *("utterance", "text", "query", "message", "instruction", "question", "sentence"),
        *("content", "body", "request", "input", "transcript"),
    ),
    "intent": ("intent", "label", "class", "category", "tag"),
}


def with_speaker(
    columns: Mapping[str, "Columns"], column: str | None, speakers: Sequence[str]
) -> tuple[dict[str, "Columns"], tuple[str, ...]]:
    """Return the columns of each input with the log's column of speakers, and the speakers.

    Args:
        columns: by `input_columns`.
        column: column of the speakers, or None.
        speakers: their names; one text may hold several, separated by commas.

    Raises:
        SettingsError: if only one of the two is given.
    """
    names = tuple(n.strip() for text in speakers for n in text.split(",") if n.strip())
    if (column is None) != (not names):
        raise SettingsError(
            "--speaker-column and --speaker: give both, such as --speaker-column role "
            "--speaker customer, or none"
        )
    return {**columns, "log": replace(columns["log"], domain=column)}, names


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns to read.

    Attributes:
        text: column of the texts.
        intent: column of the intents; None for an input without labels.
        domain: column of the domains, or of the speakers in a log; None without either.
        export: layout of the files, a name in `exports.EXPORTS`; `ROWS` for rows with these columns
            in any case; None to detect the layout of each file.
        extra: further columns, whose values go to the table rows.
        native: the columns of `extra` that all files hold with one Parquet type.
    """

    text: str = DEFAULT_TEXT
    intent: str | None = None
    domain: str | None = None
    export: str | None = None
    extra: tuple[str, ...] = ()
    native: tuple[str, ...] = ()

    @property
    def required(self) -> list[str]:
        """Columns that every file must have; the domain column is optional."""
        return [c for c in (self.text, self.intent) if c is not None]

    @property
    def all(self) -> list[str]:
        """All columns, with the required ones first."""
        return self.required + ([self.domain] if self.domain is not None else [])

    @property
    def names(self) -> tuple[str, str | None, str | None]:
        """The columns of text, intent and domain."""
        return self.text, self.intent, self.domain

    @property
    def roles(self) -> list[tuple[str, str]]:
        """Pairs ("text", name of the column) for the columns that are read."""
        found = zip(("text", "intent", "domain"), self.names, strict=True)
        return [(role, name) for role, name in found if name is not None]

    @staticmethod
    def flag(role: str, flag: str) -> str:
        """Return the flag that names a column of an input, such as --labeled-text-column."""
        return f"--{role}-column" if flag == "--truth" else f"{flag}-{role}-column"


def input_columns(
    shared: Mapping[str, str], own: Mapping[str, Mapping[str, str | None]]
) -> dict[str, Columns]:
    """Return the columns of each input: "log", "labeled" and "ood".

    Args:
        shared: names of the columns "text", "intent" and "domain"; a missing one has that name.
        own: for each input, names that differ from the shared ones; None is no name.
    """
    found = {}
    for name, roles in ROLES.items():
        given = {role: column for role, column in own.get(name, {}).items() if column is not None}
        names = {role: given.get(role, shared.get(role, role)) for role in roles}
        found[name] = Columns(names["text"], names.get("intent"), names.get("domain"))
    return found


def likely(role: str, name: str, found: Iterable[str]) -> str | None:
    """Return the column that the user most likely means; None if no name is telling."""
    by_spelling = {column.casefold(): column for column in found}
    for usual in (name.casefold(), *_USUAL.get(role, ())):
        if usual in by_spelling:
            return by_spelling[usual]
    close = difflib.get_close_matches(name.casefold(), by_spelling, n=1)
    return by_spelling[close[0]] if close else None
