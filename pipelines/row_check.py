"""The check of a row: it becomes an utterance with an id, or a reject with a reason."""

import dataclasses
from collections import Counter
from typing import NamedTuple

from advin.discovery.text.cleaning import clean, normalize
from advin.discovery.text.config import MaskingConfig, TextConfig
from advin.discovery.text.preparation import prepare
from advin.pipelines.reading.nested import OTHER_SPEAKER
from advin.pipelines.reading.rows import Row
from advin.schemas.ids import utterance_id

_PAYLOAD = 200  # characters

# Utterances are counted by (id, intent, domain); intent and domain are None in the log.
Key = tuple[str, str | None, str | None]
# Count, spelling, and the text before masking if it is kept.
Counted = tuple[int, str, str | None]


class Used(NamedTuple):
    """A row that can be used.

    Attributes:
        key: id of the utterance, intent and domain.
        counted: 1, the text, and the text before masking if it is kept.
        is_other: True if a speaker says it who is left out.
    """

    key: Key
    counted: Counted
    is_other: bool


class Reject(NamedTuple):
    """A row that cannot be used: its file, its position, the reason, and its beginning."""

    source: str
    position: int
    reason: str
    payload: str


@dataclasses.dataclass(frozen=True)
class RowCheck:
    """How rows are checked.

    Attributes:
        labeled: True if each row needs an intent.
        config: which texts are accepted.
        masking: what is masked in them.
        speakers: normalized names of the speakers whose utterances are used; empty for all.
        keeps_others: False to reject the rows of other speakers that an export names.
    """

    labeled: bool
    config: TextConfig
    masking: MaskingConfig
    speakers: frozenset[str] = frozenset()
    keeps_others: bool = False

    def of(self, row: Row, masked: Counter[str]) -> Used | Reject:
        """Check a row, and count in `masked` the rules that changed its text."""
        original = row.text or ""
        # An export names the speakers itself.
        is_other = self.keeps_others and row.problem == OTHER_SPEAKER
        if is_other:
            row = row._replace(problem=None)
        if row.problem:
            original = original[:_PAYLOAD]
        prepared = prepare(original, self.masking, self.config.max_characters)
        is_kept = self.config.original == "keep"
        intent = clean(row.intent or "") or None
        domain = clean(row.domain or "") or None
        reason = row.problem or prepared.defect
        if reason is None and self.labeled and intent is None:
            reason = "no_intent"
        if reason is not None:
            payload = (original if is_kept else prepared.text)[:_PAYLOAD]
            return Reject(row.source, row.position, reason, payload)
        masked.update(prepared.masks)
        identity = utterance_id(normalize(prepared.text))
        counted = (1, prepared.text, original if is_kept else None)
        if self.speakers and not is_other:
            is_other = normalize(row.domain or "") not in self.speakers
        if self.speakers or is_other:
            intent, domain = None, None
        return Used((identity, intent, domain), counted, is_other)
