"""Fixtures of the engine tests: real programs, a real cluster, one model.

cluster         a Flink with two TaskManagers of two slots, and a worker pool that both share
model           a model fitted on the sample
discover        run `advin discover` on the sample in a process of its own, with more flags: Outcome
reference       the tables of the in-process run
"""

import os
from pathlib import Path

import programs
import pytest
from cluster import FlinkCluster
from sample import command, fit_command, run

from advin.runners.processes import share_processors
from advin.runners.workers import worker_pool

# One test runs a command in this process.
share_processors()


@pytest.fixture(scope="session", autouse=True)
def flink_or_a_loud_reason():
    lacking = programs.missing()
    if lacking:
        pytest.skip(f"THE ENGINE TESTS DID NOT RUN: {lacking}")
    os.environ["ADVIN_FLINK_JOB_SERVER"] = str(programs.job_server())


@pytest.fixture(scope="session")
def cluster(tmp_path_factory, flink_or_a_loud_reason):
    flink = FlinkCluster(programs.cluster_jars(), tmp_path_factory.mktemp("flink"))
    with flink.running(task_managers=2, slots=2):
        yield flink


@pytest.fixture(scope="session")
def pool():
    with worker_pool() as address:
        yield address


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """The model in ADVIN_MODEL, or else one that is fitted to the sample in some minutes."""
    if "ADVIN_MODEL" in os.environ:
        return Path(os.environ["ADVIN_MODEL"])
    folder = tmp_path_factory.mktemp("model") / "fitted"
    outcome = run(fit_command(folder), folder, dict(os.environ))
    assert outcome.code == 0, outcome.lines
    return folder


@pytest.fixture(scope="session")
def discover(model, tmp_path_factory):
    def start(*flags, output=None, **environment: str):
        output = output or tmp_path_factory.mktemp("run") / "out"
        return run(command(model, output, *flags), output, os.environ | environment)

    return start


@pytest.fixture(scope="session")
def reference(discover):
    outcome = discover("--runner", "direct")
    assert outcome.code == 0, outcome.lines
    return outcome.tables
