"""The end of a run: check that the counts add up, publish the tables, write the manifest last."""

import dataclasses

import pyarrow as pa
from apache_beam.io.filesystems import FileSystems

from advin.pipelines import storage
from advin.pipelines.link import link_stages
from advin.pipelines.models import load_model
from advin.pipelines.stages import Workspace
from advin.pipelines.version import versions
from advin.schemas.manifest import MANIFEST, RunManifest, StageManifest
from advin.schemas.tables import TABLES

# Where the stages leave the tables, until they are published.
_PARTS = {
    "assignments": ("assemble", "data"),
    "intents": ("taxonomy", "intents"),
    "domains": ("taxonomy", "domains"),
    "rejects": ("ingest", "rejects"),
}
_STAGES = (
    "ingest",
    "embed",
    "score",
    *link_stages(),
    "cluster",
    "assign",
    "describe",
    "taxonomy",
    "assemble",
)
_FIT_STAGES = ("ingest_labeled", "embed_labeled", "ingest_ood", "embed_ood", "fit")


class CountError(RuntimeError):
    """Rows went missing or were counted twice."""


def finish_run(workspace: Workspace, model: str, settings: dict) -> RunManifest:
    """Publish the tables of a run whose stages have all finished.

    Raises:
        CountError: if the rows of the tables do not add up to the rows read.
    """
    stages = {n: m for n in (*_STAGES, *_FIT_STAGES) if (m := workspace.stage(n).manifest())}
    _check_counts(stages)
    manifest = RunManifest(
        versions=versions(),
        settings=settings,
        fingerprint=workspace.fingerprint,
        model=_describe_model(model),
        funnel=_funnel(stages),
        tables={table: _publish(workspace, table, stages) for table in TABLES},
        stages={
            name: {"seconds": m.seconds, "bytes": m.bytes, "counters": m.counters}
            for name, m in stages.items()
        },
    )
    storage.write_text(storage.join(workspace.folder, MANIFEST), manifest.to_json())
    return manifest


def read_run(folder: str) -> RunManifest | None:
    """Return the manifest of a finished run, or None if there is none."""
    path = storage.join(folder, MANIFEST)
    return RunManifest.from_json(storage.read_text(path)) if storage.exists(path) else None


def read_table(folder: str, manifest: RunManifest, table: str, columns=None) -> pa.Table:
    """Read a table of a finished run whole: for tables that fit in memory."""
    files = [storage.join(folder, name) for name in manifest.tables[table]]
    return pa.concat_tables([storage.read_parquet(f, columns) for f in files])


def _publish(workspace: Workspace, table: str, stages: dict[str, StageManifest]) -> list[str]:
    """Move a table's files to where users look; safe to be killed and called again."""
    stage, part = _PARTS[table]
    source = workspace.stage(stage).path(part)
    target = storage.join(workspace.folder, table)
    names = stages[stage].files[part]
    if not storage.exists(target):
        FileSystems.mkdirs(target)
    for name in names:
        old, new = storage.join(source, name), storage.join(target, name)
        if storage.exists(old):
            FileSystems.rename([old], [new])
    return [storage.join(table, name) for name in names]


def _check_counts(stages: dict[str, StageManifest]) -> None:
    ingest = stages["ingest"].counters
    read, rejected = ingest.get("rows_read", 0), ingest.get("rows_rejected", 0)
    accounted = stages["assemble"].counters.get("rows_accounted", 0)
    if accounted + rejected != read:
        raise CountError(
            f"{read} rows were read, but {accounted} are in assignments and {rejected} in rejects: "
            "delete the run and start it again"
        )


def _funnel(stages: dict[str, StageManifest]) -> list[list]:
    def count(stage: str, name: str) -> int:
        return stages[stage].counters.get(name, 0) if stage in stages else 0

    steps = [
        ("rows read", count("ingest", "rows_read")),
        ("rows rejected", count("ingest", "rows_rejected")),
        ("distinct utterances", count("ingest", "utterances")),
        ("flagged as novel on their own", count("score", "flagged")),
        ("assigned to an intent", count("assemble", "in_an_intent")),
        ("in a novel intent, or novel and in none", count("assemble", "novel_utterances")),
        ("in no intent", count("assemble", "in_no_intent")),
        ("known intents", count("taxonomy", "known_intents_named")),
        ("novel intents", count("taxonomy", "novel_intents_named")),
        ("dropped as no intent", count("taxonomy", "incoherent_intents")),
        ("known domains", count("taxonomy", "known_domains_named")),
        ("novel domains", count("taxonomy", "novel_domains_named")),
    ]
    return [list(step) for step in steps]


def _describe_model(folder: str) -> dict:
    model = load_model(folder)
    return {
        "folder": folder,
        "encoder": dataclasses.asdict(model.encoder),
        "known_intents": len(model.intents),
        "rules": dataclasses.asdict(model.rules),
        "domain_distance": model.domain_distance,
        "origins": model.origins,
    }
