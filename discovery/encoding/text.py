"""Normalizing and checking the text of utterances."""

import re
import unicodedata

# An encoder reads some 256 tokens; anything much longer is a document, not an utterance.
MAX_CHARACTERS = 2000

_SPACES = re.compile(r"\s+")
# Invisible: controls, surrogates, private use, and format characters but the joiners that
# scripts and emoji need.
_KEPT_FORMAT = {"\u200c", "\u200d"}


def clean(text: str) -> str:
    """Return the text in Unicode NFC, without invisible characters, white space folded."""
    text = _SPACES.sub(" ", text)
    if not text.isprintable():
        text = "".join(c for c in text if c in _KEPT_FORMAT or unicodedata.category(c)[0] != "C")
        # What went may have stood between two spaces, or a letter and its accent.
        text = _SPACES.sub(" ", text)
    return unicodedata.normalize("NFC", text.strip())


def normalize(text: str) -> str:
    """Return what two spellings of one utterance share: `clean`, without case.

    >>> normalize("  Lost  my CARD ")
    'lost my card'
    """
    return clean(text).casefold()


def defect(text: str) -> str | None:
    """Return why a cleaned text cannot be used, or None if it can."""
    if not text:
        return "empty"
    if len(text) > MAX_CHARACTERS:
        return "oversized"
    return None
