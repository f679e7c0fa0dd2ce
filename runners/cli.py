"""The command line: advin demo | discover | fit | regroup | evaluate | config | tables.

Exit codes: 0 success; 1 the job failed; 2 a setting or a file is wrong, and one line says which;
128 plus the number of the signal that stopped it.
"""

import logging
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import NoReturn

from advin.pipelines.errors import SettingsError, StageError, one_line
from advin.runners.flags import parse
from advin.runners.processes import share_processors
from advin.runners.session import interruptible, is_of_interest


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    parsed, beam_args = parse(sys.argv[1:] if arguments is None else arguments)
    _configure_logging()
    share_processors()
    with interruptible(signal.SIGINT, signal.SIGTERM) as received:
        try:
            # Imported late, so that --help and a mistyped command answer at once.
            from advin.runners import commands

            commands.COMMANDS[parsed.command](parsed, beam_args)
            return 0
        except KeyboardInterrupt:
            pass
        except SettingsError as error:
            print(one_line(f"advin: {error}"), file=sys.stderr)
            return 2
        except StageError as error:
            # In process, Beam reports an interrupt as a failure of the stage.
            if not received:
                traceback.print_exception(error.__cause__)
                print(one_line(f"advin: {error}"), file=sys.stderr)
                return 1
    name = received[0].name if received else "an interrupt"
    print(
        f"advin: stopped by {name}; the same command resumes at the unfinished stage",
        file=sys.stderr,
    )
    return 128 + (received[0] if received else signal.SIGINT)


def program() -> NoReturn:
    """Run the command of this process, then end the process.

    Python's normal exit stops threads that Beam and its libraries leave behind, and such a thread
    sometimes aborts the process after all work is done.
    """
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _configure_logging() -> None:
    """Show progress and warnings; call it before Beam, whose import installs a handler."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("advin").setLevel(logging.INFO)
    for handler in logging.getLogger().handlers:
        handler.addFilter(is_of_interest)
    warnings.filterwarnings("ignore", category=FutureWarning)


if __name__ == "__main__":
    program()
