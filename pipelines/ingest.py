"""Stage ingest: read rows of any format, and write distinct utterances and rejects.

Rows are read, prepared, checked and counted. Utterances are written in shards, which are ranges
of ids. The number of shards depends on the number of distinct utterances only. So which texts are
encoded together depends neither on the number of input files nor on the engine.
"""

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam import pvalue

from advin.discovery.text.cleaning import normalize
from advin.discovery.text.config import MaskingConfig, TextConfig
from advin.pipelines.counters import IngestCounters
from advin.pipelines.reading.columns import Columns
from advin.pipelines.reading.files import InputFile
from advin.pipelines.reading.read import read_piece, split_file
from advin.pipelines.reading.rows import Piece
from advin.pipelines.row_check import Counted, Key, Reject, RowCheck
from advin.pipelines.row_files import RowTarget
from advin.pipelines.shards import WriteShards
from advin.schemas import tables
from advin.schemas.ids import utterance_id

_REJECTS, _OTHERS = "rejects", "others"


class _ReadPiece(beam.DoFn):
    """Reads, checks and writes the rows of a piece of a file."""

    def __init__(self, columns: Columns, check: RowCheck, target: RowTarget | None):
        self._columns, self._check, self._target = columns, check, target

    def start_bundle(self) -> None:
        self._masked: Counter[str] = Counter()

    def process(self, piece: Piece) -> Iterator[Any]:
        """Yield (key, (1, text, original)) of each row, or a reject with its reason."""
        read, rejected, of_others, unreadable = 0, 0, 0, 0
        with self._target.open(piece) if self._target else contextlib.nullcontext() as file:
            for row in read_piece(piece, self._columns):
                read += 1
                found = self._check.of(row, self._masked)
                if isinstance(found, Reject):
                    rejected += 1
                    yield pvalue.TaggedOutput(_REJECTS, found)
                    continue
                if file is not None:
                    file.add(row, found.key[0], found.is_other)
                of_others += found.is_other
                pair = (found.key, found.counted)
                yield pvalue.TaggedOutput(_OTHERS, pair) if found.is_other else pair
        if file is not None:
            unreadable = file.unreadable_times
        IngestCounters(
            rows_read=read,
            rows_rejected=rejected,
            rows_of_others=of_others,
            times_unreadable=unreadable,
        ).add()

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
        rows: where the rows are written; None to write none.
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
    rows: RowTarget | None = None

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """Read, count and write; return the names of the files."""
        utterances, others, rejects = pipeline | ReadUtterances(
            self.files,
            self.columns,
            self.config,
            self.masking,
            self.speakers,
            bool(self.others),
            self.rows,
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
        target: where the rows are written; None to write none.
    """

    files: list[InputFile]
    columns: Columns
    config: TextConfig
    masking: MaskingConfig = MaskingConfig()
    speakers: tuple[str, ...] = ()
    keeps_others: bool = False
    target: RowTarget | None = None

    def expand(self, pipeline: beam.Pipeline) -> Any:
        """Read, check and count."""
        check = RowCheck(
            labeled=self.columns.intent is not None,
            config=self.config,
            masking=self.masking,
            speakers=frozenset(map(normalize, self.speakers)),
            keeps_others=self.keeps_others,
        )
        checked = (
            pipeline
            | "Files" >> beam.Create(list(enumerate(self.files)), reshuffle=False)
            | "Split"
            >> beam.FlatMapTuple(lambda i, file: split_file(file, i)).with_output_types(Piece)
            | "SharePieces" >> beam.Reshuffle()
            | "Read"
            >> beam.ParDo(_ReadPiece(self.columns, check, self.target)).with_outputs(
                _REJECTS, _OTHERS, main="utterances"
            )
        )
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
