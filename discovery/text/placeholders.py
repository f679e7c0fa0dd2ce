"""Placeholders: lower-case words in square brackets that stand for what was masked."""

import re
from typing import get_args

from advin.discovery.text.config import STRIPPING, Rule

PLACEHOLDERS = frozenset(f"[{rule}]" for rule in get_args(Rule) if rule not in STRIPPING)
_PLACEHOLDER = re.compile("|".join(map(re.escape, sorted(PLACEHOLDERS))))


def is_placeholder(token: str) -> bool:
    """Return True if a token is a placeholder such as [number]."""
    return token in PLACEHOLDERS


def without_placeholders(text: str) -> str:
    """Return a text with a space in place of each placeholder."""
    return _PLACEHOLDER.sub(" ", text) if "[" in text else text
