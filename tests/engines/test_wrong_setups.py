"""Wrong set-ups of real engines: one clear line, exit code 2, before anything dear is sent."""

import contextlib
import shutil
import sys
from pathlib import Path

import pytest
from sample import EXAMPLES, ROOT

from advin.runners.processes import free_port, server

pytestmark = [pytest.mark.engines, pytest.mark.timeout(120, func_only=True)]
# On 2 quiet cores it is 1 to 16 s; the pools that tests start are still loading torch when they are
# asked, and on a slow machine that has taken 33 s. What is not refused hangs for minutes.
SECONDS = 60


@pytest.fixture
def refused(discover):
    """Run on Flink with flags, and check that it is refused in a line that holds some words."""

    def check(*flags, words: list[str], **environment):
        outcome = discover("--runner", "flink", *flags, **environment)
        assert outcome.code == 2, outcome.lines
        for word in words:
            assert word in outcome.error
        assert outcome.seconds < SECONDS
        print(f"{outcome.seconds:.0f} s, {outcome.error}")
        return outcome

    return check


@contextlib.contextmanager
def pool_of(folder: Path, *settings: str, module: str = "advin.runners.pool", flag: str = "--port"):
    """A worker pool that was started in a folder, with settings of its environment."""
    port = free_port()
    command = ["env", "-C", str(folder), *settings, sys.executable, "-m", module, f"{flag}={port}"]
    with server("a worker pool", command, port):
        yield f"localhost:{port}"


def test_no_job_server(refused, tmp_path):
    words = ["--flink-job-server", "neither a jar nor a folder"]
    refused("--flink-job-server", tmp_path / "none.jar", words=words)


def test_a_job_server_that_is_none(refused, tmp_path):
    (tmp_path / "job-server.jar").write_bytes(b"not a jar")
    words = ["Beam's job server", "ended with code 1", "corrupt jarfile"]
    refused("--flink-job-server", tmp_path / "job-server.jar", words=words)


def test_no_java(refused):
    python_only = str(Path(sys.executable).parent)
    refused(words=["needs Java", "on PATH"], PATH=python_only, JAVA_HOME="")


def test_no_cluster(refused):
    master = f"localhost:{free_port()}"
    refused("--flink-master", master, words=["--flink-master", master, "refused"])


def test_something_else_than_a_cluster(refused, pool):
    refused("--flink-master", pool, words=["--flink-master", "no Flink answers"])


def test_no_worker_pool(refused, cluster):
    address = f"localhost:{free_port()}"
    flags = ["--flink-master", cluster.master, "--worker-pool", address]
    refused(*flags, words=["--worker-pool", address])


def test_a_pool_that_starts_no_workers(refused, cluster, tmp_path):
    """As Beam's own pool does when the `python` on its PATH is another one."""
    true = shutil.which("true")
    (tmp_path / "python").symlink_to(true)
    beam = {"module": "apache_beam.runners.worker.worker_pool_main", "flag": "--service_port"}
    with pool_of(ROOT, f"PATH={tmp_path}:/bin:/usr/bin", **beam) as address:
        flags = ["--flink-master", cluster.master, "--worker-pool", address]
        refused(*flags, words=["no worker answered", "apache_beam"])


def test_workers_without_the_package(refused, cluster, tmp_path):
    # A module that raises, since an editable installation would replace one that is missing.
    shutil.copytree(ROOT / "advin", tmp_path / "advin")
    missing = "raise ModuleNotFoundError(\"No module named 'advin.pipelines.version'\")\n"
    (tmp_path / "advin" / "pipelines" / "version.py").write_text(missing)
    with pool_of(tmp_path, f"PYTHONPATH={tmp_path}") as address:
        flags = ["--flink-master", cluster.master, "--worker-pool", address]
        refused(*flags, words=["cannot import this package", "pipelines.version", "install advin"])


def test_workers_with_another_version(refused, cluster, tmp_path):
    shutil.copytree(ROOT / "advin", tmp_path / "advin")
    with open(tmp_path / "advin" / "discovery" / "config.py", "a") as file:
        file.write("# another version\n")
    with pool_of(tmp_path, f"PYTHONPATH={tmp_path}") as address:
        flags = ["--flink-master", cluster.master, "--worker-pool", address]
        refused(*flags, words=["has code", "but this process has", "the same version"])


# In /proc/self/cwd each process sees its own folder: a path that means another place to a worker.


def test_an_output_that_only_the_driver_sees(refused, cluster, tmp_path):
    with pool_of(tmp_path, f"PYTHONPATH={ROOT}") as address:
        output = Path("/proc/self/cwd/.engines-output")
        flags = ["--flink-master", cluster.master, "--worker-pool", address]
        refused(*flags, output=output, words=["--output must be on a file system", "share"])


def test_an_input_that_only_the_driver_sees(refused, cluster, tmp_path):
    with pool_of(tmp_path, f"PYTHONPATH={ROOT}") as address:
        log = f"/proc/self/cwd/{EXAMPLES.relative_to(ROOT)}/log.jsonl"
        flags = ["--flink-master", cluster.master, "--worker-pool", address, "--input", log]
        refused(*flags, words=["cannot see", log, "share"])


def test_more_tasks_than_slots_are_refused_before_they_are_sent(refused, cluster, pool):
    flags = ["--flink-master", cluster.master, "--worker-pool", pool, "--parallelism", "5"]
    refused(*flags, words=["--parallelism", "5", "4 task slots"])
