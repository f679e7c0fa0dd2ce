"""A pool that starts Beam workers: `python -m runners.pool --port 50000` beside each TaskManager.

It differs from Beam's own worker pool where that one fails on a Flink cluster: workers run the
Python of the pool and not whatever `python` is first on PATH; several TaskManagers can share it,
though each numbers its workers from 1-1; and no worker outlives it.
"""

import argparse
import contextlib
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc

_WORKER = (
    "import sys; from apache_beam.runners.worker.sdk_worker import SdkHarness; "
    "SdkHarness(sys.argv[1], worker_id=sys.argv[2]).run()"
)
_STOP_SECONDS = 5.0
_log = logging.getLogger("advin.pool")


class _Pool(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer):
    """Starts and stops a process for each worker that an engine asks for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By who asked for it, too: the ids alone are not unique.
        self._workers: dict[tuple[str, str], subprocess.Popen] = {}

    def StartWorker(self, request, context):
        """Start a worker that connects to the engine."""
        command = [sys.executable, "-c", _WORKER, request.control_endpoint.url, request.worker_id]
        worker = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        with self._lock:
            ended = [key for key, process in self._workers.items() if process.poll() is not None]
            for key in ended:
                del self._workers[key]
            self._workers[context.peer(), request.worker_id] = worker
        _log.info("started worker %s for %s", request.worker_id, request.control_endpoint.url)
        return beam_fn_api_pb2.StartWorkerResponse()

    def StopWorker(self, request, context):
        """Stop a worker; one that is not found ends by itself when the engine hangs up."""
        with self._lock:
            worker = self._workers.pop((context.peer(), request.worker_id), None)
        if worker is not None:
            _end(worker)
        return beam_fn_api_pb2.StopWorkerResponse()

    def stop_all(self) -> None:
        """Stop all workers."""
        with self._lock:
            workers, self._workers = list(self._workers.values()), {}
        for worker in workers:
            worker.terminate()
        for worker in workers:
            _end(worker)


def _end(worker: subprocess.Popen) -> None:
    worker.terminate()
    try:
        worker.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


@contextlib.contextmanager
def serving(port: int) -> Iterator[None]:
    """Serve on a port of all interfaces; stop the workers at the end."""
    pool = _Pool()
    server = grpc.server(ThreadPoolExecutor(max_workers=16))
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    if not server.add_insecure_port(f"[::]:{port}"):
        raise OSError(f"port {port} is taken")
    server.start()
    try:
        yield
    finally:
        server.stop(None)
        pool.stop_all()


def main() -> None:
    """Serve until a signal says stop."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=50000, help="(%(default)s)")
    port = parser.parse_args().port
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with serving(port):
        stop.wait()


if __name__ == "__main__":
    main()
