"""Linkage in rounds on workers that could not hold all that they link.

Flink hands a worker its part bit by bit; Beam's own engines in Python hand it all of a stage.
"""

import contextlib
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from apache_beam import Create, Map, Pipeline

from benchmarks.mixtures import draw_mixture
from benchmarks.scale import link_all
from discovery.intents import IntentRules
from discovery.partition import Clusters
from pipelines import storage
from pipelines.clusters import CondensedClusters, clusters_to_arrow
from pipelines.linkage import condense
from pipelines.stages import Workspace
from runners.cli import parse
from runners.flink import flink
from runners.job import Job
from runners.processes import free_port, server
from runners.workers import pool_command

pytestmark = [pytest.mark.engines, pytest.mark.timeout(900)]
ROWS, FILES = 96_000, 24
FLOOR = 0.32
# Beyond what a worker takes that has nothing to do.
ALLOWED_KB = 250 * 1024


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


class Watch:
    """Notes the most memory that any worker of a pool takes, in kB."""

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
                    found = re.search(r"VmHWM:\s+(\d+) kB", status)
                    self.peak = max(self.peak, int(found[1]) if found else 0)


def descendants(process: int) -> Iterator[int]:
    """The processes that a process has started, and those that they have."""
    for tasks in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for child in map(int, tasks.read_text().split()):
                yield child
                yield from descendants(child)


@pytest.fixture
def workers(cluster, tmp_path):
    """Options of a job on the cluster, and the watch over the memory of its workers."""
    port = free_port()
    with server("the worker pool", pool_command(port), port) as pool, Watch(pool.pid) as watch:
        flags = ["--flink-master", cluster.master, "--worker-pool", f"localhost:{port}"]
        flags += ["--parallelism", "2", "--input", "-", "--output", str(tmp_path)]
        with flink(
            Job(*parse(["discover", "--runner", "flink", *flags]), (), str(tmp_path))
        ) as job:
            yield job, watch


@pytest.fixture
def idle(workers) -> int:
    """What a worker takes that has nothing to do: it has answered who it is."""
    return workers[1].peak


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
    workspace = Workspace.claim(str(tmp_path / "run"), {}, options)
    left = condense(workspace, log, ROWS, rules, at_most=ROWS - 1)
    print(f"\nidle {idle >> 10} MB, in rounds {watch.peak >> 10} MB")
    assert 0 < left[0].clusters < ROWS
    assert 0 < watch.peak < idle + ALLOWED_KB
