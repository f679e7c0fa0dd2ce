"""Move the tables of finished stages to the folders that users read."""

from dataclasses import dataclass

from apache_beam.io.filesystems import FileSystems

from advin.discovery.clustering.config import LevelsConfig
from advin.pipelines import storage
from advin.pipelines.entry import Run, StageEntry
from advin.schemas.manifest import StageManifest

Finished = list[tuple[StageEntry, StageManifest]]

# The stages whose tables depend on the default level.
LEVEL_STAGES = ("taxonomy", "assemble", "rows", "conversations")


@dataclass(frozen=True, slots=True)
class Published:
    """The published files of a run.

    Attributes:
        tables: the files of each table, relative to the run's folder.
        marks: size and digest of the end of each of these files.
    """

    tables: dict[str, list[str]]
    marks: dict[str, str]


def published_name(stage: str, name: str, levels: LevelsConfig) -> str:
    """Return the name under which a file of a stage is published.

    Names of files that depend on the default level contain the settings of that level, unless these
    are the defaults. So files of two levels can coexist until a manifest lists one of them.
    """
    if stage not in LEVEL_STAGES:
        return name
    default = LevelsConfig()
    parts: list[str] = []
    if levels.granularity != default.granularity:
        parts.append(levels.granularity)
    if levels.max_intents != default.max_intents:
        parts.append(str(levels.max_intents))
    stem, dot, suffix = name.rpartition(".")
    return "-".join([stem, *parts]) + dot + suffix


def publish(run: Run, finished: Finished) -> Published:
    """Move the tables of stages to their published folders; safe to repeat when interrupted."""
    found = Published({}, {})
    levels = run.prepared.config.levels
    for entry, manifest in finished:
        for table, part in entry.publishes:
            source = run.workspace.stage(manifest.stage).part(part).folder
            target = storage.join(run.workspace.folder, table)
            if not storage.exists(target):
                FileSystems.mkdirs(target)
            found.tables[table] = []
            for name in manifest.files[part]:
                public = published_name(entry.name, name, levels)
                old, new = storage.join(source, name), storage.join(target, public)
                if storage.exists(old):
                    FileSystems.rename([old], [new])
                path = storage.join(table, public)
                found.tables[table].append(path)
                found.marks[path] = manifest.marks[f"{part}/{name}"]
    return found
