"""Fuzzed inputs: every record becomes a row or a reject, or the file is refused with one line.

ADVIN_FUZZ_INPUTS says how many are read in this process, ADVIN_FUZZ_COMMANDS how many are given to
the command; `make fuzz` takes 10,000 and 500. One command of 50 has a process of its own.
"""

import glob
import os
import shutil
import signal
import subprocess
import sys
import time

from made_inputs import make

from advin.pipelines.errors import SettingsError
from advin.pipelines.reading.columns import Columns
from advin.pipelines.reading.inputs import find_input
from advin.pipelines.reading.read import read_piece, split_file
from advin.runners.cli import main

CASES = int(os.environ.get("ADVIN_FUZZ_INPUTS", "300"))
COMMANDS = int(os.environ.get("ADVIN_FUZZ_COMMANDS", "5"))
PER_PROCESS = 50
SEED = int(os.environ.get("ADVIN_FUZZ_SEED", "0"))
MAX_SECONDS = 10


class HangError(BaseException):
    """A file took too long; no reader catches it."""


def stop(number: int, frame: object) -> None:
    raise HangError


def read(path: str) -> int:
    """Read a file as the stage ingest does; return the number of rows and rejects."""
    columns = Columns("text")
    rows = 0
    for file in find_input(path, columns, "--input"):
        for piece in split_file(file):
            for row in read_piece(piece, columns):
                assert row.problem is not None or isinstance(row.text, str)
                rows += 1
    return rows


def test_fuzzed_inputs_lose_no_row_and_raise_no_other_error(tmp_path):
    tracebacks, hangs, lost, refused, counted = [], [], [], 0, 0
    before = signal.signal(signal.SIGALRM, stop)
    start = time.monotonic()
    for seed in range(SEED, SEED + CASES):
        folder = tmp_path / "case"
        folder.mkdir()
        made = make(folder, seed)
        counted += made.rows is not None
        signal.alarm(MAX_SECONDS)
        try:
            rows = read(glob.escape(str(made.path)))
            if made.rows is not None and rows != made.rows:
                lost.append(f"{made.what}: {rows} of {made.rows} rows")
        except SettingsError as error:
            refused += 1
            if not str(error).isprintable() or len(str(error)) > 300:
                tracebacks.append(f"{made.what}: {error}")
            elif made.rows is not None:
                lost.append(f"{made.what}: {error}")
        except HangError:
            hangs.append(made.what)
        except Exception as error:
            tracebacks.append(f"{made.what}: {type(error).__name__}: {error}")
        finally:
            signal.alarm(0)
            shutil.rmtree(folder)
    signal.signal(signal.SIGALRM, before)
    seconds = time.monotonic() - start
    print(
        f"\n{CASES} inputs in {seconds:.0f} s, {counted} with known rows: "
        f"{len(tracebacks)} tracebacks, "
        f"{len(hangs)} hangs, {refused} refused with one line, {len(lost)} with lost rows"
    )
    assert not [*tracebacks, *hangs, *lost], "\n".join([*tracebacks, *hangs, *lost][:20])


def test_the_command_refuses_what_it_cannot_read_with_one_line(tmp_path, capsys):
    processes = 0
    for seed in range(SEED, SEED + COMMANDS):
        folder = tmp_path / "case"
        folder.mkdir()
        made = make(folder, seed)
        # Inputs are checked before the encoder, which does not exist: so each command ends soon.
        arguments = ["discover", f"--input={glob.escape(str(made.path))}"]
        arguments += [f"--output={tmp_path / 'out'}", f"--encoder={tmp_path / 'none'}/"]
        capsys.readouterr()
        if seed % PER_PROCESS == 0:
            command = [sys.executable, "-m", "advin", *arguments]
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            code, err, processes = done.returncode, done.stderr, processes + 1
        else:
            code, err = main(arguments), capsys.readouterr().err
        lines = [line for line in err.splitlines() if line.startswith("advin: ")]
        assert code == 2 and len(lines) == 1, (made.what, err)
        assert "Traceback" not in err and lines[0].isprintable() and len(lines[0]) <= 300, made.what
        assert not (tmp_path / "out").exists(), made.what
        shutil.rmtree(folder)
    print(f"\n{COMMANDS} commands, {processes} in processes of their own: each refused with a line")
