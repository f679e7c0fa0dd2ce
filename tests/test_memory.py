"""Linkage on workers whose memory could not hold all that they link."""

import contextlib
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
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


class Watch:
    """Notes the most memory that any worker of a pool takes."""

    def __init__(self, pool: int):
        self.pool, self.peak = pool, 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(0.02):
            for worker in descendants(self.pool):
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    status = Path(f"/proc/{worker}/status").read_text()
                    self.peak = max(self.peak, kilobytes(status, "VmHWM"))


def descendants(process: int) -> Iterator[int]:
    """The processes that a process has started, and those that they have."""
    for tasks in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for child in map(int, tasks.read_text().split()):
                yield child
                yield from descendants(child)


@pytest.fixture
def workers():
    """Options of a job on workers in other processes, and the watch over their memory."""
    port = free_port()
    with server("the worker pool", pool_command(port), port) as pool:
        flags = ["--runner=PortableRunner", "--job_endpoint=embed"]
        with Watch(pool.pid) as watch:
            yield PipelineOptions([*flags, *in_pool(f"localhost:{port}")]), watch


def test_a_worker_that_gathers_everything_takes_more(log, workers, idle):
    options, watch = workers
    pipeline = Pipeline(options=options)
    pipeline | Create([log], reshuffle=False) | Map(link_all, FLOOR)
    pipeline.run().wait_until_finish()
    print(f"\nidle {idle >> 10} MB, gathering {watch.peak >> 10} MB")
    assert watch.peak > idle + ALLOWED_KB


def test_rounds_take_less(log, workers, idle, tmp_path):
    options, watch = workers
    rules = IntentRules(distance=1 - FLOOR, radius=1 - FLOOR)
    workspace = Workspace.claim(str(tmp_path), {}, options)
    left = condense(workspace, log, ROWS, rules, at_most=ROWS - 1)
    print(f"\nidle {idle >> 10} MB, in rounds {watch.peak >> 10} MB")
    assert 0 < left[0].clusters < ROWS
    assert 0 < watch.peak < idle + ALLOWED_KB
