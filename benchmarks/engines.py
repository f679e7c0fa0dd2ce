"""Compare a Flink cluster on this machine with the in-process engine: seconds and memory of a log.

    python -m benchmarks.engines --data multidogo --seeds 2 --out RESULT.json

Runs `advin discover` with a model that was fitted on the labels of massive_en. The cluster has a
JobManager and two TaskManagers with one slot each, and is started for every run. Every method gives
the encoder two threads: two in one worker, or one in each of two workers.

`start` is the time of a log of 100 rows, which is start-up and staging. `work` is the rest.
`overhead` compares `work` with the first method, in per cent. Memory is the peak in MB of each part
of the system. It is sampled once a second as proportional set size, so shared pages count once.
Methods with the same number of threads per worker must give the same tables.
"""

import contextlib
import hashlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from advin.runners.processes import free_port, server
from advin.runners.workers import pool_command
from advin.schemas.tables import TABLES
from benchmarks.common import DATA, Results, parse_options
from tests.engines import programs
from tests.engines.cluster import FlinkCluster
from tests.process_tree import children

LABELS = DATA / "massive_en" / "utterances.parquet"
# By name: parallelism on Flink (None for in process), and encoder threads in each worker.
METHODS = {
    "in process, 2 threads": (None, 2),
    "Flink, 1 worker of 2 threads": (1, 2),
    "Flink, 2 workers of 1 thread": (2, 1),
}
_SMALL_ROWS = 100


@dataclass(frozen=True)
class Run:
    """One run: its seconds, seconds of each stage, peaks of memory in MB, hash of the tables."""

    seconds: float
    stages: dict[str, float]
    peaks: dict[str, float]
    tables: str


def run(log: Path, model: Path, parallelism: int | None, threads: int) -> Run:
    """Run `advin discover` in a new process, on a new Flink cluster if `parallelism` is given."""
    with tempfile.TemporaryDirectory(prefix="advin-engines-") as name:
        folder, command = Path(name), advin("discover", log, model)
        output = folder / "out"
        command += ["--output", str(output), "--encoder-threads", str(threads)]
        with contextlib.ExitStack() as stack:
            owners = {}
            if parallelism is not None:
                flags, owners = stack.enter_context(flink(folder / "flink"))
                command += [*flags, "--parallelism", str(parallelism)]
            start = time.perf_counter()
            with open(folder / "log", "w+") as lines:
                process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=lines)
                with memory({process.pid: "driver"} | owners) as peaks:
                    code = process.wait()
                seconds = time.perf_counter() - start
                if code:
                    lines.seek(0)
                    raise RuntimeError(f"`{' '.join(command)}` ended with {code}: {lines.read()}")
        stages = json.loads((output / "manifest.json").read_text())["stages"]
        return Run(seconds, {s: m["seconds"] for s, m in stages.items()}, peaks, digest(output))


def advin(what: str, log: Path, model: Path) -> list[str]:
    """Return the first part of a command line."""
    command = [sys.executable, "-m", "advin", what]
    return [*command, "--input", str(log), "--model", str(model)]


@contextlib.contextmanager
def flink(folder: Path) -> Iterator[tuple[list[str], dict[int, str]]]:
    """Start a cluster and a worker pool; yield the flags to use them, and their processes."""
    cluster, port = FlinkCluster(programs.cluster_jars(), folder), free_port()
    with (
        cluster.running(task_managers=2, slots=1),
        server("the worker pool", pool_command(port), port) as pool,
    ):
        flags = ["--runner", "flink", "--flink-master", cluster.master]
        flags += ["--worker-pool", f"localhost:{port}"]
        flags += ["--flink-job-server", str(programs.job_server())]
        owners = {pool.pid: "workers", cluster.job_manager.pid: "JobManager"}
        yield flags, owners | {p.pid: "TaskManagers" for p in cluster.task_managers.values()}


@contextlib.contextmanager
def memory(owners: dict[int, str]) -> Iterator[dict[str, float]]:
    """Sample the memory of processes and their children; the peaks (MB) are complete at the end.

    Args:
        owners: the part of the system that each process belongs to. The driver's Java child is
            Beam's job server.
    """
    ended, peaks = threading.Event(), defaultdict[str, float](float)

    def sample() -> None:
        while not ended.wait(1):
            now = defaultdict[str, float](float)
            for pid, owner in owners.items():
                for part, megabytes in sizes(pid, owner):
                    now[part] += megabytes
            now["all"] = sum(now.values())
            for part, megabytes in now.items():
                peaks[part] = max(peaks[part], megabytes)

    watcher = threading.Thread(target=sample)
    watcher.start()
    try:
        yield peaks
    finally:
        ended.set()
        watcher.join()


def sizes(pid: int, owner: str) -> Iterator[tuple[str, float]]:
    """Yield owner and memory (MB) of a process and of its children."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        started = children(pid)
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return  # the process has ended
    owner = "job server" if (owner, name) == ("driver", "java") else owner
    yield owner, sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1e3
    for child in started:
        yield from sizes(child, owner)


def digest(output: Path) -> str:
    """Return the hash of the table files."""
    found = hashlib.sha256()
    for path in sorted(p for table in TABLES for p in (output / table).iterdir()):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()


def compare(results: Results, log: Path, model: Path, methods: Sequence[str]) -> None:
    """Run every method once on the first rows and once on the whole log."""
    small = log.with_name("small.parquet")
    pq.write_table(pq.read_table(log).slice(0, _SMALL_ROWS), small)
    base, tables = None, dict[int, str]()
    for method in methods:
        parallelism, threads = METHODS[method]
        start, whole = (run(rows, model, parallelism, threads) for rows in (small, log))
        if tables.setdefault(threads, whole.tables) != whole.tables:
            raise RuntimeError(
                f"{method}: its tables differ from another method's with {threads} threads"
            )
        work = whole.seconds - start.seconds
        base = base or work
        metrics = {"start": start.seconds, "work": work, "overhead": 100 * (work / base - 1)}
        metrics |= {f"work_{s}": seconds - start.stages[s] for s, seconds in whole.stages.items()}
        metrics |= {f"mb_{part}": peak for part, peak in sorted(whole.peaks.items())}
        results.add((log.stem, 1.0, method), metrics, whole.seconds)
        print(f"{method}: {whole.seconds:.0f} s, tables {whole.tables[:16]}", flush=True)


def main() -> None:
    """Run the benchmark."""
    options = parse_options(__doc__, ("multidogo",), known=(1.0,), methods=tuple(METHODS))
    results = Results(options)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.cache or Path(temporary)
        folder.mkdir(exist_ok=True)
        for data in options.data:
            name = data.parent.name
            log, model = folder / f"{name}.parquet", folder / f"{name}-model"
            # A cache folder keeps both for the next run.
            if not log.exists():
                pq.write_table(pq.read_table(data, columns=["text"]), log)
            fit = [*advin("fit", log, model), "--labeled", str(LABELS), "--effort", "fast"]
            subprocess.run(fit, check=True)
            for _ in range(options.seeds):
                compare(results, log, model, options.asked(METHODS))
    results.finish()


if __name__ == "__main__":
    main()
