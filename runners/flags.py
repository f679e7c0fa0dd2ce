"""The flags of the command line, all in one place. Loads neither Beam nor torch."""

import argparse
import os
from collections.abc import Sequence
from typing import Any, NoReturn

from advin.pipelines.errors import one_line
from advin.pipelines.reading.columns import FLAGS, ROLES, ROWS
from advin.pipelines.reading.exports import EXPORTS
from advin.runners.row_flags import add_row_flags
from advin.version import __version__

ENGINES = ("direct", "portable", "prism", "flink", "dataflow")
_OTHER_FLAGS = "Other flags are passed to Apache Beam."
_ORDER = (
    "Values apply in this order, and the last one wins: --effort, --config, --set, then --seed, "
    "--clustering, --loss, --language, --label-spellings, --max-linked, --granularity, "
    "--max-intents, --no-masking and --keep-original."
)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        """Print one line and exit with code 2."""
        self.exit(2, one_line(f"advin: {message}; see `{self.prog} --help`") + "\n")


def parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return our flags and the flags that go to Beam.

    Our flags may contain underscores, like Beam's flags and the parameters of a Flex Template.
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


def given_flags(flags: argparse.Namespace) -> dict[str, Any]:
    """Return the command, and each of its flags whose value is not the default."""
    command = commands_of(command_line())[flags.command]
    changed = {k: v for k, v in vars(flags).items() if v != command.get_default(k)}
    return {name.replace("_", "-"): value for name, value in changed.items()}


def commands_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command."""
    (action,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


def command_line() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = _Parser(
        prog="advin",
        description="Find novel intents and domains in utterance logs.",
        epilog="`advin COMMAND --help` lists the flags of a command.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"advin {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_demo(commands)
    _add_discover(commands)
    _add_fit(commands)
    _add_regroup(commands)
    _add_evaluate(commands)
    _add_config(commands)
    _add_tables(commands)
    return parser


def _add_demo(commands: "argparse._SubParsersAction[_Parser]") -> None:
    demo = commands.add_parser(
        "demo",
        help="run `discover` and `evaluate` on the sample log that comes with advin",
        description="Run `discover` and `evaluate` on the sample log that comes with advin.",
        allow_abbrev=False,
    )
    demo.add_argument(
        "--output",
        default="demo-output",
        metavar="DIR",
        help="folder of the run (default: %(default)s)",
    )
    _add_config_flags(demo)


def _add_discover(commands: "argparse._SubParsersAction[_Parser]") -> None:
    discover = commands.add_parser(
        "discover",
        help="find novel intents and domains in a log",
        description="Find novel intents and domains in a log. Without --model, or with --labeled, "
        "a model is fitted first.",
        epilog=_OTHER_FLAGS,
        allow_abbrev=False,
    )
    _add_inputs(discover)
    discover.add_argument("--output", required=True, metavar="DIR", help="folder of the run")
    discover.add_argument(
        "--model",
        metavar="DIR",
        help="folder of a fitted model to use; with --labeled, folder for the new model. Without "
        "--model, the new model is written to `model` in the output folder",
    )
    discover.add_argument(
        "--overwrite",
        action="store_true",
        help="with --labeled and --model: replace the model in that folder",
    )
    discover.add_argument(
        "--dry-run",
        action="store_true",
        help="check the settings and inputs, and translate each stage to a Beam graph, but submit "
        "nothing (only with --runner dataflow)",
    )
    add_row_flags(discover)
    _add_config_flags(discover)
    _add_engines(discover)


def _add_fit(commands: "argparse._SubParsersAction[_Parser]") -> None:
    fit = commands.add_parser(
        "fit",
        help="fit a model to a log and, if given, to labeled utterances",
        description="Fit a model. `advin discover --model DIR` applies it to any number of logs.",
        epilog=_OTHER_FLAGS,
        allow_abbrev=False,
    )
    _add_inputs(fit)
    fit.set_defaults(dry_run=False, overwrite=False, no_rows=True)
    fit.add_argument("--model", required=True, metavar="DIR", help="folder to write the model to")
    _add_config_flags(fit)
    _add_engines(fit)


def _add_regroup(commands: "argparse._SubParsersAction[_Parser]") -> None:
    regroup = commands.add_parser(
        "regroup",
        help="rewrite the tables of a finished run with coarser or finer intents",
        description="Write the tables of a finished run again at another level of its novel "
        "intents. Nothing is fitted or encoded.",
        allow_abbrev=False,
    )
    regroup.add_argument("run", metavar="RUN", help="folder of a finished run")
    _add_level(regroup, "the level of the run")
    regroup.add_argument(
        "--output",
        metavar="DIR",
        help="folder of a new run; without it, the tables in RUN are replaced",
    )


def _add_evaluate(commands: "argparse._SubParsersAction[_Parser]") -> None:
    evaluate = commands.add_parser(
        "evaluate",
        help="compare a finished run with the true intents",
        description="Compare a finished run with the true intents of its utterances.",
        allow_abbrev=False,
    )
    evaluate.add_argument("--run", required=True, metavar="DIR", help="folder of a finished run")
    evaluate.add_argument(
        "--truth", required=True, metavar="FILES", help="texts with their true intents and domains"
    )
    evaluate.add_argument(
        "--json", metavar="FILE", help="also write the metrics to this file, as flat JSON"
    )
    _add_columns(evaluate)


def _add_config(commands: "argparse._SubParsersAction[_Parser]") -> None:
    config = commands.add_parser(
        "config",
        help="list every tunable with its value, default, unit, range and meaning",
        description="List every tunable with its value, default, unit, range and meaning.",
        allow_abbrev=False,
    )
    _add_config_flags(config)
    config.add_argument(
        "--format",
        choices=("table", "markdown", "toml"),
        default="table",
        help="format of the list; --config takes the output of toml (default: %(default)s)",
    )


def _add_tables(commands: "argparse._SubParsersAction[_Parser]") -> None:
    commands.add_parser(
        "tables",
        help="list the columns of all tables, with all kinds and reasons",
        description="List the columns of all tables, with all kinds and reasons.",
        allow_abbrev=False,
    )


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    files = "a file, folder or glob of Parquet, JSON, JSONL, CSV, TSV, XLSX, text or bot exports"
    parser.add_argument("--input", required=True, metavar="FILES", help=f"the log: {files}")
    parser.add_argument("--labeled", metavar="FILES", help="labeled utterances of known intents")
    parser.add_argument("--ood", metavar="FILES", help="out-of-domain texts, which have no intent")
    _add_columns(parser)
    _add_own_columns(parser)
    parser.add_argument(
        "--speaker-column", metavar="NAME", help="column of --input that names the speaker"
    )
    parser.add_argument(
        "--speaker",
        action="append",
        default=[],
        metavar="VALUE",
        help="use only rows of this speaker, such as customer; repeatable, or separated by commas",
    )
    parser.add_argument(
        "--encoder",
        metavar="NAME",
        help="hub id or folder of a SentenceTransformer (default: the encoder of the model; for a "
        "new model, all-MiniLM-L6-v2)",
    )
    parser.add_argument(
        "--encoder-threads",
        type=int,
        default=2,
        metavar="N",
        help="threads of the encoder on each worker; the number affects the last bits of the "
        "vectors (default: %(default)s)",
    )
    parser.add_argument(
        "--encoder-precision",
        choices=("fp32", "bf16"),
        help="number format of the encoder (default: the format of the model; for a new model, "
        "bf16 if this processor supports it, else fp32)",
    )


def _add_config_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "configuration", f"`advin config` lists every tunable. {_ORDER}"
    )
    group.add_argument(
        "--effort",
        choices=("full", "fast"),
        help="preset; with fast, the fit takes a third to two thirds of the time and loses a "
        "little quality (default: full)",
    )
    group.add_argument("--config", metavar="FILE", help="TOML file of tunables to change")
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change one tunable, such as metric.steps=200; can be repeated",
    )
    group.add_argument(
        "--no-masking",
        action="store_const",
        const="all",
        help="sets masking.off to all: keep numbers, names and markup in texts",
    )
    group.add_argument(
        "--keep-original",
        action="store_const",
        const="keep",
        help="sets text.original to keep: assignments also holds the texts before masking",
    )
    group.add_argument("--seed", metavar="N", help="seed of all random numbers (default: 0)")
    group.add_argument(
        "--clustering",
        metavar="METHOD",
        help="sets intents.clustering: linkage, or density for HDBSCAN (default: linkage)",
    )
    group.add_argument(
        "--loss",
        metavar="LOSS",
        help="sets metric.loss: contrastive, or margin of the ADVIN paper (default: contrastive)",
    )
    group.add_argument(
        "--language",
        metavar="CODES",
        help="sets language.names: the ISO 639 codes of the log's languages, such as en,es, or "
        "auto to detect them (default: auto)",
    )
    group.add_argument(
        "--label-spellings",
        metavar="RULE",
        help="sets labels.spellings: join labels that differ only in spelling, such as "
        "track_parcel and 'Track parcel', or keep them apart (default: keep)",
    )
    group.add_argument(
        "--max-linked",
        metavar="N",
        help="sets linkage.max_clusters: the most clusters that one worker links. Many workers "
        "first merge those of a larger log (default: 100000)",
    )
    _add_level(group, "auto")


def _add_level(group: "argparse._ActionsContainer", default: str) -> None:
    """Add the flags that choose the level of the tables, given its default."""
    group.add_argument(
        "--granularity",
        metavar="LEVEL",
        help="sets levels.granularity: the level of the novel intents in intents and assignments, "
        f"coarse, auto or fine (default: {default})",
    )
    group.add_argument(
        "--max-intents",
        metavar="N",
        help="sets levels.max_intents: the largest number of novel intents at that level; the most "
        "similar ones are merged",
    )


def _add_engines(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runner", choices=ENGINES, default="direct", help="the engine (default: %(default)s)"
    )
    flink = parser.add_argument_group("with --runner flink")
    flink.add_argument(
        "--flink-master",
        default="[local]",
        metavar="HOST:PORT",
        help="REST endpoint of a cluster, or [local] for this machine (default: %(default)s)",
    )
    flink.add_argument(
        "--worker-pool",
        default="localhost:50000",
        metavar="HOST:PORT",
        help="address at which each TaskManager finds its pool of Beam workers "
        "(default: %(default)s)",
    )
    flink.add_argument(
        "--flink-job-server",
        default=os.environ.get("ADVIN_FLINK_JOB_SERVER"),
        metavar="PATH",
        help="Beam's job server: a jar or a folder of jars (default: ADVIN_FLINK_JOB_SERVER, or a "
        "download)",
    )
    flink.add_argument(
        "--parallelism",
        type=int,
        metavar="N",
        help="number of parallel tasks (default: all slots of the cluster, or all processors "
        "of this machine)",
    )

    dataflow = parser.add_argument_group("with --runner dataflow")
    dataflow.add_argument("--project", metavar="ID", help="Google Cloud project")
    dataflow.add_argument("--region", metavar="NAME", help="region of the workers")
    dataflow.add_argument(
        "--temp-location", metavar="gs://DIR", help="folder for staged and temporary files"
    )
    dataflow.add_argument("--image", metavar="IMAGE", help="container image of the workers")
    dataflow.add_argument(
        "--gpu", metavar="TYPE", help="accelerator for the workers that encode, such as nvidia-l4"
    )


def _add_own_columns(parser: argparse.ArgumentParser) -> None:
    """Add flags for columns and formats that differ between the inputs."""
    for name, roles in ROLES.items():
        parser.add_argument(
            f"{FLAGS[name]}-format",
            choices=(ROWS, *EXPORTS),
            metavar="NAME",
            help=f"layout of {FLAGS[name]}: {ROWS} for rows with columns, or an export of a bot "
            f"platform: {', '.join(EXPORTS)} (default: detected in each file)",
        )
        for role in roles:
            parser.add_argument(
                f"{FLAGS[name]}-{role}-column",
                metavar="NAME",
                help=f"name of the {role} column of {FLAGS[name]} (default: --{role}-column)",
            )


def _add_columns(parser: argparse.ArgumentParser) -> None:
    for column in ("text", "intent", "domain"):
        parser.add_argument(
            f"--{column}-column",
            default=column,
            metavar="NAME",
            help=f"name of the {column} column, or a path such as a.b or a[].b "
            "(default: %(default)s)",
        )
