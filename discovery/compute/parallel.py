"""Independent pieces of learning at once, one to a processor.

Threads inside a product of matrices change its last bits with their number, gain little on products
as small as a head's, and wait for each other for long where another process needs a processor.
Whole heads beside each other, each on one thread, give the same bytes on any number of processors.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")


def run_parallel(pieces: Sequence[Callable[[], T]]) -> list[T]:
    """Run the pieces beside each other, and return what they return, in their order.

    As many run as there are processors, each with one thread of torch; those that wait are begun in
    their order, so the longest is best given first. The first error is raised once the pieces that
    have begun have ended, KeyboardInterrupt at once; no other is begun.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    pool = ThreadPoolExecutor(max(1, min(len(pieces), processors())))
    # Whoever stops the process does not want to wait for minutes of learning.
    wait = True
    try:
        return [piece.result() for piece in [pool.submit(piece) for piece in pieces]]
    except KeyboardInterrupt:
        wait = False
        raise
    finally:
        pool.shutdown(wait=wait, cancel_futures=True)
        torch.set_num_threads(before)


def processors() -> int:
    """Return how many processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
