"""An entry of the spine: what a stage reads and writes, and how its transform is built."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import apache_beam as beam

from advin.pipelines.counters import Counters
from advin.pipelines.models import ModelFolder
from advin.pipelines.settings import Prepared
from advin.pipelines.stages import Part, Workspace


@dataclass(frozen=True)
class Run:
    """A run in progress.

    Attributes:
        workspace: its folder.
        prepared: its settings.
        model: its model, which the stage fit writes unless it was given.
    """

    workspace: Workspace
    prepared: Prepared
    model: ModelFolder


@dataclass(frozen=True)
class Paths:
    """The folders of one stage. Other folders than its entry declares are a KeyError.

    Attributes:
        run: the run.
        entry: the stage's entry.
        number: number of the round if the stage repeats, else 1.
    """

    run: Run
    entry: "StageEntry"
    number: int = 1

    @property
    def name(self) -> str:
        """The stage's name, with the number of the round if it repeats."""
        return f"{self.entry.name}_{self.number:02d}" if self.entry.repeats else self.entry.name

    def read(self, part: str) -> Part:
        """Return an input, such as "ingest" or "describe/sizes"."""
        if part not in self.entry.reads:
            raise KeyError(f"stage {self.name} does not declare that it reads {part!r}")
        stage, _, name = part.partition("/")
        return self.run.workspace.stage(stage).part(name or "data")

    def write(self, part: str = "data") -> str:
        """Return the folder of an output."""
        if part not in self.entry.writes:
            raise KeyError(f"stage {self.name} does not declare that it writes {part!r}")
        return self.run.workspace.stage(self.name).part(part).folder

    @property
    def model(self) -> ModelFolder:
        """The model."""
        if "model" not in (*self.entry.reads, *self.entry.writes):
            raise KeyError(f"stage {self.name} does not declare that it uses the model")
        return self.run.model

    @property
    def scratch(self) -> str | None:
        """Folder of temporary files, if the stage has any."""
        suffix = self.entry.scratch
        return self.run.workspace.stage(f"{self.name}_{suffix}").folder if suffix else None


@dataclass(frozen=True)
class StageEntry:
    """One stage of a run.

    Attributes:
        name: the stage's name: of its folder, in log lines and in the manifest.
        reads: parts of earlier stages, such as "ingest" or "describe/sizes", and "model".
        writes: the stage's own parts, and "model".
        counters: record of the stage's counters.
        build: returns the stage's transform. A stage that repeats ends when it returns None.
        when: returns True if a run needs the stage; None for always.
        check: inspects the results; may raise SettingsError.
        publishes: from tables that users read to the parts that hold them.
        keep_partial: True if files of an interrupted attempt are kept.
        repeats: True if the stage runs in numbered rounds.
        scratch: suffix of the folder of temporary files; "" for none.
    """

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    counters: type[Counters]
    build: Callable[[Paths], beam.PTransform | None]
    when: Callable[[Prepared], bool] | None = None
    check: Callable[[Run], None] | None = None
    publishes: tuple[tuple[str, str], ...] = ()
    keep_partial: bool = False
    repeats: bool = False
    scratch: str = ""

    def rounds(self, run: Run) -> Iterator[Paths]:
        """Yield the folders of each round; of a stage that does not repeat there is one."""
        numbers = itertools.count(1) if self.repeats else [1]
        return (Paths(run, self, number) for number in numbers)
