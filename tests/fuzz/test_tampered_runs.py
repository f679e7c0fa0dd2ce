"""Tampered runs: `evaluate`, a second `discover` and `read_run` work or are refused with one line.

ADVIN_FUZZ_RUNS says how many; `make fuzz` tries 100.
"""

import os
import random
import shutil
from pathlib import Path

import pytest
from tampering import byte_changes, file_changes, json_changes, parquet_changes

import advin
from advin.pipelines.errors import SettingsError
from advin.runners.cli import main

CASES = int(os.environ.get("ADVIN_FUZZ_RUNS", "20"))
TOPICS = ("parcel", "refund", "password", "flight", "invoice")
VERBS = ("find", "move", "see", "cancel")
QUICK = {"metric.steps": 2, "stability.max_steps": 2, "stability.heads": 2, "views.count": 0}
QUICK |= {"novelty.space.steps": 3, "intents.min_size": 2}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder with a log and its true labels."""
    folder = tmp_path_factory.mktemp("inputs")
    texts = [(f"{verb} my {topic} now", topic) for topic in TOPICS for verb in VERBS]
    (folder / "log.txt").write_text("".join(f"{text}\n" for text, _ in texts))
    rows = "".join(f"{text},{topic}\n" for text, topic in texts)
    (folder / "truth.csv").write_text("text,intent\n" + rows)
    # The last topic stays unknown.
    known = [row for row in rows.splitlines() if not row.endswith(TOPICS[-1])]
    (folder / "known.csv").write_text("\n".join(["text,intent", *known]))
    return folder


@pytest.fixture(scope="module")
def original(inputs):
    """The folder of a finished run."""
    assert main(discover(inputs, inputs / "run")) == 0
    return inputs / "run"


def discover(inputs: Path, output: Path) -> list[str]:
    settings = [part for name, value in QUICK.items() for part in ("--set", f"{name}={value}")]
    files = ["--input", str(inputs / "log.txt"), "--labeled", str(inputs / "known.csv")]
    return ["discover", *files, "--output", str(output), *settings]


def evaluate(inputs: Path, output: Path) -> list[str]:
    return ["evaluate", "--run", str(output), "--truth", str(inputs / "truth.csv")]


def read(output: Path) -> None:
    run = advin.read_run(output)
    for name in run.manifest.tables:
        assert run.table(name).num_columns
    repr(run)


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


def one_line(arguments: list[str], capsys: pytest.CaptureFixture[str], what: str) -> int:
    """Run a command that must work, or be refused with one line; return its exit code."""
    capsys.readouterr()
    code = main(arguments)
    if code:
        (line,) = capsys.readouterr().err.splitlines()
        assert code == 2, (what, line)
        assert line.startswith("advin: "), what
        check_line(line, what)
    return code


def check_line(line: str, what: str) -> None:
    assert line.isprintable() and len(line) <= 300, what


def test_a_tampered_run_works_or_is_refused_with_one_line(inputs, original, tmp_path, capsys):
    refused = dict.fromkeys(("evaluate", "discover", "read_run"), 0)
    for seed in range(CASES):
        target = tmp_path / str(seed) / "run"
        what = tampered(original, target, seed)
        refused["evaluate"] += bool(one_line(evaluate(inputs, target), capsys, what))
        try:
            read(target)
        except SettingsError as error:
            refused["read_run"] += 1
            check_line(str(error), what)
        refused["discover"] += bool(one_line(discover(inputs, target), capsys, what))
        shutil.rmtree(target)
    print(f"\n{CASES} tampered runs; refused with one line: {refused}")
    assert all(refused.values())
