"""Code that engines share: servers, worker pools and one-line errors."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import grpc
import pytest
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc
from process_tree import workers

from advin.pipelines.errors import SettingsError, cause
from advin.pipelines.storage import absolute
from advin.pipelines.version import versions
from advin.runners.processes import answers, free_port, server
from advin.runners.workers import pool_command, worker_pool

ROOT = Path(__file__).parent.parent
WEB_SERVER = """
import sys, time
from advin.runners.processes import server
port = int(sys.argv[1])
with server("a server", [sys.executable, "-m", "http.server", str(port)], port):
    print("up", flush=True)
    time.sleep(60)
"""


def wait_until(happens) -> None:
    deadline = time.monotonic() + 20
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_server_that_ends_at_once_says_why():
    command = [sys.executable, "-c", "import sys; sys.exit('no license')"]
    with (
        pytest.raises(
            SettingsError, match=r"the engine ended with code 1: no license; run `.*` to see why"
        ),
        server("the engine", command, free_port()),
    ):
        pass


def test_a_server_that_does_not_listen_is_refused():
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    with (
        pytest.raises(SettingsError, match=r"does not listen on port .* wrote nothing"),
        server("the engine", command, free_port(), seconds=0.5),
    ):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_servers_end_with_the_process_that_started_them(number):
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-c", WEB_SERVER, str(port)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as driver:
        assert driver.stdout.readline() == b"up\n" and answers("localhost", port)
        os.kill(driver.pid, number)
    wait_until(lambda: not answers("localhost", port))


def test_a_pool_separates_workers_of_one_id():
    """TaskManagers use the same numbers for their workers; each may stop only its own."""
    port = free_port()
    request = beam_fn_api_pb2.StartWorkerRequest(worker_id="1-1")
    request.control_endpoint.url = f"localhost:{free_port()}"
    stop = beam_fn_api_pb2.StopWorkerRequest(worker_id="1-1")
    with server("a pool", pool_command(port), port) as pool:
        # Channels with other options do not share a connection.
        options = ([("grpc.primary_user_agent", name)] for name in ("first", "second"))
        channels = [grpc.insecure_channel(f"localhost:{port}", o) for o in options]
        first, second = map(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub, channels)
        first.StartWorker(request)
        (kept,) = workers(pool.pid)
        second.StartWorker(request)
        assert len(workers(pool.pid)) == 2
        second.StopWorker(stop)
        assert workers(pool.pid) == [kept]
    wait_until(lambda: not Path(f"/proc/{kept}").exists())


def test_a_pool_restarts_a_dead_worker():
    port = free_port()
    request = beam_fn_api_pb2.StartWorkerRequest(worker_id="1-1")
    request.control_endpoint.url = f"localhost:{free_port()}"
    with server("a pool", pool_command(port), port) as pool:
        channel = grpc.insecure_channel(f"localhost:{port}")
        beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub(channel).StartWorker(request)
        (killed,) = workers(pool.pid)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: workers(pool.pid) not in ([], [killed]))


def test_a_pool_stops_listening():
    with worker_pool() as address:
        host, port = address.split(":")
        assert answers(host, int(port))
    assert not answers(host, int(port))


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            "java.lang.X: Traceback:\n  File y\nOSError: disk full\n\tat java.z",
            "OSError: disk full",
        ),
        ("java.util.A: b\nCaused by: io.netty.C: d\nCaused by: java.net.E: refused", "refused"),
        ("something else\nat x", "something else"),
        (
            "Pipeline advin-embed_1-2 failed in state FAILED: org.x.StatusRuntimeException: "
            "org.x.StatusRuntimeException: CANCELLED: client cancelled",
            "a worker has died or was stopped (CANCELLED: client cancelled)",
        ),
    ],
)
def test_the_cause_is_one_line_of_a_long_message(message, line):
    assert cause(message) == line


def test_versions_hold_a_digest_of_the_code():
    found = versions()
    assert len(found["code"]) == 16 and found == versions()
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))


def test_absolute_paths_do_not_depend_on_the_process(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert absolute("log.csv") == str(tmp_path / "log.csv")
    assert absolute("gs://bucket/log.csv") == "gs://bucket/log.csv"
