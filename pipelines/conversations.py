"""Stage conversations: the first request of each conversation, and the conversations per intent.

Conversations are grouped by a shuffle. What is shuffled for a conversation is its number of rows,
its first request and the set of its intents, never its rows.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam
import pyarrow as pa

from advin.pipelines import storage
from advin.pipelines.counters import ConversationsCounters
from advin.pipelines.reading.nested import ELEMENT
from advin.pipelines.row_files import BATCH_ROWS
from advin.pipelines.shards import WriteShards
from advin.pipelines.stages import Part
from advin.schemas import tables
from advin.schemas.ids import utterance_id
from advin.schemas.verdicts import CONVERSATIONAL, OTHER_SPEAKER

_READ = "conversation_id reason source position utterance_id kind intent_id".split()


class First(NamedTuple):
    """A request; of two, the smaller one is the earlier one.

    Attributes:
        order: False and the time in microseconds; True and 0 without a time, which comes last.
        source: file of the row.
        place: position of the row in the file, and number of its text in the row.
        values: position, time in microseconds, utterance_id, kind and intent_id of the row.
    """

    order: tuple[bool, int]
    source: str
    place: tuple[int, int]
    values: tuple[Any, ...]


class Conversation(NamedTuple):
    """What is known of a conversation.

    Attributes:
        rows: number of rows.
        first: its first request; None if there is none.
        intents: the intents of its rows.
    """

    rows: int = 0
    first: First | None = None
    intents: frozenset[str] = frozenset()


@dataclasses.dataclass
class Conversations(beam.PTransform):
    """Write the tables conversations and intent_conversations; return the names of the files.

    Attributes:
        rows: the table rows.
        conversations: folder of the table conversations.
        intents: folder of the table intent_conversations.
    """

    rows: Part
    conversations: str
    intents: str

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """Combine the rows of each conversation, then count."""
        combined = (
            pipeline
            | "Rows" >> beam.Create([self.rows], reshuffle=False)
            | "Files" >> beam.FlatMap(_files).with_output_types(str)
            | "Share" >> beam.Reshuffle()
            | "Read" >> beam.FlatMap(_read).with_output_types(tuple[str, Any])
            | "Combine" >> beam.CombinePerKey(merge)
        )
        per_intent = (
            combined
            | "Intents" >> beam.FlatMapTuple(_of_intents).with_output_types(tuple[str, Any])
            | "Count" >> beam.CombinePerKey(_add)
            | "IntentRow" >> beam.MapTuple(lambda i, counts: (utterance_id(i), (i, *counts)))
        )
        written = [
            combined
            | "Row" >> beam.MapTuple(_to_row)
            | WriteShards(self.conversations, tables.CONVERSATIONS, _count),
            per_intent | "WriteIntents" >> WriteShards(self.intents, tables.INTENT_CONVERSATIONS),
        ]
        return written | beam.Flatten()


def merge(found: Iterable[Conversation]) -> Conversation:
    """Return what is known of a conversation from parts of its rows, in any order."""
    rows, first, intents = Conversation()
    for part in found:
        rows += part.rows
        intents |= part.intents
        if first is None or (part.first is not None and part.first < first):
            first = part.first
    return Conversation(rows, first, intents)


def parts_of(batch: pa.RecordBatch) -> dict[str, Conversation]:
    """Return what a batch of the table rows says of each conversation."""
    micros = batch.column("time").cast(pa.int64()).to_pylist()
    rows: dict[str, int] = {}
    firsts: dict[str, First] = {}
    intents: dict[str, set[str]] = {}
    columns = (batch.column(name).to_pylist() for name in _READ)
    for conversation, reason, source, position, utterance, kind, intent, time in zip(
        *columns, micros, strict=True
    ):
        if conversation is None:
            continue
        rows[conversation] = rows.get(conversation, 0) + 1
        if intent is not None:
            intents.setdefault(conversation, set()).add(intent)
        if kind == CONVERSATIONAL or reason == OTHER_SPEAKER:
            continue
        text, place = divmod(position, ELEMENT)
        values = (position, time, utterance, kind, intent)
        this = First((time is None, time or 0), source, (place, text), values)
        if conversation not in firsts or this < firsts[conversation]:
            firsts[conversation] = this
    return {
        name: Conversation(n, firsts.get(name), frozenset(intents.get(name, ())))
        for name, n in rows.items()
    }


def _files(part: Part) -> list[str]:
    return [storage.join(part.folder, name) for name in part.files()]


def _read(path: str) -> Iterator[tuple[str, Conversation]]:
    for batch in storage.iter_parquet(path, BATCH_ROWS):
        yield from parts_of(batch).items()


def _of_intents(_: str, conversation: Conversation) -> Iterator[tuple[str, tuple[int, int]]]:
    first = conversation.first.values[-1] if conversation.first is not None else None
    for intent in conversation.intents:
        yield intent, (1, int(intent == first))


def _add(counts: Iterable[tuple[int, int]]) -> tuple[int, int]:
    total, firsts = 0, 0
    for conversations, first in counts:
        total, firsts = total + conversations, firsts + first
    return total, firsts


def _to_row(identity: str, conversation: Conversation) -> tuple[str, tuple[Any, ...]]:
    first = conversation.first
    values = (None,) * 6 if first is None else (first.source, *first.values)
    return utterance_id(identity), (
        identity,
        conversation.rows,
        sorted(conversation.intents),
        *values,
    )


def _count(table: pa.Table) -> None:
    without = table["first_utterance_id"].null_count
    ConversationsCounters(conversations=table.num_rows, without_a_request=without).add()
