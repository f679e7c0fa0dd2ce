"""The word lists of masking, which `words.toml` holds."""

import tomllib
from functools import cache
from importlib.resources import files


@cache
def word_list(section: str, name: str) -> frozenset[str]:
    """Return a list of case-folded words.

    Args:
        section: table of `words.toml`.
        name: key in that table.

    Raises:
        KeyError: if the file has no such list.
    """
    return frozenset(_lists()[section][name].split())


@cache
def _lists() -> dict[str, dict[str, str]]:
    return tomllib.loads((files(__package__) / "words.toml").read_text("utf-8"))
