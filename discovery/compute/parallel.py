"""Run independent tasks in parallel, each on one thread of torch and of numpy.

The last bits of a matrix product depend on the number of its threads. Products as small as those of
a head gain little from threads. Tasks with one thread each give the same bytes on any number of
processors, and do not wait for each other's threads (benchmarks/history.md, *Threads of a fit*).
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

import torch
from threadpoolctl import threadpool_limits

T = TypeVar("T")


def run_parallel(tasks: Sequence[Callable[[], T]]) -> list[T]:
    """Run tasks in parallel and return their results in the same order.

    As many tasks run at the same time as there are processors. They start in the given order, so
    the longest one should come first. After an error no other task starts; the first error is
    raised when the running tasks have ended. KeyboardInterrupt is raised at once.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1, user_api="blas"):
            return _run(tasks)
    finally:
        torch.set_num_threads(before)


def _run(tasks: Sequence[Callable[[], T]]) -> list[T]:
    pool = ThreadPoolExecutor(max(1, min(len(tasks), processors())))
    # A user who interrupts does not want to wait minutes for running tasks.
    must_wait = True
    try:
        return [_result(future) for future in [pool.submit(task) for task in tasks]]
    except KeyboardInterrupt:
        must_wait = False
        raise
    finally:
        pool.shutdown(wait=must_wait, cancel_futures=True)


def _result(future: Future[T]) -> T:
    """Wait for a result in steps: a signal just before a long wait would not end it."""
    while not future.done():
        wait([future], timeout=1)
    return future.result()


def processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
