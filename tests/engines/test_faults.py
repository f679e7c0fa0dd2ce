"""Workers and TaskManagers are killed at random times: the tables come out the same.

ADVIN_KILLS says how many of each; one, in the embedding stage, unless told otherwise.
"""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sample import EXAMPLES, ROOT, TABLES, command, run

from runners.processes import free_port, server
from runners.workers import pool_command

pytestmark = [pytest.mark.engines, pytest.mark.timeout(900)]
KILLS = int(os.environ.get("ADVIN_KILLS", "1"))
LINES = (EXAMPLES / "log.jsonl").read_text().splitlines()[::4]
STAGES = ("ingest", "embed", "novelty", "clusters", "intents", "describe", "assignments")


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    """A quarter of the log, so that a run is a minute."""
    path = tmp_path_factory.mktemp("part") / "log.jsonl"
    path.write_text("\n".join(LINES))
    return path


@pytest.fixture(scope="module")
def undisturbed(discover, part):
    outcome = discover("--input", part)
    assert outcome.code == 0
    return outcome.tables


@pytest.fixture(scope="module")
def pool():
    port = free_port()
    with server("a worker pool", pool_command(port), port) as process:
        yield port, process


@pytest.fixture(scope="module")
def arguments_for(cluster, pool, model, part):
    """The command that looks through the part on two of the cluster's four slots."""
    flags = ["--input", part, "--runner", "flink", "--flink-master", cluster.master]
    flags += ["--worker-pool", f"localhost:{pool[0]}", "--parallelism", "2"]
    return lambda output: command(model, output, *flags)


@pytest.mark.parametrize("victim", ["worker", "TaskManager"])
@pytest.mark.parametrize("number", range(KILLS))
def test_a_kill(victim, number, cluster, pool, arguments_for, undisturbed, tmp_path):
    chance = random.Random(f"{victim} {number}")
    stage = "embed" if number == 0 else chance.choice(STAGES)
    # A worker that dies within its first second is missed only after Beam's own three minutes.
    delay = chance.uniform(5, 7) if number == 0 else chance.uniform(2, 12)

    output = tmp_path / "out"
    arguments = arguments_for(output)
    with subprocess.Popen(arguments, cwd=ROOT, stderr=subprocess.PIPE, text=True) as driver:
        lines = []
        for line in driver.stderr:
            lines.append(line.strip())
            if line.startswith(f"{stage} …"):
                time.sleep(delay)
                if victim == "worker":
                    os.kill(chance.choice(children(pool[1].pid)), signal.SIGKILL)
                else:
                    busy = cluster.task_managers.pop(chance.randrange(2))
                    busy.kill()
                    busy.wait()
    if driver.returncode:
        (line,) = (x for x in lines if x.startswith("advin: "))
        assert driver.returncode == 1 and "the same command goes on" in line
        assert not (output / "manifest.json").exists()
    if victim == "TaskManager":
        cluster.add_task_manager()
        cluster.wait_for_slots(4)
    second = run(arguments, output, dict(os.environ))
    assert second.code == 0, second.lines

    ended = "went on by itself" if driver.returncode == 0 else "was started again"
    hashes = " ".join(second.tables[t] for t in TABLES)
    print(f"\n{victim} killed {delay:.1f} s into {stage}: {ended}; {hashes}")
    assert second.tables == undisturbed
    funnel = dict(map(tuple, json.loads((output / "manifest.json").read_text())["funnel"]))
    assert rows_of(output) == funnel["rows read"] == len(LINES)


def rows_of(output: Path) -> int:
    """Rows that the tables account for."""
    counts = pq.read_table(output / "assignments", columns=["count"])["count"]
    return sum(counts.to_pylist()) + pq.read_table(output / "rejects").num_rows


def children(process: int) -> list[int]:
    """Return the processes that a process has started, workers of a pool, once there are any."""
    deadline = time.monotonic() + 30
    while True:
        tasks = Path(f"/proc/{process}/task").glob("*/children")
        found = [int(pid) for task in tasks for pid in task.read_text().split()]
        if found or time.monotonic() > deadline:
            return sorted(found)
        time.sleep(0.05)
