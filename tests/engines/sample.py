"""Runs of the sample in processes of their own, and the tables that they write."""

import hashlib
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
TABLES = ("assignments", "rows", "intents", "domains", "rejects")


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    code: int
    lines: list[str]
    output: Path
    seconds: float

    @property
    def error(self) -> str:
        """The only line that begins with advin."""
        (line,) = (x for x in self.lines if x.startswith("advin: "))
        return line

    @property
    def tables(self) -> dict[str, str]:
        """A hash of each table's files."""
        return {table: hash_of(self.output / table) for table in TABLES}


def hash_of(folder: Path) -> str:
    """Hash the names and bytes of a folder's files."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def command(model: Path, output: Path | str, *flags) -> list[str]:
    """Return the command line that discovers intents in the sample."""
    arguments = ["discover", "--input", EXAMPLES / "log.jsonl", "--model", model]
    arguments += ["--output", output, *flags]
    return [sys.executable, "-m", "advin", *map(str, arguments)]


def fit_command(model: Path, *flags) -> list[str]:
    """Return the command line that fits a model to the sample, with --effort fast."""
    arguments = ["fit", "--input", EXAMPLES / "log.jsonl", "--labeled", EXAMPLES / "known.csv"]
    arguments += ["--ood", EXAMPLES / "ood.txt", "--effort", "fast", "--model", model, *flags]
    return [sys.executable, "-m", "advin", *map(str, arguments)]


def run(arguments: list[str], output: Path, environment: dict[str, str]) -> Outcome:
    """Run a command to its end."""
    start = time.monotonic()
    done = subprocess.run(
        arguments, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True, check=False
    )
    seconds = time.monotonic() - start
    return Outcome(done.returncode, done.stderr.splitlines(), output, seconds)
