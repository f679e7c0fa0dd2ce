"""Workers and TaskManagers are killed at random times: the tables come out the same.

On a cluster with a restart strategy the run goes on by itself; on one without it the command fails,
and the same command continues at the stage that failed. ADVIN_KILLS says how many of each victim on
each cluster; one, in the embedding stage, unless told otherwise.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import programs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cluster import FlinkCluster
from process_tree import workers
from sample import EXAMPLES, ROOT, TABLES, command, run
from stage_names import STAGES

from advin.runners.processes import free_port, server
from advin.runners.workers import pool_command

pytestmark = [pytest.mark.engines, pytest.mark.timeout(900)]
KILLS = int(os.environ.get("ADVIN_KILLS", "1"))
ROWS = len((EXAMPLES / "log.jsonl").read_text().splitlines())


@pytest.fixture(scope="module", params=["restarts", "no restarts"])
def cluster(request, tmp_path_factory):
    """A cluster that starts the tasks of a dead worker again, and one that lets the job fail."""
    restarts = request.param == "restarts"
    flink = FlinkCluster(programs.cluster_jars(), tmp_path_factory.mktemp("flink"), restarts)
    with flink.running(task_managers=2, slots=2):
        yield flink


@pytest.fixture(scope="module")
def pool():
    port = free_port()
    with server("a worker pool", pool_command(port), port) as process:
        yield port, process.pid


@pytest.fixture(scope="module")
def arguments_for(cluster, pool, model):
    """The command that looks through the sample on two of the cluster's four slots."""
    flags = ["--runner", "flink", "--flink-master", cluster.master]
    flags += ["--worker-pool", f"localhost:{pool[0]}", "--parallelism", "2"]
    return lambda output: command(model, output, *flags)


@pytest.mark.parametrize("victim", ["worker", "TaskManager"])
@pytest.mark.parametrize("number", range(KILLS))
def test_a_killed_run_gives_the_same_tables(
    victim, number, cluster, pool, arguments_for, reference, tmp_path
):
    chance = random.Random(f"{victim} {number} {cluster.restarts}")
    stage = "embed" if number == 0 else chance.choice(STAGES)
    # Encoding the sample is ten seconds of calculation; most other stages have less than one.
    calculated, delay = (2, 0) if number == 0 else (0, chance.uniform(0.1, 1.5))

    output = tmp_path / "out"
    arguments = arguments_for(output)
    with (
        no_half_written_table(output),
        subprocess.Popen(arguments, cwd=ROOT, stderr=subprocess.PIPE, text=True) as driver,
    ):
        lines = []
        for line in driver.stderr:
            lines.append(line.strip())
            if line.startswith(f"{stage} …"):
                busiest_worker(pool[1], calculated)
                time.sleep(delay)
                if victim == "worker":
                    os.kill(busiest_worker(pool[1]), signal.SIGKILL)
                else:
                    busy = cluster.busy_task_managers() or sorted(cluster.task_managers)
                    killed = cluster.task_managers.pop(chance.choice(busy))
                    killed.kill()
                    killed.wait()
    if victim == "TaskManager":
        cluster.add_task_manager()
        cluster.wait_for_slots(4)
    with no_half_written_table(output):
        second = run(arguments, output, dict(os.environ))
    assert second.code == 0, second.lines

    strategy = "restarts" if cluster.restarts else "no restarts"
    hashes = " ".join(second.tables[t] for t in TABLES)
    when = f"in {stage}, {delay:.1f} s after its workers had calculated {calculated} s"
    print(f"\n{strategy}: {victim} killed {when}; {end_of(lines)}\n  {hashes}")
    assert second.tables == reference
    funnel = dict(map(tuple, json.loads((output / "manifest.json").read_text())["funnel"]))
    assert rows_of(output) == funnel["rows read"] == ROWS

    begun = [line.removesuffix(" …") for line in second.lines if line.endswith(" …")]
    if driver.returncode == 0:
        assert not begun, "the first start had finished the run"
        # A kill between two tasks is not noticed, but one in the midst of encoding is.
        assert cluster.restarts or number > 0
    else:
        assert driver.returncode == 1 and not cluster.restarts, lines
        (line,) = (x for x in lines if x.startswith("advin: "))
        assert "the same command continues at this stage" in line
        assert line.split()[1:3] == ["stage", begun[0]], "resumed at the stage that had failed"


def end_of(lines: list[str]) -> str:
    """Return how a run ended: by itself, or with an error line."""
    errors = [line for line in lines if line.startswith("advin: ")]
    return f"failed and was started again: {errors[-1]}" if errors else "continued by itself"


@contextlib.contextmanager
def no_half_written_table(output: Path) -> Iterator[None]:
    """Check all visible files continuously: a table appears only when all stages are done."""
    ended, problems = threading.Event(), set()

    def look() -> None:
        seen = set()
        while not ended.wait(0.1):
            for path in visible_files(output) - seen:
                try:
                    pq.read_table(path)
                    seen.add(path)
                except FileNotFoundError:
                    continue  # moved to where it belongs, or deleted by a new attempt
                except (OSError, pa.ArrowException) as error:
                    problems.add(f"{path}: {error}")
                done = {p.parent.name for p in output.glob("stages/*/manifest.json")}
                if path.parent.name in TABLES and path.parent.parent == output:
                    problems.update(f"{path} without {s}" for s in set(STAGES) - done)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
    assert not problems


def visible_files(folder: Path) -> set[Path]:
    """Return the Parquet files that a user may see; none while folders are being moved."""
    try:
        return set(folder.rglob("[!.]*.parquet"))
    except FileNotFoundError:
        return set()


def rows_of(output: Path) -> int:
    """Return the number of rows that the tables account for."""
    counts = pq.read_table(output / "assignments", columns=["count"])["count"]
    return sum(counts.to_pylist()) + pq.read_table(output / "rejects").num_rows


def busiest_worker(pool: int, seconds: float = 0) -> int:
    """Return the worker with the most processor time, once it has used some seconds."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        calculated, worker = max(((seconds_of(w), w) for w in workers(pool)), default=(-1, 0))
        if calculated >= seconds:
            return worker
        time.sleep(0.02)
    raise AssertionError(f"no worker has calculated for {seconds} s")


def seconds_of(process: int) -> float:
    """Return the processor time of a process in seconds, or -1 if it has ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return -1
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
