"""Apache Flink: a cluster with worker pools beside its TaskManagers, or all on this machine."""

import contextlib
import functools
import logging
import os
from collections.abc import Iterator

from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.errors import SettingsError
from runners.flink_server import is_running, job_server, restarts, task_slots
from runners.job import Job
from runners.preflight import check_workers
from runners.workers import in_pool, worker_pool

_LOCAL = "[local]"
_log = logging.getLogger("advin")


@contextlib.contextmanager
def flink(job: Job) -> Iterator[PipelineOptions]:
    """Check the cluster, start a job server, check the workers; yield options; stop what started.

    Raises:
        SettingsError: if there is no Java, no job server, no cluster, no worker pool, or workers
            that run other code or cannot see the job's files.
    """
    master = job.flags.flink_master
    local = master == _LOCAL
    # First what answers at once.
    slots = (os.cpu_count() or 1) if local else task_slots(master)
    parallelism = job.flags.parallelism or slots
    if parallelism > slots and not local:
        raise SettingsError(
            f"--parallelism is {parallelism}, but the Flink at {master} has {slots} task slots: it "
            "would wait for more for ever"
        )
    if not local and not restarts(master):
        _log.warning(
            "this Flink has no restart-strategy: should a worker die, start the same command again"
        )
    with contextlib.ExitStack() as stack:
        endpoint = stack.enter_context(job_server(master, job.flags.flink_job_server))
        pool = stack.enter_context(worker_pool()) if local else job.flags.worker_pool
        options = PipelineOptions(
            [
                "--runner=PortableRunner",
                f"--job_endpoint={endpoint}",
                f"--parallelism={parallelism}",
                *in_pool(pool),
                *job.beam_args,
            ]
        )
        if not local:
            where, started = f"--worker-pool {pool}", functools.partial(is_running, master)
            check_workers(job, options, where, parallelism, started)
        yield options
