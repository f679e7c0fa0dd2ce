"""Beam's embedded job service, with workers in other processes, as on a cluster.

Workers share no memory with the driver, so errors that would occur on Flink or Dataflow show on
one machine.
"""

import contextlib
from collections.abc import Iterator

from apache_beam.options.pipeline_options import PipelineOptions

from advin.runners.job import Job
from advin.runners.workers import in_pool, worker_pool


@contextlib.contextmanager
def portable(job: Job) -> Iterator[PipelineOptions]:
    """Start a pool of workers, yield options that use it, and stop it.

    Raises:
        SettingsError: if the pool does not start.
    """
    with worker_pool() as pool:
        flags = ["--runner=PortableRunner", "--job_endpoint=embed", *in_pool(pool)]
        yield PipelineOptions([*flags, *job.beam_args])
