"""Folders of runs and stages: claim, run, resume.

A run is a chain of Beam pipelines with files between them. A stage writes its manifest when its
pipeline has finished. A run that was killed continues at the first stage without a manifest.
"""

import copy
import logging
import time
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
)
from apache_beam.runners.runner import PipelineResult, PipelineState

from advin.pipelines import storage
from advin.pipelines.counters import Counters
from advin.pipelines.errors import SettingsError, StageError, cause, refusal
from advin.pipelines.manifests import is_file_name, read_manifest
from advin.schemas.manifest import (
    CLAIM,
    MANIFEST,
    MODEL,
    Claim,
    StageManifest,
    fingerprint,
    utc_now,
)

_log = logging.getLogger("advin")

C = TypeVar("C", bound=Counters)


@dataclass(frozen=True)
class Part:
    """A folder of files that a stage writes; they can be read once the stage has finished.

    Attributes:
        stage: folder of the stage.
        name: name of the part.
    """

    stage: str
    name: str = "data"

    @property
    def folder(self) -> str:
        """The folder of the files."""
        return storage.join(self.stage, self.name)

    def files(self) -> list[str]:
        """Return the names of the files, as the stage's manifest lists them.

        Raises:
            RuntimeError: if the stage has not finished.
        """
        manifest = Stage(self.stage).manifest()
        if manifest is None:
            raise RuntimeError(f"stage {self.stage} has not finished: start the run again")
        return manifest.files.get(self.name, [])


@dataclass(frozen=True)
class Stage:
    """A stage's folder."""

    folder: str

    def part(self, name: str = "data") -> Part:
        """Return one of the stage's parts."""
        return Part(self.folder, name)

    def manifest(self) -> StageManifest | None:
        """Return the manifest, or None if the stage has not finished.

        Raises:
            SettingsError: if the manifest cannot be read.
        """
        path = storage.join(self.folder, MANIFEST)
        manifest = read_manifest(path, StageManifest)
        if manifest is not None:
            for part, names in manifest.files.items():
                for name in (part, *names):
                    if not is_file_name(name):
                        raise SettingsError(f"cannot read {path}: {name!r} is no name of a file")
        return manifest

    def counters(self, record: type[C]) -> C:
        """Return the counters of a finished stage.

        Raises:
            RuntimeError: if the stage has not finished, or has other counters.
        """
        manifest = self.manifest()
        if manifest is None:
            raise RuntimeError(f"stage {self.folder} has not finished: start the run again")
        return record.read(manifest.counters)


@dataclass(frozen=True)
class Workspace:
    """The folder of one run, and the options of its pipelines.

    Attributes:
        folder: folder of the run.
        options: options of the engine.
        fingerprint: digest of inputs and settings.
    """

    folder: str
    options: PipelineOptions
    fingerprint: str
    # True if stages are only translated: there are no results to read.
    dry: ClassVar[bool] = False

    @classmethod
    def claim(cls, folder: str, settings: dict[str, Any], options: PipelineOptions) -> "Workspace":
        """Reserve a folder for a run with these settings, or resume the same run in it.

        Raises:
            SettingsError: if the folder holds another run, or other files.
        """
        mark = fingerprint(settings)
        path = storage.join(folder, CLAIM)
        found = read_manifest(path, Claim)
        # The stored settings went through JSON, which turns tuples into lists.
        claim = Claim.from_json(Claim(mark, settings).to_json())
        if found is not None:
            _check_same_run(folder, found, claim)
            return cls(folder, options, mark)
        if _holds_files(folder):
            raise SettingsError(
                f"the output folder {folder} is not empty and holds no run: "
                "choose another folder, or empty it"
            )
        try:
            storage.write_text(path, claim.to_json())
        except OSError as error:
            raise SettingsError(
                f"cannot write into the folder {folder}: {storage.reason(error)}"
            ) from error
        return cls(folder, options, mark)

    @property
    def shuffles_in_memory(self) -> bool:
        """True if Beam's in-process engine runs the stages: it keeps shuffled data in memory."""
        endpoint = self.options.view_as(PortableOptions).job_endpoint
        return endpoint == "embed" or self.options.view_as(StandardOptions).runner == "FnApiRunner"

    def stage(self, name: str) -> Stage:
        """Return the folder of a stage."""
        return Stage(storage.join(self.folder, "stages", name))

    def finished(self, name: str) -> StageManifest | None:
        """Return the manifest of a stage of this run, or None if the stage has not finished.

        Raises:
            SettingsError: if the manifest cannot be read, or is that of another stage or run.
        """
        stage = self.stage(name)
        manifest = stage.manifest()
        if manifest is not None and (manifest.stage, manifest.fingerprint) != (
            name,
            self.fingerprint,
        ):
            raise SettingsError(
                f"{storage.join(stage.folder, MANIFEST)} belongs to stage {manifest.stage} of run "
                f"{manifest.fingerprint}, but this is stage {name} of run {self.fingerprint}: "
                "delete the output folder and start again"
            )
        return manifest

    def run(
        self,
        name: str,
        transform: beam.PTransform,
        counters: type[Counters],
        keep_partial: bool = False,
        scratch: str | None = None,
        model: tuple[str, ...] = (),
    ) -> None:
        """Run one stage, unless it has finished before.

        Args:
            name: name of the stage.
            transform: the whole stage; it writes to the stage's folder.
            counters: record of the stage's counters.
            keep_partial: keep the files of an unfinished attempt. Only for a stage that writes
                whole files under fixed names and skips those that exist.
            scratch: folder of temporary files, deleted at the end.
            model: files of the model, if the stage writes it.

        Raises:
            StageError: if the engine fails.
        """
        stage = self.stage(name)
        if self.finished(name) is not None:
            _log.info("%s: finished before", name)
            return
        if not keep_partial:
            storage.delete(stage.folder)
        _log.info("%s …", name)
        started, start = utc_now(), time.monotonic()
        pipeline = beam.Pipeline(options=named(self.options, name.replace("_", "-")))
        pipeline | transform
        result = _finish(name, pipeline)
        parts = storage.list_parts(stage.folder)
        of_model = [storage.file_info(path) for path in model]
        names = {part: [file.name for file in files] for part, files in parts.items()}
        manifest = StageManifest(
            stage=name,
            fingerprint=self.fingerprint,
            files=names | ({MODEL: sorted(file.name for file in of_model)} if model else {}),
            marks={
                f"{part}/{file.name}": storage.mark(storage.join(stage.folder, part, file.name))
                for part, files in parts.items()
                for file in files
            },
            counters=counters.of_result(result).to_dict(),
            seconds=round(time.monotonic() - start, 3),
            bytes=sum(file.size for files in [*parts.values(), of_model] for file in files),
            started=started,
        )
        storage.write_text(storage.join(stage.folder, MANIFEST), manifest.to_json())
        if scratch is not None:
            storage.delete(scratch)
        _log.info("%s: %.1f s, %s", name, manifest.seconds, readable(manifest.counters))


def _finish(name: str, pipeline: beam.Pipeline) -> PipelineResult:
    try:
        result = pipeline.run()
        state = result.wait_until_finish()
    except Exception as error:  # each engine raises its own
        refused = refusal(error)
        if refused is not None:
            raise SettingsError(refused) from error
        raise StageError(
            f"stage {name} failed: {cause(error)}; the same command continues at this stage"
        ) from error
    if state not in (PipelineState.DONE, None):
        raise StageError(f"stage {name} ended as {state}; the same command continues at this stage")
    return result


def named(options: PipelineOptions, step: str) -> PipelineOptions:
    """Return the options with a job name, which the engine shows for this step."""
    options = copy.deepcopy(options)
    cloud = options.view_as(GoogleCloudOptions)
    cloud.job_name = f"{cloud.job_name or 'advin'}-{step}"
    return options


def _check_same_run(folder: str, found: Claim, claim: Claim) -> None:
    if found.fingerprint == claim.fingerprint:
        return
    before, now = found.settings, claim.settings
    differs = sorted(k for k in {*before, *now} if before.get(k) != now.get(k))
    raise SettingsError(
        f"the output folder {folder} holds another run (it differs in {', '.join(differs)}): "
        "choose another folder, or delete this one"
    )


def _holds_files(folder: str) -> bool:
    """Return True if a folder holds more than the claim of a run that was killed as it began."""
    names = (file.name for file in storage.list_folder(folder))
    return any(not name.startswith(storage.unfinished(CLAIM)) for name in names)


def readable(counters: dict[str, int]) -> str:
    """Return counters above 0 as text, such as '8,815 rows read, 48.9 encoder seconds'."""
    return ", ".join(_readable(name, value) for name, value in counters.items() if value)


def _readable(name: str, value: int) -> str:
    words = name.removesuffix("_msecs").replace("_", " ")
    return (
        f"{value / 1000:,.1f} {words} seconds" if name.endswith("_msecs") else f"{value:,} {words}"
    )
