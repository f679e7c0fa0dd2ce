"""A whole run that is killed at random times gives the same tables in the end.

ADVIN_FUZZ_KILLS says how many kills there are.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from quick import QUICK_FLAGS
from run_tables import read_tables

from advin.runners.cli import main

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples"
KILLS = int(os.environ.get("ADVIN_FUZZ_KILLS", "10"))
ROWS = 300
# Most seconds of an attempt: the first ones end while the program loads, later ones in the fit.
MAX_SECONDS = 20


def kill_after(seconds: float, command: list[str]) -> bool:
    """Start a command, and kill its process group after a time; return False if it ended before."""
    process = subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, process_group=0
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_whole_run_that_is_killed_at_random_times_gives_the_same_tables(tmp_path):
    lines = (EXAMPLES / "log.jsonl").read_text().splitlines()
    (tmp_path / "log.jsonl").write_text("\n".join(random.Random(0).sample(lines, ROWS)))
    files = ["--input", str(tmp_path / "log.jsonl"), "--labeled", str(EXAMPLES / "known.csv")]
    arguments = ["discover", *files, *QUICK_FLAGS, "--output"]
    killed, output = tmp_path / "killed", tmp_path / "whole"
    times = random.Random(1)
    kills = 0
    start = time.monotonic()
    while kills < KILLS and not (killed / "manifest.json").exists():
        seconds = times.uniform(0, MAX_SECONDS)
        kills += kill_after(seconds, [sys.executable, "-m", "advin", *arguments, str(killed)])
    print(f"\n{kills} kills in {time.monotonic() - start:.0f} s")
    assert main([*arguments, str(killed)]) == 0
    assert main([*arguments, str(output)]) == 0
    assert kills and read_tables(killed) == read_tables(output)
