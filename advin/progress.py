"""Progress of a run, in a terminal or a notebook: each stage with its seconds and counts."""

import contextlib
import logging
from collections.abc import Callable, Iterator

# How the messages end that pipelines log when a stage begins.
_BEGINS = " …"


@contextlib.contextmanager
def progress(quiet: bool) -> Iterator[None]:
    """Show what pipelines log while the block runs; nothing if quiet."""
    if quiet:
        yield
        return
    from rich.console import Console

    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    log = logging.getLogger("advin")
    level, propagate = log.level, log.propagate
    with contextlib.ExitStack() as stack:
        # A notebook and a pipe show lines only: a spinner would need widgets, or a cursor.
        status = None
        if console.is_terminal and not console.is_jupyter:
            status = stack.enter_context(console.status("starting …"))

        def show(message: str) -> None:
            if status is None:
                console.print(message)
            elif message.endswith(_BEGINS):
                status.update(message)
            else:
                console.print(message)

        handler = _Handler(show)
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False
        try:
            yield
        finally:
            log.removeHandler(handler)
            log.setLevel(level)
            log.propagate = propagate


class _Handler(logging.Handler):
    """Hands each message to a function."""

    def __init__(self, show: Callable[[str], None]):
        super().__init__(logging.INFO)
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        """Show one message."""
        self._show(record.getMessage())
