"""Beam's embedded job service with workers in other processes: the way a cluster runs a job.

Nothing of the driver's memory reaches the workers here, so it shows on one machine what would fail
on Flink or Dataflow.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.errors import SettingsError

_START_SECONDS = 30.0


@contextlib.contextmanager
def portable(beam_args: list[str]) -> Iterator[PipelineOptions]:
    """Start a pool of workers on a free port, yield options that use it, and stop it.

    Raises:
        SettingsError: if the pool does not start.
    """
    port = _free_port()
    # The pool starts each worker with the bare command `python`, which has to be this one.
    environment = dict(os.environ)
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    pool = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "apache_beam.runners.worker.worker_pool_main",
            f"--service_port={port}",
        ],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, pool)
        yield PipelineOptions(
            [
                "--runner=PortableRunner",
                "--job_endpoint=embed",
                "--environment_type=EXTERNAL",
                f"--environment_config=localhost:{port}",
                *beam_args,
            ]
        )
    finally:
        pool.terminate()
        try:
            pool.wait(timeout=10)
        except subprocess.TimeoutExpired:
            pool.kill()
            pool.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def _wait_for(port: int, pool: subprocess.Popen) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if pool.poll() is not None:
            raise SettingsError(
                f"the worker pool ended at once with code {pool.returncode}: try "
                f"`{sys.executable} -m apache_beam.runners.worker.worker_pool_main` by hand"
            )
        with contextlib.suppress(OSError), socket.create_connection(("localhost", port), 1):
            return
        time.sleep(0.1)
    raise SettingsError(f"the worker pool did not answer on port {port} in {_START_SECONDS:.0f} s")
