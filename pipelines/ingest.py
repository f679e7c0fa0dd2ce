"""Stage ingest: rows of any format to distinct utterances, each with its count, and rejects.

Rows are read, checked, normalized and deduplicated. The utterances leave in shards, which are
ranges of ids: their number follows from that of distinct utterances alone, so that what is encoded
together later does not depend on how the input was cut, nor on the engine.
"""

import dataclasses
from collections.abc import Iterable, Iterator

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam import pvalue
from apache_beam.metrics import Metrics

from advin.discovery.config import TextConfig
from advin.discovery.encoding import text as texts
from advin.pipelines.inputs import Columns, InputFile
from advin.pipelines.readers import Piece, Row, read_piece, split_file
from advin.pipelines.shards import WriteShards
from advin.schemas import tables
from advin.schemas.ids import utterance_id

_REJECT_PAYLOAD = 200  # characters
_REJECTS = "rejects"

# An utterance is counted by (id, intent, domain); without labels the last two are None.
Key = tuple[str, str | None, str | None]
Counted = tuple[int, str]


class _ReadPiece(beam.DoFn):
    """Piece to rows."""

    def __init__(self, columns: Columns):
        self._columns = columns
        self._read = Metrics.counter("ingest", "rows_read")

    def process(self, piece: Piece) -> Iterator[Row]:
        for row in read_piece(piece, self._columns):
            self._read.inc()
            yield row


class _CheckRow(beam.DoFn):
    """Row to (key, (1, text)), or to a reject with its reason."""

    def __init__(self, labeled: bool):
        self._labeled = labeled
        self._rejected = Metrics.counter("ingest", "rows_rejected")

    def process(self, row: Row):
        text = "" if row.problem else texts.clean(row.text or "")
        intent = texts.clean(row.intent or "") or None
        domain = texts.clean(row.domain or "") or None
        reason = row.problem or texts.defect(text, TextConfig())
        if reason is None and self._labeled and intent is None:
            reason = "no_intent"
        if reason is not None:
            self._rejected.inc()
            yield pvalue.TaggedOutput(_REJECTS, _reject(row, reason))
        else:
            key = (utterance_id(texts.normalize(text)), intent, domain)
            yield key, (1, text)


def _reject(row: Row, reason: str) -> tuple[str, int, str, str]:
    return row.source, row.position, reason, (row.text or "")[:_REJECT_PAYLOAD]


class _CountUtterances(beam.CombineFn):
    """Add counts; of several spellings keep the one that sorts last, as capitals sort first."""

    def create_accumulator(self) -> Counted:
        return 0, ""

    def add_input(self, accumulator: Counted, element: Counted) -> Counted:
        return accumulator[0] + element[0], max(accumulator[1], element[1])

    def merge_accumulators(self, accumulators: Iterable[Counted]) -> Counted:
        counts, spellings = zip(*accumulators, strict=True)
        return sum(counts), max(spellings)

    def extract_output(self, accumulator: Counted) -> Counted:
        return accumulator


@dataclasses.dataclass
class Ingest(beam.PTransform):
    """Input files to distinct utterances: PCollection[(Key, (count, text))] and rejects.

    Returns a pair; rejects are (source, position, reason, payload).
    """

    files: list[InputFile]
    columns: Columns

    def expand(self, pipeline):
        """Wire reading, checking and counting."""
        rows = (
            pipeline
            | "Files" >> beam.Create(self.files, reshuffle=False)
            | "Split" >> beam.FlatMap(split_file).with_output_types(Piece)
            | "SharePieces" >> beam.Reshuffle()
            | "Read" >> beam.ParDo(_ReadPiece(self.columns)).with_output_types(Row)
        )
        checked = rows | "Check" >> beam.ParDo(
            _CheckRow(labeled=self.columns.intent is not None)
        ).with_outputs(_REJECTS, main="utterances")
        utterances = (
            checked.utterances
            | "Typed"
            >> beam.Map(lambda pair: pair).with_output_types(
                tuple[tuple[str, str | None, str | None], tuple[int, str]]
            )
            | "Count" >> beam.CombinePerKey(_CountUtterances())
        )
        return utterances, checked[_REJECTS]


@dataclasses.dataclass
class WriteUtterances(beam.PTransform):
    """Distinct utterances to shards, sorted by id; several labels of one text come one by one."""

    folder: str
    schema: pa.Schema

    def expand(self, utterances):
        """Lay out as rows of the schema and write."""
        labeled = "intent" in self.schema.names
        return (
            utterances
            | "Row" >> beam.Map(_to_row, labeled)
            | WriteShards(self.folder, self.schema, _count_utterances)
        )


def _to_row(utterance: tuple[Key, Counted], labeled: bool) -> tuple[str, tuple]:
    (identity, intent, domain), (count, text) = utterance
    labels = (intent, domain) if labeled else ()
    return identity, (identity, text, count, *labels)


def _count_utterances(table: pa.Table) -> None:
    Metrics.counter("ingest", "utterances").inc(table.num_rows)
    Metrics.counter("ingest", "rows_kept").inc(pc.sum(table["count"]).as_py() or 0)


@dataclasses.dataclass
class WriteRejects(beam.PTransform):
    """Rejects to shards of the table rejects."""

    folder: str

    def expand(self, rejects):
        """Spread by a hash of where they came from, and write."""
        return (
            rejects
            | "Row"
            >> beam.Map(lambda r: (utterance_id(f"{r[0]}:{r[1]}"), (*r[:2], "ingest", *r[2:])))
            | WriteShards(self.folder, tables.REJECTS)
        )
