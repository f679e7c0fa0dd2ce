"""What processes have started, for tests that count workers or kill them."""

from pathlib import Path


def children(process: int) -> list[int]:
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [int(pid) for task in tasks for pid in task.read_text().split()]


def workers(pool: int) -> list[int]:
    """A pool's workers are forked from one of its children."""
    return [worker for child in children(pool) for worker in children(child)]
