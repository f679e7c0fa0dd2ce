"""Wrong set-ups of real engines: one line and exit code 2, before any stage is submitted."""

import contextlib
import shutil
import sys
from pathlib import Path

import pytest
from sample import EXAMPLES, ROOT

from advin.runners.processes import free_port, server

pytestmark = [pytest.mark.engines, pytest.mark.timeout(120, func_only=True)]
# 1 to 16 s on 2 idle cores, up to 33 s on a slow machine, as pools still load torch when they are
# asked. Without the check, a run hangs for minutes.
SECONDS = 60


@pytest.fixture
def refused(discover):
    """Run on Flink with flags; check that the run is refused with a line that holds some words."""

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


def test_a_missing_job_server_is_refused(refused, tmp_path):
    words = ["--flink-job-server", "neither a jar nor a folder"]
    refused("--flink-job-server", tmp_path / "none.jar", words=words)


def test_a_file_that_is_no_job_server_is_refused(refused, tmp_path):
    (tmp_path / "job-server.jar").write_bytes(b"not a jar")
    words = ["Beam's job server", "ended with code 1", "corrupt jarfile"]
    refused("--flink-job-server", tmp_path / "job-server.jar", words=words)


def test_a_machine_without_java_is_refused(refused):
    python_only = str(Path(sys.executable).parent)
    refused(words=["needs Java", "on PATH"], PATH=python_only, JAVA_HOME="")


def test_a_missing_cluster_is_refused(refused):
    master = f"localhost:{free_port()}"
    refused("--flink-master", master, words=["--flink-master", master, "refused"])


def test_an_address_of_another_server_is_refused(refused, pool):
    refused("--flink-master", pool, words=["--flink-master", "no Flink answers"])


def test_a_missing_worker_pool_is_refused(refused, cluster):
    address = f"localhost:{free_port()}"
    flags = ["--flink-master", cluster.master, "--worker-pool", address]
    refused(*flags, words=["--worker-pool", address])


def test_a_pool_that_starts_no_workers_is_refused(refused, cluster, tmp_path):
    """Beam's own pool does so when the first `python` on PATH is another one."""
    true = shutil.which("true")
    (tmp_path / "python").symlink_to(true)
    beam = {"module": "apache_beam.runners.worker.worker_pool_main", "flag": "--service_port"}
    with pool_of(ROOT, f"PATH={tmp_path}:/bin:/usr/bin", **beam) as address:
        flags = ["--flink-master", cluster.master, "--worker-pool", address]
        refused(*flags, words=["no worker answered", "apache_beam"])


def test_workers_without_the_package_are_refused(refused, cluster, tmp_path):
    # A module that raises, since an editable installation would replace one that is missing.
    shutil.copytree(ROOT / "advin", tmp_path / "advin")
    missing = "raise ModuleNotFoundError(\"No module named 'advin.pipelines.version'\")\n"
    (tmp_path / "advin" / "pipelines" / "version.py").write_text(missing)
    with pool_of(tmp_path, f"PYTHONPATH={tmp_path}") as address:
        flags = ["--flink-master", cluster.master, "--worker-pool", address]
        refused(
            *flags, words=["cannot import this package", "advin.pipelines.version", "install advin"]
        )


def test_workers_of_another_version_are_refused(refused, cluster, tmp_path):
    shutil.copytree(ROOT / "advin", tmp_path / "advin")
    with open(tmp_path / "advin" / "discovery" / "config.py", "a") as file:
        file.write("# another version\n")
    with pool_of(tmp_path, f"PYTHONPATH={tmp_path}") as address:
        flags = ["--flink-master", cluster.master, "--worker-pool", address]
        refused(*flags, words=["has code", "but this process has", "the same version"])


# /proc/self/cwd is the own folder of each process, so to a worker the path is another place.


def test_an_output_that_workers_do_not_see_is_refused(refused, cluster, tmp_path):
    with pool_of(tmp_path, f"PYTHONPATH={ROOT}") as address:
        output = Path("/proc/self/cwd/.engines-output")
        flags = ["--flink-master", cluster.master, "--worker-pool", address]
        refused(*flags, output=output, words=["--output must be on a file system", "share"])


def test_an_input_that_workers_do_not_see_is_refused(refused, cluster, tmp_path):
    with pool_of(tmp_path, f"PYTHONPATH={ROOT}") as address:
        log = f"/proc/self/cwd/{EXAMPLES.relative_to(ROOT)}/log.jsonl"
        flags = ["--flink-master", cluster.master, "--worker-pool", address, "--input", log]
        refused(*flags, words=["cannot see", log, "share"])


def test_more_tasks_than_slots_are_refused(refused, cluster, pool):
    flags = ["--flink-master", cluster.master, "--worker-pool", pool, "--parallelism", "5"]
    refused(*flags, words=["--parallelism", "5", "4 task slots"])
