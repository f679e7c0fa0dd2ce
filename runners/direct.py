"""The in-process engine: one machine, nothing to install.

It is chosen by name: Beam's DirectRunner would download another engine where a network is
available.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from apache_beam.options.pipeline_options import PipelineOptions

from advin.runners.job import Job


@contextmanager
def direct(job: Job) -> Iterator[PipelineOptions]:
    """Yield options for the in-process runner."""
    yield PipelineOptions(["--runner=FnApiRunner", *job.beam_args])
