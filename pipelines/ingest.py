"""Stage ingest: read rows of any format, and write distinct utterances and rejects.

Rows are read, prepared, checked and counted. Utterances are written in shards, which are ranges
of ids. The number of shards depends on the number of distinct utterances only. So which texts are
encoded together depends neither on the number of input files nor on the engine.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam import pvalue

from advin.discovery.text.cleaning import clean, normalize
from advin.discovery.text.config import MaskingConfig, TextConfig
from advin.discovery.text.preparation import prepare
from advin.pipelines.counters import IngestCounters
from advin.pipelines.reading.columns import Columns
from advin.pipelines.reading.files import InputFile
from advin.pipelines.reading.nested import OTHER_SPEAKER
from advin.pipelines.reading.read import read_piece, split_file
from advin.pipelines.reading.rows import Piece, Row
from advin.pipelines.shards import WriteShards
from advin.schemas import tables
from advin.schemas.ids import utterance_id

_REJECT_PAYLOAD = 200  # characters
_REJECTS, _OTHERS = "rejects", "others"

# Utterances are counted by (id, intent, domain); intent and domain are None in the log.
Key = tuple[str, str | None, str | None]
# Count, spelling, and the text before masking if it is kept.
Counted = tuple[int, str, str | None]


class _ReadPiece(beam.DoFn):
    """Reads the rows of a piece of a file."""

    def __init__(self, columns: Columns):
        self._columns = columns

    def process(self, piece: Piece) -> Iterator[Row]:
        rows = 0
        for row in read_piece(piece, self._columns):
            rows += 1
            yield row
        IngestCounters(rows_read=rows).add()


class _CheckRow(beam.DoFn):
    """Turns a row into (key, (1, text, original)), or into a reject with a reason."""

    def __init__(
        self,
        labeled: bool,
        config: TextConfig,
        masking: MaskingConfig,
        speakers: tuple[str, ...],
        keeps_others: bool,
    ):
        self._labeled, self._config, self._masking = labeled, config, masking
        self._speakers = frozenset(normalize(speaker) for speaker in speakers)
        self._keeps_others = keeps_others

    def start_bundle(self) -> None:
        self._masked: Counter[str] = Counter()

    def process(self, row: Row) -> Iterator[Any]:
        original = row.text or ""
        # An export names the speakers itself.
        is_other = self._keeps_others and row.problem == OTHER_SPEAKER
        if is_other:
            row = row._replace(problem=None)
        if row.problem:
            original = original[:_REJECT_PAYLOAD]
        prepared = prepare(original, self._masking, self._config.max_characters)
        is_kept = self._config.original == "keep"
        intent = clean(row.intent or "") or None
        domain = clean(row.domain or "") or None
        reason = row.problem or prepared.defect
        if reason is None and self._labeled and intent is None:
            reason = "no_intent"
        if reason is not None:
            IngestCounters(rows_rejected=1).add()
            payload = (original if is_kept else prepared.text)[:_REJECT_PAYLOAD]
            reject = (row.source, row.position, reason, payload)
            yield pvalue.TaggedOutput(_REJECTS, reject)
        else:
            self._masked.update(prepared.masks)
            identity = utterance_id(normalize(prepared.text))
            counted = (1, prepared.text, original if is_kept else None)
            if not is_other and not self._speakers:
                yield (identity, intent, domain), counted
            elif not is_other and normalize(row.domain or "") in self._speakers:
                yield (identity, None, None), counted
            else:
                IngestCounters(rows_of_others=1).add()
                yield pvalue.TaggedOutput(_OTHERS, ((identity, None, None), counted))

    def finish_bundle(self) -> None:
        IngestCounters.of_rules(self._masked).add()


class _CountUtterances(beam.CombineFn):
    """Adds counts and keeps the spelling that sorts last, because capital letters sort first."""

    def __init__(self) -> None:
        """Nothing is stored; Beam's own constructor has no types."""

    def create_accumulator(self) -> Counted:
        return 0, "", None

    def add_input(self, accumulator: Counted, element: Counted) -> Counted:
        return self.merge_accumulators((accumulator, element))

    def merge_accumulators(self, accumulators: Iterable[Counted]) -> Counted:
        merged = list(accumulators)
        _, text, original = max(merged, key=lambda counted: (counted[1], counted[2] or ""))
        return sum(count for count, _, _ in merged), text, original

    def extract_output(self, accumulator: Counted) -> Counted:
        return accumulator


@dataclasses.dataclass
class Ingest(beam.PTransform):
    """Read input files, and write shards of distinct utterances and of rejects.

    Attributes:
        files: input files.
        columns: names of their columns.
        schema: schema of the utterances: `schemas.stage_files.INGEST` or `INGEST_LABELED`.
        utterances: folder of the utterances.
        rejects: folder of the rejects.
        config: which texts are accepted.
        masking: what is masked in them.
        speakers: speakers whose utterances are used, named in the domain column; () for all rows.
        others: folder of the utterances that only other speakers say; "" to reject their rows.
    """

    files: list[InputFile]
    columns: Columns
    schema: pa.Schema
    utterances: str
    rejects: str
    config: TextConfig
    masking: MaskingConfig = MaskingConfig()
    speakers: tuple[str, ...] = ()
    others: str = ""

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """Read, count and write; return the names of the files."""
        utterances, others, rejects = pipeline | ReadUtterances(
            self.files,
            self.columns,
            self.config,
            self.masking,
            self.speakers,
            bool(self.others),
        )
        written = [
            utterances | WriteUtterances(self.utterances, self.schema),
            rejects | WriteRejects(self.rejects),
        ]
        if self.others:
            both = (utterances, others) | "Both" >> beam.CoGroupByKey()
            written.append(
                both
                | "OnlyOthers" >> beam.FlatMap(_only_others)
                | "OthersRow" >> beam.Map(_to_row, False)
                | "WriteOthers" >> WriteShards(self.others, self.schema, _count_others)
            )
        return written | beam.Flatten()


@dataclasses.dataclass
class ReadUtterances(beam.PTransform):
    """Read input files; return distinct utterances, those of other speakers, and rejects.

    Utterances are (key, (count, text, original)); rejects are (source, position, reason, payload).

    Attributes:
        files: input files.
        columns: names of their columns.
        config: which texts are accepted.
        masking: what is masked in them.
        speakers: as in `Ingest`.
        keeps_others: False to reject the rows of other speakers.
    """

    files: list[InputFile]
    columns: Columns
    config: TextConfig
    masking: MaskingConfig = MaskingConfig()
    speakers: tuple[str, ...] = ()
    keeps_others: bool = False

    def expand(self, pipeline: beam.Pipeline) -> Any:
        """Read, check and count."""
        rows = (
            pipeline
            | "Files" >> beam.Create(self.files, reshuffle=False)
            | "Split" >> beam.FlatMap(split_file).with_output_types(Piece)
            | "SharePieces" >> beam.Reshuffle()
            | "Read" >> beam.ParDo(_ReadPiece(self.columns)).with_output_types(Row)
        )
        checked = rows | "Check" >> beam.ParDo(
            _CheckRow(
                self.columns.intent is not None,
                self.config,
                self.masking,
                self.speakers,
                self.keeps_others,
            )
        ).with_outputs(_REJECTS, _OTHERS, main="utterances")
        utterances = checked.utterances | "Distinct" >> _Distinct()
        others = checked[_OTHERS] | "DistinctOthers" >> _Distinct() if self.keeps_others else None
        return utterances, others, checked[_REJECTS]


class _Distinct(beam.PTransform):
    """Count the rows of each utterance."""

    def expand(self, rows: beam.PCollection) -> beam.PCollection:
        return (
            rows
            | "Typed"
            >> beam.Map(lambda pair: pair).with_output_types(
                tuple[tuple[str, str | None, str | None], tuple[int, str, str | None]]
            )
            | "Count" >> beam.CombinePerKey(_CountUtterances())
        )


def _only_others(joined: tuple[Key, tuple[Iterable[Any], Iterable[Any]]]) -> Iterator[Any]:
    """Yield the utterances of the second collection that the first one lacks."""
    key, (own, others) = joined[0], [list(part) for part in joined[1]]
    if others and own:
        IngestCounters(rows_of_both=others[0][0]).add()
    elif others:
        yield key, others[0]


@dataclasses.dataclass
class WriteUtterances(beam.PTransform):
    """Write distinct utterances to shards, sorted by id. A text has one row for each of its labels.

    Attributes:
        folder: folder of the files.
        schema: `schemas.stage_files.INGEST` or `INGEST_LABELED`.
    """

    folder: str
    schema: pa.Schema

    def expand(self, utterances: beam.PCollection) -> beam.PCollection:
        """Turn utterances into rows of the schema and write them."""
        labeled = "intent" in self.schema.names
        return (
            utterances
            | "Row" >> beam.Map(_to_row, labeled)
            | WriteShards(self.folder, self.schema, _count_utterances)
        )


def _to_row(utterance: tuple[Key, Counted], labeled: bool) -> tuple[str, tuple[Any, ...]]:
    (identity, intent, domain), (count, text, original) = utterance
    return identity, (identity, text, count, *((intent, domain) if labeled else (original,)))


def _count_utterances(table: pa.Table) -> None:
    rows = pc.sum(table["count"]).as_py() or 0
    IngestCounters(utterances=table.num_rows, rows_kept=rows).add()


def _count_others(table: pa.Table) -> None:
    IngestCounters(utterances_of_others=table.num_rows).add()


@dataclasses.dataclass
class WriteRejects(beam.PTransform):
    """Write rejects to shards of the table rejects.

    Attributes:
        folder: folder of the files.
    """

    folder: str

    def expand(self, rejects: beam.PCollection) -> beam.PCollection:
        """Key each reject by a hash of its file and position, and write it."""
        return (
            rejects
            | "Row"
            >> beam.Map(lambda r: (utterance_id(f"{r[0]}:{r[1]}"), (*r[:2], "ingest", *r[2:])))
            | WriteShards(self.folder, tables.REJECTS)
        )
