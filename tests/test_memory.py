"""Rounds of linkage in memory that what they link would not fit into."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.mixtures import draw_mixture
from benchmarks.scale import write_log

ROOT = Path(__file__).parent.parent
ROWS = 70_000
# Beyond what the process has after it has linked a small log. The log is 108 MB as float32; rounds
# were seen to fit into 260, one worker not to fit into 370.
LIMIT_MB = 310
# What is freed goes back at once: how much is kept for later differs from run to run.
ALLOCATION = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(2**20),
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}

# Cells are small, and searched in small blocks, so that it takes seconds.
LIMITED = """
import resource, sys
from pathlib import Path
from benchmarks import scale
from advin.discovery.clustering import partition

partition._BLOCK = 1024
sizes = {"cell_rows": 1024, "max_cell_rows": 2048, "wave_clusters": 15_000}
scale._CONFIG = scale._CONFIG.with_mapping({"linkage": sizes})
small, folder, rows, method, megabytes = Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]
for first in (scale.linkage, scale.exact):
    first(small, 5_000, 1_000)
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
limit = int(status["VmData"].split()[0]) * 1024 + int(megabytes) * 2**20
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
print(getattr(scale, method)(folder, int(rows), 20_000)["ARI"])
"""


def write(folder: Path, rows: int) -> str:
    drawn = draw_mixture(rows)
    write_log(folder, drawn.vectors, drawn.intents)
    return str(folder)


@pytest.fixture(scope="module")
def logs(tmp_path_factory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("logs")
    return write(folder / "small", 5_000), write(folder / "large", ROWS)


def limited(logs: tuple[str, str], method: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", LIMITED, *logs, str(ROWS), method, str(LIMIT_MB)]
    environment = os.environ | ALLOCATION
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_rounds_fit_where_gathering_does_not(logs):
    gathered = limited(logs, "exact")
    assert gathered.returncode != 0, "one worker could have done it: the limit shows nothing"
    found = limited(logs, "linkage")
    assert found.returncode == 0, found.stderr
    assert float(found.stdout) > 90
