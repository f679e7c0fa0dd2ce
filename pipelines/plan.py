"""A dry run: the engine translates the pipelines of all stages but does not run them."""

from dataclasses import dataclass, field
from typing import ClassVar

import apache_beam as beam

from advin.pipelines.counters import Counters
from advin.pipelines.stages import Workspace, named


@dataclass(frozen=True)
class Plan(Workspace):
    """A workspace that writes nothing.

    Attributes:
        translated: names of the stages translated so far.
    """

    dry: ClassVar[bool] = True
    translated: list[str] = field(default_factory=list)

    def run(
        self,
        name: str,
        transform: beam.PTransform,
        counters: type[Counters],
        keep_partial: bool = False,
        scratch: str | None = None,
        model: tuple[str, ...] = (),
    ) -> None:
        """Submit the pipeline of a stage; the options request a dry run."""
        pipeline = beam.Pipeline(options=named(self.options, name.replace("_", "-")))
        pipeline | transform
        pipeline.run()
        self.translated.append(name)
