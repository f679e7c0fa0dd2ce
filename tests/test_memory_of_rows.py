"""The rows of one text need no memory: a greeting can be a large part of a log."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parent.parent
ROWS = 1_000_000
# Beyond what a log of few rows takes. The rows alone would take 300 MB as Python values.
LIMIT_MB = 120
CODE = """
import resource, sys
sys.path.insert(0, "tests")
from pathlib import Path
from pipelines_in_process import run_in_process
from rows import make_rows
from advin.pipelines.reading.row_columns import RowColumns

names = RowColumns(id="id", time="time", conversation="chat", keep=("channel",))
_, read, written = make_rows(run_in_process, sys.argv[1], Path(sys.argv[2]), names, load=False)
assert read.utterances == 1 and written.rows_written == int(sys.argv[3])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def peak_mb(folder: Path, rows: int) -> int:
    folder.mkdir()
    table = pa.table({
        "text": ["Hello"] * rows,
        "id": range(rows),
        "time": pa.array(range(rows), pa.timestamp("s")),
        "chat": ["c-1"] * rows,
        "channel": ["web"] * rows,
    })  # fmt: skip
    pq.write_table(table, folder / "log.parquet", row_group_size=rows)
    command = [sys.executable, "-c", CODE, folder / "log.parquet", folder, rows]
    found = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT, env=os.environ | {"MALLOC_ARENA_MAX": "1"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    return int(found.stdout)


@pytest.mark.slow
def test_a_million_rows_of_one_text_need_no_memory(tmp_path):
    few, many = peak_mb(tmp_path / "few", 20_000), peak_mb(tmp_path / "many", ROWS)
    assert many - few < LIMIT_MB, (few, many)
