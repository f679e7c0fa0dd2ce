"""A dry run: the pipelines of all stages are wired and translated, and none is run."""

from dataclasses import dataclass, field
from typing import ClassVar

import apache_beam as beam

from advin.pipelines.stages import Build, Stage, Workspace, named
from advin.schemas.manifest import StageManifest


@dataclass(frozen=True)
class PlannedStage(Stage):
    """A stage that is taken to have left one file in each of its parts."""

    def files(self, part: str) -> int:
        """Return 1."""
        return 1


@dataclass(frozen=True)
class Plan(Workspace):
    """A workspace that writes nothing.

    Attributes:
        translated: the stages so far.
    """

    reads_results: ClassVar[bool] = False
    translated: list[str] = field(default_factory=list)

    def stage(self, name: str) -> PlannedStage:
        """Return the folder that a stage would have."""
        return PlannedStage(super().stage(name).folder)

    def run(
        self, name: str, build: Build, keep_partial: bool = False, scratch: str | None = None
    ) -> StageManifest:
        """Wire a stage's pipeline and hand it to the engine, whose options say that it is dry."""
        pipeline = beam.Pipeline(options=named(self.options, name.replace("_", "-")))
        build(pipeline, self.stage(name))
        pipeline.run()
        self.translated.append(name)
        # So large a log that all that could be run is translated; what is left of it is one row.
        return StageManifest(name, self.fingerprint, {}, {"utterances": 2**30, "clusters_left": 1})
