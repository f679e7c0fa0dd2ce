"""The in-process engine: one machine, nothing to install.

It is chosen by name: Beam's DirectRunner would download another engine where a network is
available.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from apache_beam.options.pipeline_options import PipelineOptions

from advin.runners.job import Job


def in_process(beam_args: Sequence[str] = ()) -> PipelineOptions:
    """Return the options of the in-process engine."""
    return PipelineOptions(["--runner=FnApiRunner", *beam_args])


@contextmanager
def direct(job: Job) -> Iterator[PipelineOptions]:
    """Yield options for the in-process runner."""
    yield in_process(job.beam_args)
