"""Tampered runs: `evaluate`, a second `discover` and `read_run` refuse them with one line.

They work only if they do not read the changed file or replace it: then their results are the same
as before. ADVIN_FUZZ_RUNS says how many runs are changed; `make fuzz` tries 100.
"""

import os
import random
import shutil
from pathlib import Path

import pyarrow as pa
from run_tables import read_tables
from tampering import byte_changes, file_changes, json_changes, parquet_changes

import advin
from advin.pipelines.errors import SettingsError
from advin.runners.cli import main

CASES = int(os.environ.get("ADVIN_FUZZ_RUNS", "20"))


def read(run: Path) -> dict[str, pa.Table]:
    found = advin.read_run(run)
    repr(found)
    tables = {name: found.table(name) for name in found.manifest.tables}
    return tables | {"assigned": found.assign(["find my invoice", "move my parcel"])}


def tampered(original: Path, target: Path, seed: int) -> str:
    """Copy a run, change a file, and perhaps make it unfinished; return what changed."""
    chance = random.Random(seed)
    shutil.copytree(original, target)
    path = chance.choice(sorted(p for p in target.rglob("*") if p.is_file()))
    changes = dict(file_changes) | dict(byte_changes)
    changes |= {".json": json_changes, ".parquet": parquet_changes}.get(path.suffix, {})
    name = chance.choice(sorted(changes))
    changes[name](path, chance)
    # A run without its manifest resumes: it must check what earlier stages wrote.
    unfinished = chance.random() < 0.5
    if unfinished and path != target / "manifest.json":
        (target / "manifest.json").unlink()
    return f"{path.relative_to(target)}: {name}{', unfinished' if unfinished else ''}"


def output_of(arguments: list[str], capsys, what: str) -> str | None:
    """Run a command; return what it prints, or None if it is refused with one line."""
    capsys.readouterr()
    code = main(arguments)
    printed = capsys.readouterr()
    if code == 0:
        return printed.out
    (line,) = printed.err.splitlines()
    assert code == 2 and line.startswith("advin: "), (what, line)
    check_line(line, what)
    return None


def check_line(line: str, what: str) -> None:
    assert line.isprintable() and len(line) <= 300, what


def test_a_tampered_run_is_refused_with_one_line_or_gives_the_same_results(
    inputs, finished, tmp_path, capsys
):
    metrics = output_of(inputs.evaluate(finished), capsys, "the run itself")
    before, files = read(finished), read_tables(finished)
    refused = dict.fromkeys(("evaluate", "discover", "read_run", "any of them"), 0)
    for seed in range(CASES):
        target = tmp_path / str(seed) / "run"
        what = tampered(finished, target, seed)
        evaluated = output_of(inputs.evaluate(target), capsys, what)
        assert evaluated in (None, metrics), what
        try:
            tables = read(target)
        except SettingsError as error:
            tables = None
            check_line(str(error), what)
        assert tables in (None, before), what
        discovered = output_of(inputs.discover(target), capsys, what)
        assert discovered is None or read_tables(target) == files, what
        found = {"evaluate": evaluated, "discover": discovered, "read_run": tables}
        for name, result in found.items():
            refused[name] += result is None
        refused["any of them"] += None in found.values()
        shutil.rmtree(target)
    print(f"\n{CASES} tampered runs; refused with one line: {refused}")
    assert all(refused.values())
