"""The end of a run: check that counts add up, publish the tables, write the manifest last."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from advin.discovery.intents.findings import ResultFacts, result_findings
from advin.discovery.intents.levels import LEVELS
from advin.discovery.labels import OUT_OF_DOMAIN
from advin.discovery.text.config import MASKING_VERSION
from advin.discovery.text.preparation import RULES
from advin.pipelines import notices, storage
from advin.pipelines.counters import (
    AssembleCounters,
    ClusterCounters,
    Counters,
    IngestCounters,
    RowsCounters,
    ScoreCounters,
    TaxonomyCounters,
)
from advin.pipelines.entry import Run
from advin.pipelines.errors import SettingsError
from advin.pipelines.manifests import is_file_name, read_manifest
from advin.pipelines.models import ModelFolder
from advin.pipelines.publishing import Finished, publish
from advin.pipelines.spine import finished_stages
from advin.pipelines.version import versions
from advin.schemas.manifest import (
    MANIFEST,
    MaskingSummary,
    ModelSummary,
    RunManifest,
    StageSummary,
    utc_now,
)
from advin.schemas.tables import ROWS_OPEN, TABLES
from advin.schemas.verdicts import KINDS, kind_of

C = TypeVar("C", bound=Counters)


class CountError(SettingsError):
    """Rows are missing or were counted twice."""


def finish_run(run: Run, settings: dict[str, Any]) -> RunManifest:
    """Publish the tables of a run whose stages have all finished.

    Args:
        run: the run.
        settings: stored in the manifest.

    Raises:
        CountError: if the rows of the tables do not add up to the rows read.
    """
    finished = list(finished_stages(run))
    found = notices.of_inputs(run)
    assemble = counters_of(finished, AssembleCounters)
    ingest = counters_of(finished, IngestCounters)
    _check_counts(ingest, assemble)
    if run.prepared.settings.rows is not None:
        _check_rows(ingest, counters_of(finished, RowsCounters))
    published = publish(run, finished)
    manifest = RunManifest(
        versions=versions(),
        settings=settings,
        fingerprint=run.workspace.fingerprint,
        model=_describe_model(run.model),
        funnel=funnel(finished),
        traffic=traffic(assemble.by_reason),
        several_requests=assemble.several_requests,
        tables=published.tables,
        marks=published.marks,
        stages=summaries(finished),
        languages=found.language_values(),
        warnings=found.lines,
        findings=findings(run, published.tables, finished),
        rejected=_rejected(run.workspace.folder, published.tables["rejects"]),
        masking=_masking(run, ingest),
        given=run.prepared.settings.given,
        started=min(manifest.started for _, manifest in finished),
        finished=utc_now(),
    )
    storage.write_text(storage.join(run.workspace.folder, MANIFEST), manifest.to_json())
    return manifest


def summaries(finished: Finished) -> dict[str, StageSummary]:
    """Return what the manifest of a run says of each stage."""
    return {
        manifest.stage: {
            "started": manifest.started,
            "seconds": manifest.seconds,
            "bytes": manifest.bytes,
            "counters": manifest.counters,
        }
        for _, manifest in finished
    }


def read_run(folder: str) -> RunManifest | None:
    """Return the manifest of a finished run, or None if there is none."""
    return read_manifest(storage.join(folder, MANIFEST), RunManifest)


def check_tables(folder: str, manifest: RunManifest) -> None:
    """Check that the tables of a finished run are those that it wrote.

    Raises:
        SettingsError: if a file is missing, or has changed.
    """
    for name, mark in manifest.marks.items():
        storage.check_mark(storage.join(folder, name), mark)


def read_table(
    folder: str, manifest: RunManifest, table: str, columns: list[str] | None = None
) -> pa.Table:
    """Read a whole table of a finished run into memory.

    Raises:
        SettingsError: if a file is missing, damaged, replaced, or no part of that table.
    """
    schema = TABLES[table]
    names = manifest.tables.get(table, [])
    if not names:
        raise SettingsError(f"the manifest of {folder} lists no file of the table {table}")
    parts = []
    for name in names:
        parent, _, file = name.rpartition("/")
        if parent != table or not is_file_name(file):
            raise SettingsError(f"the manifest of {folder} lists {name!r} as file of {table}")
        path = storage.join(folder, name)
        storage.check_mark(path, manifest.marks.get(name))
        part = storage.read_parquet(path, columns)
        _check_schema(path, part, columns, schema, ROWS_OPEN if table == "rows" else None)
        parts.append(part)
    return pa.concat_tables(parts)


def _check_schema(
    path: str,
    part: pa.Table,
    wanted: list[str] | None,
    schema: pa.Schema,
    free: Sequence[str] | None = None,
) -> None:
    """Check the columns of a table that were read, or all of them.

    If `free` is given, the table may have more columns, and those in `free` have any type.
    """
    columns, there = wanted or schema.names, part.schema.names
    if sorted(there) != sorted(columns) and (free is None or not set(columns) <= set(there)):
        found = ", ".join(part.schema.names)
        raise SettingsError(f"{path}: the columns are {found}, but must be {', '.join(columns)}")
    for name in columns:
        if name in (free or ()) or name not in schema.names:
            continue
        kind, expected = part.schema.field(name).type, schema.field(name)
        if kind != expected.type:
            raise SettingsError(f"{path}: column {name} is {kind}, but must be {expected.type}")
        if part[name].null_count and not expected.nullable:
            raise SettingsError(f"{path}: column {name} has null values")


def counters_of(finished: Finished, record: type[C]) -> C:
    """Return the counters of the first stage with this record; for ingest, that is the log's."""
    return next(record.read(m.counters) for entry, m in finished if entry.counters is record)


def _check_counts(ingest: IngestCounters, assemble: AssembleCounters) -> None:
    kept = ingest.rows_read - ingest.rows_rejected - ingest.rows_of_both
    if assemble.rows_accounted != kept:
        raise CountError(
            f"{ingest.rows_read} rows were read, but {assemble.rows_accounted} are in assignments "
            f"and {ingest.rows_rejected} in rejects: delete the output folder and start again"
        )


def _check_rows(ingest: IngestCounters, rows: RowsCounters) -> None:
    if rows.rows_written + ingest.rows_rejected != ingest.rows_read:
        raise CountError(
            f"{ingest.rows_read} rows were read, but {rows.rows_written} are in rows and "
            f"{ingest.rows_rejected} in rejects: delete the output folder and start again"
        )


def funnel(finished: Finished) -> list[tuple[str, int]]:
    """Return counts from input to output, in order: (label, count)."""
    ingest = counters_of(finished, IngestCounters)
    score = counters_of(finished, ScoreCounters)
    taxonomy = counters_of(finished, TaxonomyCounters)
    unreadable = ingest.times_unreadable
    assemble = counters_of(finished, AssembleCounters)
    conversations = [m.counters for entry, m in finished if entry.name == "conversations"]
    return [
        ("rows read", ingest.rows_read),
        ("rows rejected", ingest.rows_rejected),
        *([("rows of other speakers", ingest.rows_of_others)] if ingest.rows_of_others else []),
        *([("rows with a time that cannot be read", unreadable)] if unreadable else []),
        *(("conversations", counts["conversations"]) for counts in conversations),
        ("distinct utterances", ingest.utterances),
        ("utterances flagged as novel by stage I", score.flagged),
        ("utterances assigned to an intent", assemble.in_an_intent),
        ("known intents", taxonomy.known_intents_named),
        ("novel intents", taxonomy.novel_intents_named),
        ("clusters that are no intents", taxonomy.clusters_dropped),
        ("known domains", taxonomy.known_domains_named),
        ("novel domains", taxonomy.novel_domains_named),
    ]


def findings(run: Run, tables: Mapping[str, list[str]], finished: Finished) -> list[str]:
    """Return how sure the result is, and which step would help most, one line each.

    Args:
        run: the run.
        tables: the files of each table, relative to the run's folder.
        finished: the finished stages.
    """

    def column(table: str, name: str) -> pa.ChunkedArray:
        paths = (storage.join(run.workspace.folder, file) for file in tables[table])
        return pa.concat_tables(storage.read_parquet(path, [name]) for path in paths)[name]

    rows = Counter(column("levels", "level").to_pylist())
    model, cluster = run.model.load(), counters_of(finished, ClusterCounters)
    stability = column("intents", "stability").drop_null()
    facts = ResultFacts(
        novel={level: rows[level] for level in LEVELS},
        chosen=counters_of(finished, TaxonomyCounters).novel_intents_named,
        stability=float(np.median(stability.to_numpy())) if len(stability) else None,
        looks_known=cluster.looks_known,
        with_labels=cluster.looks_known_with_labels,
        has_labels=bool(model.intents),
        has_out_of_domain=bool((model.anchor_labels == OUT_OF_DOMAIN).any()),
    )
    return result_findings(facts, run.prepared.config)


def _rejected(folder: str, files: list[str]) -> dict[str, int]:
    """Return the number of rejected rows for each reason, the most frequent first."""
    rows: Counter[str] = Counter()
    for name in files:
        reasons = storage.read_parquet(storage.join(folder, name), ["reason"])["reason"]
        for counted in reasons.value_counts().to_pylist():
            rows[counted["values"]] += counted["counts"]
    return dict(sorted(rows.items(), key=lambda item: (-item[1], item[0])))


def _masking(run: Run, ingest: IngestCounters) -> MaskingSummary:
    off = run.prepared.config.masking.off
    active = [rule for rule in RULES if not {rule.name, "all"} & set(off)]
    return {
        "version": MASKING_VERSION,
        "off": list(off),
        "rows_changed": {rule.name: ingest.by_rule.get(rule.name, 0) for rule in active},
    }


def traffic(rows: dict[str, int]) -> list[tuple[str, str, int]]:
    """Return (kind, reason, rows of the log), by kind and then the largest first."""
    kinds = list(KINDS)
    order = sorted(rows, key=lambda reason: (kinds.index(kind_of(reason)), -rows[reason], reason))
    return [(kind_of(reason), reason, rows[reason]) for reason in order]


def _describe_model(folder: ModelFolder) -> ModelSummary:
    model = folder.load()
    return {
        "folder": folder.folder,
        "encoder": dataclasses.asdict(model.encoder),
        "known_intents": len(model.intents),
        "rules": dataclasses.asdict(model.rules),
        "domain_distance": model.domain_distance,
        "origins": model.origins,
        "shortages": model.shortages,
    }
