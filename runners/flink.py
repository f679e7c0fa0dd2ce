"""Apache Flink: a cluster with worker pools beside its TaskManagers, or Flink on this machine."""

import contextlib
import logging
import os
import uuid
from collections.abc import Iterator

from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions

from advin.pipelines.errors import SettingsError
from advin.runners.flink_server import Cluster, job_server
from advin.runners.job import Job
from advin.runners.preflight import check_workers
from advin.runners.workers import in_pool, worker_pool

_LOCAL = "[local]"
_log = logging.getLogger("advin")


@contextlib.contextmanager
def flink(job: Job) -> Iterator[PipelineOptions]:
    """Check the cluster, start a job server, check the workers, yield options, stop the server.

    Raises:
        SettingsError: if there is no Java, no job server, no cluster, no worker pool, or workers
            that run other code or cannot see the job's files.
    """
    if job.flags.flink_master == _LOCAL:
        with (
            job_server(_LOCAL, job.flags.flink_job_server) as endpoint,
            worker_pool() as pool,
        ):
            yield _options(job, endpoint, pool, job.flags.parallelism or os.cpu_count() or 1)
    else:
        cluster = Cluster(job.flags.flink_master)
        parallelism = _parallelism(job, cluster)
        with job_server(cluster.master, job.flags.flink_job_server) as endpoint:
            options = _options(job, endpoint, job.flags.worker_pool, parallelism)
            name = options.view_as(GoogleCloudOptions).job_name
            try:
                check_workers(job, options, cluster, parallelism)
                yield options
            finally:
                # A driver that ends early, for example by Ctrl-C, leaves no job on the cluster.
                with contextlib.suppress(OSError):
                    cluster.cancel(name)


def _parallelism(job: Job, cluster: Cluster) -> int:
    slots = cluster.task_slots()
    parallelism = job.flags.parallelism or slots
    if parallelism > slots:
        raise SettingsError(
            f"--parallelism is {parallelism}, but the Flink at {cluster.master} has {slots} task "
            f"slots: give at most {slots}, or the job would wait forever"
        )
    if not cluster.restarts():
        _log.warning(
            "this Flink has no restart-strategy: if a worker dies, run the same command again"
        )
    return parallelism


def _options(job: Job, endpoint: str, pool: str, parallelism: int) -> PipelineOptions:
    return PipelineOptions(
        [
            "--runner=PortableRunner",
            f"--job_endpoint={endpoint}",
            f"--parallelism={parallelism}",
            f"--job_name=advin-{uuid.uuid4().hex[:8]}",
            *in_pool(pool),
            *job.beam_args,
        ]
    )
