"""Cleaning and comparing the text of utterances."""

import re
import unicodedata

# Words whose properties a process keeps in memory.
CACHED_WORDS = 100_000
_SPACES = re.compile(r"\s+")
# Zero-width joiners: invisible format characters that scripts and emoji need.
_KEPT_FORMAT = {"\u200c", "\u200d"}


def clean(text: str) -> str:
    """Return a text in Unicode NFC, without invisible characters, with white space folded."""
    text = _SPACES.sub(" ", text)
    if not text.isprintable():
        text = "".join(c for c in text if c in _KEPT_FORMAT or unicodedata.category(c)[0] != "C")
        # A removed character may have stood between two spaces, or between a letter and its accent.
        text = _SPACES.sub(" ", text)
    return unicodedata.normalize("NFC", text.strip())


def normalize(text: str) -> str:
    """Return the form that all spellings of one utterance share: cleaned and case folded.

    >>> normalize("  Lost  my CARD ")
    'lost my card'
    """
    return clean(text).casefold()
