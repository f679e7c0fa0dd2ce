"""Shared fixtures.

write_rows      write rows as Parquet, JSONL, CSV, TSV or text: path
run_pipeline    run what a function wires on the in-process engine
sample          the run of the whole sample, with its model
encoder         the real default encoder, loaded once
usual           the same in float32
"""

import csv
import json
import signal
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from advin.discovery.compute.precision import FP32
from advin.discovery.encoding.encoder import load_encoder
from advin.runners.cli import main

EXAMPLES = Path(__file__).parent.parent / "examples"


def pytest_configure():
    """Heed SIGINT, which its tests send, where a shell that began this with `&` does not."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Begin with the longest file, so that processes that share the files end together."""
    items.sort(key=lambda item: item.path.name != "test_sample.py")


@pytest.fixture
def write_rows(tmp_path):
    """Write rows (dicts with the same keys) in the format that the file's name tells."""

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
    """Run what `build(pipeline)` wires, on the in-process engine."""

    def run(build):
        pipeline = beam.Pipeline("FnApiRunner")
        build(pipeline)
        result = pipeline.run()
        result.wait_until_finish()
        return result

    return run


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
    """The default encoder, with its real weights."""
    return load_encoder(None, 2)


@pytest.fixture(scope="session")
def usual():
    """The same in float32, whatever the processor."""
    return load_encoder(None, 2, FP32)
