"""Whole runs on fuzzed logs: every row is in `assignments` or in `rejects`, or one line refuses it.

ADVIN_FUZZ_WHOLE says how many logs there are; `make fuzz` takes 50. All runs share a model.
"""

import glob
import os
import shutil

import pyarrow.parquet as pq
from made_inputs import make
from test_fuzzed_inputs import read

from advin.runners.cli import main

CASES = int(os.environ.get("ADVIN_FUZZ_WHOLE", "4"))
SEED = int(os.environ.get("ADVIN_FUZZ_SEED", "0"))


def test_a_run_on_a_fuzzed_log_accounts_for_every_row_or_is_refused(finished, tmp_path, capsys):
    worked = rejected = 0
    for seed in range(SEED, SEED + CASES):
        folder, output = tmp_path / "case", tmp_path / "out"
        folder.mkdir()
        made = make(folder, seed)
        log = glob.escape(str(made.path))
        capsys.readouterr()
        code = main(
            ["discover", f"--input={log}", f"--model={finished / 'model'}", f"--output={output}"]
        )
        err = capsys.readouterr().err
        if code == 0:
            assignments, rejects = (pq.read_table(output / t) for t in ("assignments", "rejects"))
            rows = sum(assignments["count"].to_pylist()) + rejects.num_rows
            assert rows == read(log) and made.rows in (None, rows), made.what
            assert pq.read_table(output / "rows").num_rows == rows - rejects.num_rows, made.what
            worked, rejected = worked + 1, rejected + rejects.num_rows
        else:
            (line,) = [line for line in err.splitlines() if line.startswith("advin: ")]
            assert code == 2 and line.isprintable() and len(line) <= 300, (made.what, err)
            assert made.rows is None or "can be used" in line, (made.what, line)
            assert not (output / "manifest.json").exists(), made.what
        shutil.rmtree(folder)
        shutil.rmtree(output, ignore_errors=True)
    print(f"\n{CASES} whole runs: {worked} worked and rejected {rejected} rows, the rest refused")
    assert worked > CASES / 4
