"""The columns that are read, and the types of columns in a file."""

from dataclasses import dataclass

# Type of each column of a file: TEXT, or the name of another type.
Types = dict[str, str]
TEXT = "text"


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns to read.

    Attributes:
        text: column of the texts.
        intent: column of the intents; None for an input without labels.
        domain: column of the domains; None for an input without domains.
    """

    text: str = "text"
    intent: str | None = None
    domain: str | None = None

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
