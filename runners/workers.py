"""A pool of Beam workers beside the driver, each worker in its own process."""

import contextlib
import sys
from collections.abc import Iterator

from advin.runners.processes import free_port, server


@contextlib.contextmanager
def worker_pool() -> Iterator[str]:
    """Start a pool on a free port, yield its HOST:PORT, and stop it with all its workers.

    Raises:
        SettingsError: if the pool does not start.
    """
    port = free_port()
    with server("the worker pool", pool_command(port), port):
        yield f"localhost:{port}"


def pool_command(port: int) -> list[str]:
    """Return the command that starts a pool with the Python of this process."""
    return [sys.executable, "-m", "advin.runners.pool", f"--port={port}"]


def in_pool(address: str) -> list[str]:
    """Return Beam's flags for workers that the pool at HOST:PORT starts."""
    return ["--environment_type=EXTERNAL", f"--environment_config={address}"]
