"""The in-process engine: one machine, nothing to install.

Beam's DirectRunner first tries to download another engine and takes this one when it cannot, so
that the same command would run differently with and without a network. It is named outright.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from apache_beam.options.pipeline_options import PipelineOptions

from advin.runners.job import Job


@contextmanager
def direct(job: Job) -> Iterator[PipelineOptions]:
    """Yield options for the in-process runner."""
    yield PipelineOptions(["--runner=FnApiRunner", *job.beam_args])
