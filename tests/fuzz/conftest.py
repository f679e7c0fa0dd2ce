"""A small log and a finished run of it, whose model other runs share."""

from pathlib import Path
from typing import NamedTuple

import pytest
from quick import QUICK_FLAGS

from advin.runners.cli import main

TOPICS = ("parcel", "refund", "password", "flight", "invoice")
VERBS = ("find", "move", "see", "cancel")


class Inputs(NamedTuple):
    """A log, labeled utterances and true labels: the commands that read them.

    Attributes:
        folder: folder of the files.
    """

    folder: Path

    def discover(self, output: Path) -> list[str]:
        """Return the command that finds intents in the log."""
        files = ["--input", str(self.folder / "log.txt")]
        files += ["--labeled", str(self.folder / "known.csv"), "--output", str(output)]
        return ["discover", *files, *QUICK_FLAGS, "--set", "intents.min_size=2"]

    def evaluate(self, run: Path) -> list[str]:
        """Return the command that compares a run with the truth."""
        return ["evaluate", "--run", str(run), "--truth", str(self.folder / "truth.csv")]


@pytest.fixture(scope="session")
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
    return Inputs(folder)


@pytest.fixture(scope="session")
def finished(inputs):
    """The folder of a finished run."""
    assert main(inputs.discover(inputs.folder / "run")) == 0
    return inputs.folder / "run"
