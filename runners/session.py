"""What any process that runs pipelines needs: signals that stop it, and messages worth showing."""

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator
from typing import NoReturn


@contextlib.contextmanager
def interruptible(*numbers: signal.Signals) -> Iterator[list[signal.Signals]]:
    """Raise KeyboardInterrupt on some signals; yield the list of signals received so far.

    Beam may turn the interrupt into an error of its own, so callers look at the list. After a
    signal, logging stays disabled. Outside the main thread nothing changes, as Python handles
    signals in the main thread only.
    """
    received: list[signal.Signals] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def stop(number: int, _frame: object) -> NoReturn:
        received.append(signal.Signals(number))
        # Messages after this one only follow from the interrupt.
        logging.disable()
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        # A shell ignores SIGINT for commands in the background.
        if handler is not signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def is_of_interest(record: logging.LogRecord) -> bool:
    """False for the warning that Beam logs about an extra that most users do not need."""
    return "apitools not found" not in record.getMessage()
