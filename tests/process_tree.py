"""Child processes, for tests that count or kill workers."""

from pathlib import Path


def children(process: int) -> list[int]:
    """Return the ids of the child processes of a process."""
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [int(pid) for task in tasks for pid in task.read_text().split()]


def workers(pool: int) -> list[int]:
    """Return the ids of the workers of a pool, which are forked from one of its children."""
    return [worker for child in children(pool) for worker in children(child)]
