"""The command line: advin fit | discover | evaluate.

Exit codes: 0 done; 2 a setting or a file is wrong, and one line says which; 1 the job failed; 128
and its number: stopped by a signal.
"""

import argparse
import logging
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import NoReturn

from advin.runners.processes import share_processors

_ENGINES = ("direct", "portable", "prism", "flink", "dataflow")
# As in pipelines/link.py, which loads torch.
_MAX_LINKED = 100_000
_OTHER_FLAGS = "Flags that are not listed go to Apache Beam."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    parsed, beam_args = parse(sys.argv[1:] if arguments is None else arguments)
    _configure_logging()
    share_processors()
    received = _end_by_signals()
    try:
        # Imported late, so that --help and a mistyped command answer at once.
        from advin.pipelines.errors import SettingsError, StageError
        from advin.runners import commands

        commands.COMMANDS[parsed.command](parsed, beam_args)
        return 0
    except KeyboardInterrupt:
        pass
    except SettingsError as error:
        print(f"advin: {error}", file=sys.stderr)
        return 2
    except StageError as error:
        # In process Beam takes what stops us for a failure of the stage.
        if not received:
            traceback.print_exception(error.__cause__)
            print(f"advin: {error}", file=sys.stderr)
            return 1
    print(
        f"advin: stopped by {received[0].name}; the same command goes on at the unfinished stage",
        file=sys.stderr,
    )
    return 128 + received[0]


def _end_by_signals() -> list[signal.Signals]:
    """Let SIGINT and SIGTERM raise, so that what we started is stopped, too; return those seen."""
    received: list[signal.Signals] = []

    def stop(number: int, _frame: object) -> NoReturn:
        received.append(signal.Signals(number))
        # What is logged from here on only follows from this.
        logging.disable()
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        # A shell ignores SIGINT for what it runs in the background.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)
    return received


def program() -> NoReturn:
    """Run the command of this process, and end it.

    Python's own way out stops the threads that Beam and its libraries leave behind, and now and
    then one of them aborts the process over it, after all is done.
    """
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return our flags, and those that go to Beam.

    Ours may be spelled with underscores, as Beam's are, and as a Flex Template passes them.
    """
    parser = command_line()
    ours = {
        flag for command in commands_of(parser).values() for flag in command._option_string_actions
    }

    def spelled(argument: str) -> str:
        flag, equals, value = argument.partition("=")
        dashed = flag.replace("_", "-")
        return dashed + equals + value if dashed in ours else argument

    return parser.parse_known_args([spelled(a) for a in arguments])


def commands_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command."""
    (action,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


def command_line() -> argparse.ArgumentParser:
    """Return the parser of the command line: all that users can set, in one place."""
    parser = argparse.ArgumentParser(
        prog="advin",
        description="Find novel intents and domains in utterance logs.",
        epilog=_OTHER_FLAGS,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    discover = commands.add_parser(
        "discover",
        help="find novel intents and domains in a log: the main job",
        epilog=_OTHER_FLAGS,
        allow_abbrev=False,
    )
    _add_inputs(discover)
    discover.add_argument("--output", required=True, metavar="DIR", help="folder of the run")
    discover.add_argument(
        "--model",
        metavar="DIR",
        help="a fitted model; with --labeled, where to write it (default: in the output folder)",
    )
    discover.add_argument(
        "--max-linked",
        type=int,
        default=_MAX_LINKED,
        metavar="N",
        help="clusters that one worker links; of a larger log, parts are first (%(default)s)",
    )
    discover.add_argument(
        "--dry-run",
        action="store_true",
        help="with --runner dataflow: check and translate everything, send nothing",
    )

    fit = commands.add_parser(
        "fit",
        help="learn a model from labeled utterances and a log",
        epilog=_OTHER_FLAGS,
        allow_abbrev=False,
    )
    _add_inputs(fit)
    fit.set_defaults(dry_run=False, max_linked=_MAX_LINKED)
    fit.add_argument("--model", required=True, metavar="DIR", help="folder to write the model to")

    evaluate = commands.add_parser(
        "evaluate", help="compare a finished run with the truth", allow_abbrev=False
    )
    evaluate.add_argument("--run", required=True, metavar="DIR", help="folder of a finished run")
    evaluate.add_argument(
        "--truth", required=True, metavar="FILES", help="texts with their true intent and domain"
    )
    evaluate.add_argument("--json", metavar="FILE", help="also write the metrics as flat JSON")
    _add_columns(evaluate)
    return parser


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    files = "a file, folder or glob of Parquet, JSONL, CSV/TSV or text"
    parser.add_argument("--input", required=True, metavar="FILES", help=f"the log: {files}")
    parser.add_argument("--labeled", metavar="FILES", help="labeled utterances of known intents")
    parser.add_argument("--ood", metavar="FILES", help="texts that belong to no intent at all")
    _add_columns(parser)
    parser.add_argument(
        "--encoder",
        metavar="NAME",
        help="a SentenceTransformer: hub id or folder (all-MiniLM-L6-v2)",
    )
    parser.add_argument(
        "--encoder-threads",
        type=int,
        default=2,
        metavar="N",
        help="processor threads of each worker; decides the last bits of the vectors (%(default)s)",
    )
    parser.add_argument(
        "--encoder-precision",
        choices=("fp32", "bf16"),
        help="of the encoder (bf16 where this processor has it, unless a given model says other)",
    )
    parser.add_argument(
        "--clustering",
        choices=("linkage", "density"),
        help="of a fitted model: average linkage, or HDBSCAN at the learned distance (linkage)",
    )
    parser.add_argument(
        "--loss",
        choices=("contrastive", "margin"),
        help="of a fitted model's metric head; margin is ADVIN's own (contrastive)",
    )
    parser.add_argument(
        "--effort",
        choices=("full", "fast"),
        help="of fitting a model; fast takes two thirds of the time (full)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of all that is drawn (%(default)s)"
    )
    _add_engines(parser)


def _add_engines(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runner", choices=_ENGINES, default="direct", help="the engine (%(default)s)"
    )
    flink = parser.add_argument_group("with --runner flink")
    flink.add_argument(
        "--flink-master",
        default="[local]",
        metavar="HOST:PORT",
        help="a cluster's REST endpoint, or [local] for this machine (%(default)s)",
    )
    flink.add_argument(
        "--worker-pool",
        default="localhost:50000",
        metavar="HOST:PORT",
        help="where each TaskManager finds its pool of Beam workers (%(default)s)",
    )
    flink.add_argument(
        "--flink-job-server",
        default=os.environ.get("ADVIN_FLINK_JOB_SERVER"),
        metavar="PATH",
        help="Beam's job server: a jar or a folder of jars (ADVIN_FLINK_JOB_SERVER, or download)",
    )
    flink.add_argument(
        "--parallelism",
        type=int,
        metavar="N",
        help="tasks at the same time (all slots of the cluster, or the processors of this machine)",
    )

    dataflow = parser.add_argument_group("with --runner dataflow")
    dataflow.add_argument("--project", metavar="ID", help="project of Google Cloud")
    dataflow.add_argument("--region", metavar="NAME", help="region of the workers")
    dataflow.add_argument(
        "--temp-location", metavar="gs://DIR", help="folder for what a job stages and spills"
    )
    dataflow.add_argument("--image", metavar="IMAGE", help="container image of the workers")
    dataflow.add_argument(
        "--gpu", metavar="TYPE", help="accelerator of the workers that encode, e.g. nvidia-l4"
    )


def _add_columns(parser: argparse.ArgumentParser) -> None:
    for column in ("text", "intent", "domain"):
        parser.add_argument(
            f"--{column}-column",
            default=column,
            metavar="NAME",
            help=f"what the column of the {column} is called (%(default)s)",
        )


def _configure_logging() -> None:
    """Show our progress and others' warnings; before Beam, whose import installs a handler."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("advin").setLevel(logging.INFO)
    for handler in logging.getLogger().handlers:
        handler.addFilter(_is_of_interest)
    warnings.filterwarnings("ignore", category=FutureWarning)


def _is_of_interest(record: logging.LogRecord) -> bool:
    # Beam's own word on extras that are not installed, and on flags it hands on.
    return "apitools not found" not in record.getMessage()


if __name__ == "__main__":
    program()
