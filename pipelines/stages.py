"""Run folders and their stages: claim, run, resume.

A run is a chain of Beam pipelines with files between them. A stage's manifest is written when its
pipeline has finished, so a run that was killed goes on at the first stage without one.
"""

import copy
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
)
from apache_beam.runners.runner import PipelineResult, PipelineState

from advin.pipelines import storage
from advin.pipelines.errors import SettingsError, StageError, cause
from advin.schemas.manifest import CLAIM, MANIFEST, StageManifest, fingerprint

_log = logging.getLogger("advin")

Build = Callable[[beam.Pipeline, "Stage"], None]


@dataclass(frozen=True)
class Stage:
    """A stage's folder."""

    folder: str

    def path(self, part: str = "data") -> str:
        """Return the folder of one of the stage's parts."""
        return storage.join(self.folder, part)

    def manifest(self) -> StageManifest | None:
        """Return what the stage left behind, or None if it has not finished."""
        path = storage.join(self.folder, MANIFEST)
        if not storage.exists(path):
            return None
        return StageManifest.from_json(storage.read_text(path))

    def files(self, part: str) -> int:
        """Return the number of files in a part of a finished stage."""
        manifest = self.manifest()
        if manifest is None:
            raise RuntimeError(f"stage {self.folder} has not finished")
        return len(manifest.files[part])

    @property
    def shards(self) -> int:
        """Number of shards of a finished stage."""
        return self.files("data")


@dataclass(frozen=True)
class Workspace:
    """A folder that belongs to one run, and the options its pipelines run with."""

    folder: str
    options: PipelineOptions
    fingerprint: str
    # Whether what a stage wrote can be read when the next one is wired.
    reads_results: ClassVar[bool] = True

    @classmethod
    def claim(cls, folder: str, settings: dict, options: PipelineOptions) -> "Workspace":
        """Take a folder for a run with these settings, or find the same run in it.

        Raises:
            SettingsError: if the folder holds another run, or files of something else.
        """
        mark = fingerprint(settings)
        path = storage.join(folder, CLAIM)
        if storage.exists(path):
            _check_same_run(folder, json.loads(storage.read_text(path)), settings, mark)
        elif _holds_files(folder):
            raise SettingsError(
                f"the output folder {folder} is not empty and holds no run of advin: "
                "choose another one, or empty it"
            )
        else:
            text = json.dumps({"fingerprint": mark, "settings": settings}, indent=2, default=str)
            storage.write_text(path, text + "\n")
        return cls(folder, options, mark)

    @property
    def shuffles_in_memory(self) -> bool:
        """Whether Beam's in-process engine runs it: it keeps in memory all that a shuffle moves."""
        endpoint = self.options.view_as(PortableOptions).job_endpoint
        return endpoint == "embed" or self.options.view_as(StandardOptions).runner == "FnApiRunner"

    def stage(self, name: str) -> Stage:
        """Return the folder of a stage."""
        return Stage(storage.join(self.folder, "stages", name))

    def run(
        self, name: str, build: Build, keep_partial: bool = False, scratch: str | None = None
    ) -> StageManifest:
        """Run one stage, unless it has run already.

        Args:
            name: the stage.
            build: wires the stage's pipeline; it writes below the stage's folder.
            keep_partial: whether files of an unfinished attempt are used; only right for a stage
                that writes files under fixed names, whole, and skips those that are there.
            scratch: folder of what the stage needs only meanwhile.

        Raises:
            StageError: if the engine fails.
        """
        stage = self.stage(name)
        done = stage.manifest()
        if done is not None:
            _log.info("%s: done before, resuming behind it", name)
            return done
        if not keep_partial:
            storage.delete(stage.folder)
        _log.info("%s …", name)
        start = time.monotonic()
        pipeline = beam.Pipeline(options=named(self.options, name.replace("_", "-")))
        build(pipeline, stage)
        result = _finish(name, pipeline)
        manifest = StageManifest(
            stage=name,
            fingerprint=self.fingerprint,
            files=_files_below(stage.folder),
            counters=_counters(result),
            seconds=round(time.monotonic() - start, 3),
            bytes=_bytes_below(stage.folder),
        )
        storage.write_text(storage.join(stage.folder, MANIFEST), manifest.to_json())
        if scratch is not None:
            storage.delete(scratch)
        _log.info("%s: %.1f s, %s", name, manifest.seconds, readable(manifest.counters))
        return manifest


def _finish(name: str, pipeline: beam.Pipeline) -> PipelineResult:
    try:
        result = pipeline.run()
        state = result.wait_until_finish()
    except Exception as error:  # each engine raises its own
        raise StageError(
            f"stage {name} failed: {cause(error)}; the same command goes on at this stage"
        ) from error
    if state not in (PipelineState.DONE, None):
        raise StageError(f"stage {name} ended as {state}; the same command goes on at this stage")
    return result


def named(options: PipelineOptions, step: str) -> PipelineOptions:
    """Return the same options with a job name, by which the engine's own pages show the step."""
    options = copy.deepcopy(options)
    cloud = options.view_as(GoogleCloudOptions)
    cloud.job_name = f"{cloud.job_name or 'advin'}-{step}"
    return options


def _check_same_run(folder: str, found: dict, settings: dict, mark: str) -> None:
    if found.get("fingerprint") == mark:
        return
    before = found.get("settings", {})
    # Through JSON, as what was stored has been: tuples are lists there.
    now = json.loads(json.dumps(settings, default=str))
    differs = sorted(k for k in {*before, *now} if before.get(k) != now.get(k))
    raise SettingsError(
        f"the output folder {folder} holds another run (it differs in {', '.join(differs)}): "
        "choose another one, or delete it"
    )


def _holds_files(folder: str) -> bool:
    return bool(FileSystems.match([storage.join(folder, "*")])[0].metadata_list)


def _below(folder: str) -> list:
    pattern = storage.join(folder, "*", "*")
    found = FileSystems.match([pattern])[0].metadata_list
    return [m for m in found if not FileSystems.split(m.path)[1].startswith((".", "_"))]


def _files_below(folder: str) -> dict[str, list[str]]:
    files: dict[str, list[str]] = {}
    for metadata in _below(folder):
        part, name = FileSystems.split(metadata.path)
        files.setdefault(FileSystems.split(part)[1], []).append(name)
    return {part: sorted(names) for part, names in sorted(files.items())}


def _bytes_below(folder: str) -> int:
    return sum(m.size_in_bytes for m in _below(folder))


def _counters(result) -> dict[str, int]:
    """Return our counters, summed over the steps; RunInference's own are kept too."""
    counters: dict[str, int] = {}
    for metric in result.metrics().query()["counters"]:
        name = metric.key.metric.name
        # Some engines mix in their own, each another set.
        if ":" in name:
            continue
        # Not every engine tells what was committed, as against attempted.
        value = metric.committed if metric.committed is not None else metric.attempted
        counters[name] = counters.get(name, 0) + value
    return dict(sorted(counters.items()))


def readable(counters: dict[str, int]) -> str:
    """Return counters as a user reads them, e.g. '8,815 rows read'."""
    return ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in counters.items())
