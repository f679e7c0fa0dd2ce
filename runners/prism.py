"""Prism, Beam's engine in Go: one process in memory, with workers in other processes."""

import contextlib
import os
import shutil
from collections.abc import Iterator

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.version import __version__ as beam_version

from advin.pipelines.errors import SettingsError
from advin.runners.job import Job
from advin.runners.processes import free_port, server
from advin.runners.workers import in_pool, worker_pool

# Names the binary if it is not on PATH.
_VARIABLE = "ADVIN_PRISM"


@contextlib.contextmanager
def prism(job: Job) -> Iterator[PipelineOptions]:
    """Start Prism and a pool of workers, yield options that use them, and stop both.

    Raises:
        SettingsError: if there is no Prism, or Prism or the pool does not start.
    """
    binary, port = _binary(), free_port()
    command = [binary, f"--job_port={port}", "--serve_http=false", "--log_level=warn"]
    with server("Prism", command, port), worker_pool() as pool:
        flags = ["--runner=PortableRunner", f"--job_endpoint=localhost:{port}", *in_pool(pool)]
        yield PipelineOptions([*flags, *job.beam_args])


def _binary() -> str:
    named = os.environ.get(_VARIABLE)
    found = shutil.which(named or "prism")
    if found is None:
        module = f"github.com/apache/beam/sdks/v2/go/cmd/prism@v{beam_version}"
        where = (
            f"{_VARIABLE} is {named}" if named else f"it is not on PATH, and {_VARIABLE} is not set"
        )
        raise SettingsError(f"no program prism: {where}; build it with `go install {module}`")
    return found
