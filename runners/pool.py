"""A pool that starts Beam workers: `python -m advin.runners.pool --port 50000`.

On Flink, a pool runs beside each TaskManager. It differs from Beam's own worker pool, which has
problems on a Flink cluster: workers run the Python of the pool, not the first `python` on PATH;
several TaskManagers can share a pool, although each numbers its workers from 1-1; a worker that
dies is started again; and no worker outlives the pool.

Workers are forked from a process that has loaded this package and torch. Engines start new workers
for every stage, and Beam takes three minutes to notice a worker that dies while it loads.
"""

import argparse
import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import forkserver

import grpc
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc

from advin.runners.processes import share_processors

# A module that cannot be imported is skipped here; the worker reports it later.
_LOADED = ["apache_beam.runners.worker.sdk_worker", "advin.pipelines.discover"]
_STOP_SECONDS = 5.0
_MORE_STARTS = 3
_FORKS = multiprocessing.get_context("forkserver")
_Worker = multiprocessing.context.ForkServerProcess


class _Pool(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer):
    """Starts and stops a process for each worker that an engine asks for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By client and id, as ids alone are not unique.
        self._workers: dict[tuple[str, str], _Worker] = {}

    def StartWorker(  # noqa: N802 (the name is that of the protocol)
        self, request: beam_fn_api_pb2.StartWorkerRequest, context: grpc.ServicerContext
    ) -> beam_fn_api_pb2.StartWorkerResponse:
        """Start a worker that connects to the engine."""
        key = (context.peer(), request.worker_id)
        arguments = (request.control_endpoint.url, request.worker_id)
        with self._lock:
            worker = self._workers[key] = _start(arguments)
        threading.Thread(target=self._watch, args=(key, arguments, worker), daemon=True).start()
        return beam_fn_api_pb2.StartWorkerResponse()

    def _watch(self, key: tuple[str, str], arguments: tuple[str, str], worker: _Worker) -> None:
        """Restart a worker that dies: an engine waits forever for a worker that never connects."""
        for _ in range(_MORE_STARTS):
            worker.join()
            failed = worker.exitcode != 0
            with self._lock:
                if self._workers.get(key) is not worker:
                    return  # stopped on purpose
                if not failed:
                    break
                worker = self._workers[key] = _start(arguments)
        worker.join()
        with self._lock:
            if self._workers.get(key) is worker:
                del self._workers[key]

    def StopWorker(  # noqa: N802
        self, request: beam_fn_api_pb2.StopWorkerRequest, context: grpc.ServicerContext
    ) -> beam_fn_api_pb2.StopWorkerResponse:
        """Stop a worker; an unknown one ends by itself when the engine disconnects."""
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


def _start(arguments: tuple[str, str]) -> _Worker:
    worker = _FORKS.Process(target=_work, args=arguments, daemon=True)
    worker.start()
    return worker


def _work(control: str, worker_id: str) -> None:
    from apache_beam.runners.worker.sdk_worker import SdkHarness

    SdkHarness(control, worker_id=worker_id).run()


def _end(worker: _Worker) -> None:
    worker.terminate()
    worker.join(_STOP_SECONDS)
    if worker.is_alive():
        worker.kill()
        worker.join()


@contextlib.contextmanager
def serving(port: int) -> Iterator[None]:
    """Serve on a port of all interfaces; stop all workers at the end."""
    share_processors()
    _FORKS.set_forkserver_preload(_LOADED)
    forkserver.ensure_running()
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
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=50000, help="port to listen on (%(default)s)")
    port = parser.parse_args().port
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with serving(port):
        stop.wait()


if __name__ == "__main__":
    main()
