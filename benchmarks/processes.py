"""Run a function in a new process and measure it."""

import multiprocessing
import os
import resource
import time
from collections.abc import Callable


def measured(function: Callable[..., dict[str, float]], *arguments) -> dict[str, float]:
    """Run a function in a new process; return its values with seconds, CPU seconds and peak MB.

    The memory includes the libraries of the process.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (function, arguments))


def _measure(function, arguments) -> dict[str, float]:
    start, busy = time.monotonic(), sum(os.times()[:2])
    values = function(*arguments)
    return values | {
        "seconds": time.monotonic() - start,
        "CPU seconds": sum(os.times()[:2]) - busy,
        "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
