"""Check that the files of a stage that finished earlier are still those that it wrote."""

from advin.pipelines import storage
from advin.pipelines.entry import Paths, Run
from advin.pipelines.errors import SettingsError
from advin.pipelines.publishing import published_name
from advin.schemas.manifest import MODEL, StageManifest


def check_files(run: Run, paths: Paths) -> None:
    """Check the files of a stage, unless it still has to run.

    Raises:
        SettingsError: if a file is missing, or is another one than the stage wrote.
    """
    manifest = run.workspace.finished(paths.name)
    if manifest is None:
        return
    folder = run.workspace.stage(paths.name).folder
    for part, names in manifest.files.items():
        if part == MODEL:
            continue  # the model checks itself when it is read
        # Tables move to the folder of the run at its end.
        tables = [table for table, source in paths.entry.publishes if source == part]
        for name in names:
            public = published_name(paths.entry.name, name, run.prepared.config.levels)
            moved = [storage.join(run.workspace.folder, table, public) for table in tables]
            path = storage.join(folder, part, name)
            _check_file([path, *moved], manifest, f"{part}/{name}")


def _check_file(candidates: list[str], manifest: StageManifest, key: str) -> None:
    path = next((p for p in candidates if storage.exists(p)), None)
    if path is None:
        raise SettingsError(
            f"{candidates[0]}, a file of stage {manifest.stage}, is missing: delete the output "
            "folder and start again"
        )
    storage.check_mark(path, manifest.marks.get(key))
