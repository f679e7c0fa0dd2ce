"""What an engine is told about the job it is to run."""

import argparse
from dataclasses import dataclass


@dataclass(frozen=True)
class Job:
    """One call of the command line, as engines see it.

    Attributes:
        flags: of the command line; each engine reads its own.
        beam_args: flags that are not ours, which go to Beam behind all of the engine's.
        reads: files and folders that the workers must be able to read.
        writes: folder that the workers write to and the driver reads.
    """

    flags: argparse.Namespace
    beam_args: list[str]
    reads: tuple[str, ...]
    writes: str
