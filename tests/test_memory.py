"""Linkage on workers whose memory could not hold all that they link."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from apache_beam import Create, Map, Pipeline
from apache_beam.options.pipeline_options import PipelineOptions

from benchmarks.mixtures import draw_mixture
from benchmarks.scale import link_all
from discovery.intents import IntentRules
from discovery.partition import Clusters
from pipelines import storage
from pipelines.clusters import CondensedClusters, clusters_to_arrow
from pipelines.linkage import condense
from pipelines.stages import Workspace
from runners.processes import free_port, server
from runners.workers import in_pool, pool_command

pytestmark = pytest.mark.slow
ROWS, FILES = 96_000, 24
FLOOR = 0.32
# Beyond what a worker takes that has only imported what it needs.
ALLOWED_KB = 420 * 1024


@pytest.fixture(scope="module")
def log(tmp_path_factory) -> CondensedClusters:
    """Clusters of one utterance, in files."""
    folder = tmp_path_factory.mktemp("log")
    rng = np.random.default_rng(0)
    ids = np.sort(np.array([rng.bytes(16).hex() for _ in range(ROWS)], "S32"))
    ones = np.ones(ROWS, np.int64)
    whole = Clusters(ids, draw_mixture(ROWS).vectors, ones, ones, np.ones(ROWS), 0 * ones)
    names = tuple(f"{number}.parquet" for number in range(FILES))
    for name, rows in zip(names, np.array_split(np.arange(ROWS), FILES), strict=True):
        storage.write_parquet(str(folder / name), clusters_to_arrow(whole.take(rows)))
    return CondensedClusters(str(folder), names, ROWS)


def kilobytes(status: str, field: str) -> int:
    found = re.search(rf"{field}:\s+(\d+) kB", status)
    return int(found[1]) if found else 0


@pytest.fixture(scope="module")
def idle() -> int:
    """What a process takes that has imported the linkage."""
    code = "import pipelines.linkage; print(open('/proc/self/status').read())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return kilobytes(told.stdout, "VmRSS")


class Limit:
    """Kills any worker of a pool that takes more than so much, as a container's host would."""

    def __init__(self, pool: int, limit: int):
        self.pool, self.limit = pool, limit
        self.peak = self.killed = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(0.01):
            for tasks in Path(f"/proc/{self.pool}/task").glob("*/children"):
                for worker in tasks.read_text().split():
                    self._check(int(worker))

    def _check(self, worker: int) -> None:
        try:
            taken = kilobytes(Path(f"/proc/{worker}/status").read_text(), "VmRSS")
            if taken > self.limit:
                os.kill(worker, signal.SIGKILL)
                self.killed += 1
                print("killed at", taken >> 10, flush=True)
        except (FileNotFoundError, ProcessLookupError):
            return
        self.peak = max(self.peak, taken)


@pytest.fixture
def workers(idle):
    """Options of a job on workers in other processes, and the limit on their memory."""
    port = free_port()
    with server("the worker pool", pool_command(port), port) as pool:
        flags = ["--runner=PortableRunner", "--job_endpoint=embed"]
        with Limit(pool.pid, idle + ALLOWED_KB) as limit:
            yield PipelineOptions([*flags, *in_pool(f"localhost:{port}")]), limit


def test_one_worker_that_gathers_everything_takes_too_much(log, workers):
    options, limit = workers
    pipeline = Pipeline(options=options)
    pipeline | Create([log], reshuffle=False) | Map(link_all, FLOOR)
    with pytest.raises(Exception, match="."):
        pipeline.run().wait_until_finish()
    assert limit.killed


def test_rounds_take_little(log, workers, idle, tmp_path):
    options, limit = workers
    rules = IntentRules(distance=1 - FLOOR, radius=1 - FLOOR)
    workspace = Workspace.claim(str(tmp_path), {}, options)
    left = condense(workspace, log, ROWS, rules, at_most=ROWS - 1)
    assert 0 < left[0].clusters < ROWS and not limit.killed
    print(f"\nidle {idle >> 10} MB, at most {limit.peak >> 10} MB")
