"""Write the tables of a finished run again at another level of its novel intents.

Only the stages taxonomy and assemble depend on the default level. They run again on the files of
the other stages. The new tables get file names of their own. They are valid once a new manifest
lists them; then the old tables are deleted. So an interrupted run has either its old tables or its
new tables.
"""

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from advin.discovery.config import Config, ConfigError
from advin.pipelines import storage
from advin.pipelines.counters import AssembleCounters
from advin.pipelines.embed import EncoderSettings
from advin.pipelines.entry import Run
from advin.pipelines.errors import SettingsError
from advin.pipelines.models import ModelFolder, model_exists
from advin.pipelines.outputs import check_output
from advin.pipelines.publishing import LEVEL_STAGES, Published, publish
from advin.pipelines.reading.row_columns import RowColumns
from advin.pipelines.report import (
    check_tables,
    counters_of,
    findings,
    funnel,
    read_run,
    summaries,
    traffic,
)
from advin.pipelines.settings import ROWS_CLAIM, Prepared, Settings
from advin.pipelines.spine import STAGES, finished_stages, run_stage
from advin.pipelines.stages import Stage, Workspace
from advin.pipelines.version import versions
from advin.schemas.manifest import CLAIM, MANIFEST, Claim, RunManifest, fingerprint, utc_now

# The stages that `LEVEL_STAGES` read.
_READ = {
    part.partition("/")[0] for entry in STAGES if entry.name in LEVEL_STAGES for part in entry.reads
}
_NEEDED = tuple(e.name for e in STAGES if e.name in _READ and e.name not in LEVEL_STAGES)

_log = logging.getLogger("advin")


def regroup(
    folder: str, values: Mapping[str, Any], options: PipelineOptions, output: str | None = None
) -> RunManifest:
    """Write the tables of a finished run again at another level.

    Args:
        folder: folder of the run.
        values: new values of tunables of the section levels, by dotted name.
        options: options of the engine.
        output: folder of a new run; None replaces the tables of the run.

    Returns:
        the manifest of the run with the new tables, or the old manifest if nothing changes.

    Raises:
        SettingsError: if there is no finished run, a value is wrong, a file is missing, or the
            output folder cannot be used.
    """
    manifest = read_run(folder)
    if manifest is None:
        raise SettingsError(f"no finished run in {folder}: make one with `advin discover`")
    check_tables(folder, manifest)
    if "levels" not in manifest.tables:
        raise SettingsError(
            f"the run in {folder} is of an earlier version and has no table levels: run "
            "`advin discover` again"
        )
    before = Config().with_mapping(manifest.settings["config"])
    try:
        config = before.with_values(values)
    except ConfigError as error:
        raise SettingsError(str(error)) from error
    stages_fingerprint = _check_stages(folder)
    settings = manifest.settings | {"config": config.to_dict()}
    if output is not None:
        check_output("--output", output, {"RUN": folder})
        Workspace.claim(output, settings, options)
        finished = read_run(output)
        if finished is not None:
            return finished
        folder, manifest = output, _copied(folder, output, manifest)
    else:
        _delete_others(folder, manifest)
        if config == before:
            _log.info("the tables are at this level already: %s", folder)
            return manifest
    run = _run(Workspace(folder, options, stages_fingerprint), manifest, config)
    for entry in STAGES:
        if entry.name in LEVEL_STAGES and (entry.when is None or entry.when(run.prepared)):
            storage.delete(run.workspace.stage(entry.name).folder)
            run_stage(run, entry)
    return _finish(run, manifest, settings, values)


def _copied(folder: str, output: str, manifest: RunManifest) -> RunManifest:
    """Copy what the stages need into a new folder; return the manifest with its new model."""
    for name in _NEEDED:
        source, target = (storage.join(f, "stages", name) for f in (folder, output))
        for part, files in storage.list_parts(source).items():
            for file in files:
                storage.copy(*(storage.join(s, part, file.name) for s in (source, target)))
        storage.copy(*(storage.join(s, MANIFEST) for s in (source, target)))
    model = manifest.model
    if model_exists(storage.join(folder, "model")):
        for path in ModelFolder(storage.join(folder, "model")).files:
            storage.copy(path, storage.join(output, "model", FileSystems.split(path)[1]))
        model = {**model, "folder": storage.join(output, "model")}
    for path in manifest.tables["rejects"]:
        storage.copy(storage.join(folder, path), storage.join(output, path))
    return dataclasses.replace(manifest, model=model)


def _run(workspace: Workspace, manifest: RunManifest, config: Config) -> Run:
    """Return a run that continues a finished one with another configuration."""
    inside = storage.join(workspace.folder, "model")
    model = ModelFolder(inside if model_exists(inside) else manifest.model["folder"], config)
    identity = model.load().encoder
    encoder = EncoderSettings(identity.name, 0, identity.precision, config.text.piece_words)
    # The inputs of the run are not read again.
    given = manifest.settings.get(ROWS_CLAIM)
    rows = None if given is None else RowColumns(conversation=given["conversation"])
    prepared = Prepared(Settings("", rows=rows), config, {}, encoder, identity)
    return Run(workspace, prepared, model)


def _check_stages(folder: str) -> str:
    """Check the files of the stages that are read again; return the stages' fingerprint.

    Raises:
        SettingsError: if a stage that is needed is not there, or one of its files has changed.
    """
    found = ""
    for name in _NEEDED:
        stage = Stage(storage.join(folder, "stages", name)).manifest()
        if stage is None:
            raise SettingsError(
                f"stage {name} of the run in {folder} is missing: keep the folder stages of a run "
                "to regroup its intents"
            )
        # Publishing has moved these parts.
        moved = {part for entry in STAGES if entry.name == name for _, part in entry.publishes}
        for file, mark in stage.marks.items():
            if file.partition("/")[0] not in moved:
                storage.check_mark(storage.join(folder, "stages", name, file), mark)
        found = stage.fingerprint
    return found


def _finish(
    run: Run, manifest: RunManifest, settings: dict[str, Any], given: Mapping[str, Any]
) -> RunManifest:
    """Publish the new tables, replace the manifest, and delete the old tables."""
    folder, finished = run.workspace.folder, list(finished_stages(run))
    new = publish(run, [stage for stage in finished if stage[0].name in LEVEL_STAGES])
    kept = Published(manifest.tables | new.tables, manifest.marks | new.marks)
    files = {name for names in kept.tables.values() for name in names}
    regrouped = dataclasses.replace(
        manifest,
        versions=versions(),
        settings=settings,
        fingerprint=fingerprint(settings),
        funnel=funnel(finished),
        traffic=traffic(counters_of(finished, AssembleCounters).by_reason),
        findings=findings(run, kept.tables, finished),
        tables=kept.tables,
        marks={name: mark for name, mark in kept.marks.items() if name in files},
        stages=manifest.stages | summaries(finished),
        given=manifest.given | dict(given),
        finished=utc_now(),
    )
    claim = Claim(regrouped.fingerprint, settings)
    storage.write_text(storage.join(folder, CLAIM), claim.to_json())
    storage.write_text(storage.join(folder, MANIFEST), regrouped.to_json())
    _delete_others(folder, regrouped)
    return regrouped


def _delete_others(folder: str, manifest: RunManifest) -> None:
    """Delete the Parquet files of tables that the manifest does not list."""
    listed = {name for names in manifest.tables.values() for name in names}
    for table in manifest.tables:
        for name in storage.list_files(storage.join(folder, table), ".parquet"):
            if storage.join(table, name) not in listed:
                storage.delete(storage.join(folder, table, name))
