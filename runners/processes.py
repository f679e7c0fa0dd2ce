"""Start, await and stop the servers that an engine needs beside the driver."""

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
    """Let this process and its children share processors well; call it before torch is loaded.

    Waiting threads sleep instead of spinning, and the tokenizer starts no threads of its own,
    which would compete with the encoder's.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def free_port() -> int:
    """Return a free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def answers(host: str, port: int, seconds: float = 2.0) -> bool:
    """True if something listens at an address."""
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
        name: of the server, for messages.
        command: command line of the server.
        port: port at which the server will listen.
        seconds: longest time to wait until it listens.

    Raises:
        SettingsError: if the server ends or does not listen in time; with the last line it wrote.
    """
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509, it only makes one system call
        )
        try:
            deadline = time.monotonic() + seconds
            while not answers("localhost", port):
                ended = process.poll()
                if ended is not None or time.monotonic() > deadline:
                    what = f"does not listen on port {port} after {seconds:.0f} s"
                    raise SettingsError(
                        f"{name} {what if ended is None else f'ended with code {ended}'}: "
                        f"{_last_line(output)}; run `{' '.join(command)}` to see why"
                    )
                time.sleep(0.1)
            yield process
        finally:
            _stop(process)


def _end_with_parent() -> None:
    """Ask Linux to end this process when its parent is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _stop(process: subprocess.Popen) -> None:
    """End a process group: first by SIGTERM, then by SIGKILL."""
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
