"""Shared fixtures.

write_rows      writes rows as Parquet, JSONL, CSV, TSV or text and returns the path
run_pipeline    runs the pipeline that a function builds on the in-process engine
sample          the folder of a run of the whole sample, with its model
encoder         the default encoder with its real weights, loaded once
encoder_fp32    the same in float32 on any processor
"""

import csv
import json
import signal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pipelines_in_process import run_in_process

from advin.discovery.compute.precision import FP32
from advin.discovery.encoding.encoder import load_encoder
from advin.runners.cli import main

EXAMPLES = Path(__file__).parent.parent / "examples"


def pytest_configure():
    """Restore SIGINT, which some tests send: a shell that starts a job with `&` ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Start with the longest file, so that parallel processes end at about the same time."""
    items.sort(key=lambda item: item.path.name != "test_sample.py")


@pytest.fixture
def write_rows(tmp_path):
    """Write rows (dicts with the same keys) in the format of the file name's suffix."""

    def write(name: str, rows: list[dict]):
        path = tmp_path / name
        columns = list(rows[0]) if rows else ["text"]
        if name.endswith(".parquet"):
            pq.write_table(pa.Table.from_pylist(rows), path)
        elif name.endswith(".jsonl"):
            path.write_text("".join(json.dumps(r) + "\n" for r in rows))
        elif name.endswith((".csv", ".tsv")):
            with open(path, "w", newline="") as file:
                writer = csv.DictWriter(
                    file, columns, delimiter="," if name.endswith("csv") else "\t"
                )
                writer.writeheader()
                writer.writerows(rows)
        else:
            path.write_text("".join(r["text"] + "\n" for r in rows))
        return path

    return write


@pytest.fixture
def run_pipeline():
    """Run the pipeline of `build(pipeline)` on the in-process engine and return its result."""
    return run_in_process


@pytest.fixture(scope="session")
def sample(tmp_path_factory):
    """Folder of the run that `make demo` makes, with its model; this takes minutes."""
    output = tmp_path_factory.mktemp("sample") / "run"
    arguments = ["discover", "--input", EXAMPLES / "log.jsonl", "--output", output]
    arguments += ["--labeled", EXAMPLES / "known.csv", "--ood", EXAMPLES / "ood.txt"]
    assert main([str(a) for a in arguments]) == 0
    return output


@pytest.fixture(scope="session")
def encoder():
    """The default encoder with its real weights."""
    return load_encoder(None, 2)


@pytest.fixture(scope="session")
def encoder_fp32():
    """The default encoder in float32 on any processor."""
    return load_encoder(None, 2, FP32)
