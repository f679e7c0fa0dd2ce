"""Run pipelines from Python: show progress, handle interrupts, and translate errors."""

import contextlib
import logging
import re
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from advin.assignment import forget_folders
from advin.columns import ARGUMENTS
from advin.pipelines.errors import SettingsError, StageError
from advin.progress import progress
from advin.runners.processes import share_processors
from advin.runners.session import interruptible, is_of_interest

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

# Flags that pipelines name in their messages, as arguments of the functions here.
_ARGUMENTS = {
    "--input": "log",
    "--labeled": "labeled",
    "--ood": "ood",
    "--model": "model",
    "--output": "output",
    "--encoder": "encoder",
    "--config": "config",
    "--clustering": "clustering",
    "--speaker-column": "speaker_column",
    "--speaker": "speaker",
    "--id-column": "id_column",
    "--time-column": "time_column",
    "--conversation-column": "conversation_column",
    "--keep-columns": "keep_columns",
    "--keep-raw": "keep_raw",
    "--granularity": "granularity",
    "--max-intents": "max_intents",
    **ARGUMENTS,
}


@contextlib.contextmanager
def session(quiet: bool) -> Iterator[None]:
    """Prepare this process, show progress, and turn errors into those of this package."""
    share_processors()
    logging.getLogger().addFilter(is_of_interest)
    with interruptible(signal.SIGINT) as received:
        try:
            with progress(quiet), _not_interactive():
                forget_folders()
                yield
        except StageError as error:
            # In process, Beam reports an interrupt as a failure of the stage.
            if received:
                raise KeyboardInterrupt from error
            raise
        except SettingsError as error:
            raise SettingsError(_in_python(str(error))) from error
        finally:
            logging.getLogger().removeFilter(is_of_interest)
            if received:
                logging.disable(logging.NOTSET)


@contextlib.contextmanager
def _not_interactive() -> Iterator[None]:
    """Keep Beam from treating our pipelines as cells of a notebook, which needs pandas 2."""
    from apache_beam import pipeline
    from apache_beam.utils import interactive_utils

    before = interactive_utils.is_in_ipython
    modules: tuple[Any, ...] = (pipeline, interactive_utils)
    for module in modules:
        module.is_in_ipython = lambda: False
    try:
        yield
    finally:
        for module in modules:
            module.is_in_ipython = before


def in_process() -> "PipelineOptions":
    """Return the options of the in-process engine. Beam is imported only when it is needed."""
    from advin.runners import direct

    return direct.in_process()


def _in_python(message: str) -> str:
    """Return a message in which flags of the command line are arguments."""
    return re.sub(r"--[a-z]+(?:-[a-z]+)*", lambda m: _ARGUMENTS.get(m[0], m[0]), message)
