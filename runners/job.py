"""The job that an engine runs."""

import argparse
from dataclasses import dataclass


@dataclass(frozen=True)
class Job:
    """One command, as an engine sees it.

    Attributes:
        flags: all flags of the command; each engine reads its own.
        beam_args: flags for Beam, which follow those of the engine.
        reads: files and folders that the workers read.
        writes: folder that the workers write to and the driver reads.
    """

    flags: argparse.Namespace
    beam_args: list[str]
    reads: tuple[str, ...]
    writes: str
