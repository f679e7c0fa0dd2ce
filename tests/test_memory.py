"""A test that rounds of linkage need less memory than linkage on one worker."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.mixtures import draw_mixture
from benchmarks.scale import write_log

ROOT = Path(__file__).parent.parent
ROWS = 70_000
# Memory beyond that of a process that has linked a small log. The log is 108 MB as float32; rounds
# fit into 260 MB, and one worker did not fit into 370 MB.
LIMIT_MB = 310
# Freed memory is returned at once, because the amount kept for later varies between runs.
ALLOCATION = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(2**20),
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}

# Small cells and small blocks of the search, so that the test takes seconds.
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
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_rounds_fit_into_memory_where_one_worker_does_not(logs):
    gathered = limited(logs, "exact")
    assert gathered.returncode != 0, "one worker fits, too: lower the limit"
    found = limited(logs, "linkage")
    assert found.returncode == 0, found.stderr
    assert float(found.stdout) > 90
