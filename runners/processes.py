"""Servers that an engine needs beside the driver: started, waited for, and always stopped."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import IO

from advin.pipelines.errors import SettingsError

_STOP_SECONDS = 10.0
_PR_SET_PDEATHSIG = 1


def share_processors() -> None:
    """Have this process and those it starts share processors well; call it before torch is loaded.

    Threads that spin while they wait starve those they wait for, and a tokenizer's own threads and
    the encoder's compete.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def free_port() -> int:
    """Return a port of this machine that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def answers(host: str, port: int, seconds: float = 2.0) -> bool:
    """Tell whether something listens there."""
    try:
        with socket.create_connection((host, port), seconds):
            return True
    except OSError:
        return False


@contextlib.contextmanager
def server(
    name: str, command: Sequence[str], port: int, seconds: float = 30.0
) -> Iterator[subprocess.Popen]:
    """Start a server in a process group of its own, wait for its port, and stop the whole group.

    Args:
        name: what it is, for messages.
        command: what to start.
        port: where it will listen.
        seconds: how long to wait for that.

    Raises:
        SettingsError: if it ends or does not listen in time; with the last line that it wrote.
    """
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 (it makes one system call)
        )
        try:
            deadline = time.monotonic() + seconds
            while not answers("localhost", port):
                ended = process.poll()
                if ended is not None or time.monotonic() > deadline:
                    what = f"does not listen on port {port} after {seconds:.0f} s"
                    raise SettingsError(
                        f"{name} {what if ended is None else f'ended with code {ended}'}: "
                        f"{_last_line(output)}; try `{' '.join(command)}` by hand"
                    )
                time.sleep(0.1)
            yield process
        finally:
            _stop(process)


def _end_with_parent() -> None:
    """Ask Linux to end this process when the one that started it is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _stop(process: subprocess.Popen) -> None:
    """End a process and all that it started, the stubborn ones by force."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last_line(output: IO[bytes]) -> str:
    output.seek(0)
    lines = output.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it wrote nothing"
