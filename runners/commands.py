"""What each command does: read the settings, start an engine, run a pipeline, print the result.

The pipelines are imported once the engine is ready: they load torch, which takes seconds, and a
wrong setting should be reported before that.
"""

import argparse
import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from apache_beam.options import pipeline_options
from apache_beam.options.pipeline_options import PipelineOptions

from advin.discovery.config import Config
from advin.pipelines import storage
from advin.pipelines.errors import SettingsError
from advin.pipelines.outputs import check_output
from advin.pipelines.reading.columns import FLAGS, ROLES, Columns, input_columns, with_speaker
from advin.runners.dataflow import dataflow
from advin.runners.direct import direct, in_process
from advin.runners.flags import given_flags, parse
from advin.runners.flink import flink
from advin.runners.job import Job
from advin.runners.portable import portable
from advin.runners.prism import prism
from advin.runners.row_flags import row_columns
from advin.runners.settings import SHORTHANDS, Override, config_of, configured, for_model, overrides

if TYPE_CHECKING:
    from advin.pipelines.discover import Settings

# The sample log, which travels with the package.
SAMPLE = Path(__file__).parent.parent / "sample"
_ENGINES = {
    "direct": direct,
    "portable": portable,
    "prism": prism,
    "flink": flink,
    "dataflow": dataflow,
}


def run_discover(flags: argparse.Namespace, beam_args: list[str]) -> None:
    """Run `advin discover`."""
    output = _folder("--output", flags.output)
    # With --labeled, the model is an output too.
    used = None if flags.labeled else flags.model
    if flags.overwrite and not (flags.labeled and flags.model):
        raise SettingsError("--overwrite replaces the model in --model: give --labeled and --model")
    given = overrides(flags)
    configured(given)
    row_columns(flags)
    if used and flags.ood:
        raise SettingsError(
            f"--ood {flags.ood} acts when a model is fitted, but --model {used} is used as it is: "
            "leave out --ood, or give --labeled to fit a new model"
        )
    _check_outputs(flags, output, used)
    with _engine(flags, beam_args, used, output) as options:
        from advin.pipelines.discover import discover, translate
        from advin.runners.printing import print_run

        settings = _settings(flags, flags.model, _config(given, used))
        if flags.dry_run:
            stages = translate(settings, output, options)
            print(f"Translated, but not submitted: {', '.join(stages)}.")
            return
        manifest = discover(settings, output, options)
    print_run(flags.output, manifest)


def run_fit(flags: argparse.Namespace, beam_args: list[str]) -> None:
    """Run `advin fit`."""
    model = _folder("--model", flags.model)
    config = configured(overrides(flags))
    check_output("--model", model, _inputs(flags))
    # In a fit, the model is an output and no input.
    with _engine(flags, beam_args, None, model) as options:
        from advin.pipelines.discover import fit
        from advin.runners.printing import print_model

        fit(_settings(flags, None, config), model, options)
    print_model(flags.model)


def run_regroup(flags: argparse.Namespace, beam_args: list[str]) -> None:
    """Run `advin regroup`."""
    _refuse_beam_args("regroup", beam_args)
    names = ("granularity", "max_intents")
    values = {SHORTHANDS[n]: getattr(flags, n) for n in names if getattr(flags, n) is not None}
    if not values:
        raise SettingsError("regroup: give --granularity, --max-intents, or both")
    output = flags.output and _folder("--output", flags.output)
    from advin.pipelines.regroup import regroup
    from advin.runners.printing import print_run

    manifest = regroup(_folder("RUN", flags.run), values, in_process(), output)
    print_run(flags.output or flags.run, manifest)


def run_evaluate(flags: argparse.Namespace, beam_args: list[str]) -> None:
    """Run `advin evaluate`."""
    _refuse_beam_args("evaluate", beam_args)
    from advin.pipelines.evaluate import evaluate
    from advin.runners.printing import print_evaluation

    result = evaluate(flags.run, flags.truth, _columns(flags))
    if flags.json:
        _write_json(flags.json, result.metrics)
    print_evaluation(result)


def _write_json(path: str, metrics: dict[str, float]) -> None:
    try:
        storage.write_text(storage.absolute(path), json.dumps(metrics, indent=2) + "\n")
    except (OSError, ValueError) as error:
        raise SettingsError(f"--json: cannot write {path}: {storage.reason(error)}") from error


def run_config(flags: argparse.Namespace, beam_args: list[str]) -> None:
    """Run `advin config`."""
    _refuse_beam_args("config", beam_args)
    from advin.runners.listing import as_markdown, as_toml, print_tunables

    config = configured(overrides(flags))
    if flags.format == "table":
        print_tunables(config)
    else:
        print({"markdown": as_markdown, "toml": as_toml}[flags.format](config), end="")


def run_tables(flags: argparse.Namespace, beam_args: list[str]) -> None:
    """Run `advin tables`."""
    _refuse_beam_args("tables", beam_args)
    from advin.runners.columns import print_columns

    print_columns()


def run_demo(flags: argparse.Namespace, beam_args: list[str]) -> None:
    """Run `advin demo`: discover and evaluate on the packaged sample."""
    _refuse_beam_args("demo", beam_args)
    sample = {"input": "log.jsonl", "labeled": "known.csv", "ood": "ood.txt"}
    arguments = ["discover", f"--output={flags.output}"]
    arguments += [f"--{flag}={SAMPLE / name}" for flag, name in sample.items()]
    discover, _ = parse(arguments)
    for name in ("effort", "config", "set", *SHORTHANDS):
        setattr(discover, name, getattr(flags, name))
    run_discover(discover, [])
    evaluate, _ = parse(["evaluate", f"--run={flags.output}", f"--truth={SAMPLE / 'truth.csv'}"])
    run_evaluate(evaluate, [])


COMMANDS = {
    "demo": run_demo,
    "discover": run_discover,
    "fit": run_fit,
    "regroup": run_regroup,
    "evaluate": run_evaluate,
    "config": run_config,
    "tables": run_tables,
}


def _folder(flag: str, path: str) -> str:
    """Return the absolute path of a folder."""
    if not path:
        raise SettingsError(f"{flag} is empty: give a folder")
    return storage.absolute(path)


def _inputs(flags: argparse.Namespace) -> dict[str, str | None]:
    return {"--input": flags.input, "--labeled": flags.labeled, "--ood": flags.ood}


def _check_outputs(flags: argparse.Namespace, output: str, used: str | None) -> None:
    """Check the folders that a run writes to, given the folder of the model that it uses."""
    reads = _inputs(flags)
    check_output("--output", output, reads)
    if flags.model:
        model = _folder("--model", flags.model)
        if not used:
            check_output("--model", model, reads)
        if model == output:
            raise SettingsError(f"--output and --model are both {output}: choose another --output")


@contextlib.contextmanager
def _engine(
    flags: argparse.Namespace, beam_args: list[str], model: str | None, writes: str
) -> Iterator[PipelineOptions]:
    if flags.encoder_threads < 1:
        raise SettingsError(f"--encoder-threads is {flags.encoder_threads}, but must be at least 1")
    if flags.dry_run and flags.runner != "dataflow":
        raise SettingsError(f"--dry-run is for --runner dataflow, not {flags.runner}")
    _check_beam_args(beam_args)
    reads = (flags.input, flags.labeled, flags.ood, model)
    job = Job(flags, beam_args, tuple(storage.absolute(p) for p in reads if p), writes)
    with _ENGINES[flags.runner](job) as options:
        _check_inputs(flags)
        yield options


def _check_inputs(flags: argparse.Namespace) -> None:
    """Refuse wrong inputs before the pipelines load torch."""
    from advin.pipelines.reading.inputs import check_input

    columns = _input_columns(flags)
    for role, pattern in (("log", flags.input), ("labeled", flags.labeled), ("ood", flags.ood)):
        if pattern:
            check_input(storage.absolute(pattern), columns[role], FLAGS[role])


def _config(given: list[Override], used: str | None) -> Config:
    """Return the configuration of a run, given the folder of the fitted model that it uses."""
    if used is None:
        return configured(given)
    return for_model(given, used, config_of(storage.absolute(used)))


def _settings(flags: argparse.Namespace, model: str | None, config: Config) -> "Settings":
    from advin.pipelines.discover import Settings

    encoder = flags.encoder
    columns, speakers = with_speaker(_input_columns(flags), flags.speaker_column, flags.speaker)
    return Settings(
        input=storage.absolute(flags.input),
        labeled=flags.labeled and storage.absolute(flags.labeled),
        ood=flags.ood and storage.absolute(flags.ood),
        model=model and storage.absolute(model),
        columns=columns,
        speakers=speakers,
        rows=row_columns(flags),
        # A hub id is no path, though it may look like one.
        encoder=os.path.abspath(encoder) if encoder and os.path.isdir(encoder) else encoder,
        threads=flags.encoder_threads,
        precision=flags.encoder_precision,
        config=config,
        overwrite=flags.overwrite,
        accelerator=flags.gpu,
        given=given_flags(flags),
    )


def _input_columns(flags: argparse.Namespace) -> dict[str, Columns]:
    shared = {role: getattr(flags, f"{role}_column") for role in ("text", "intent", "domain")}
    own = {
        name: {role: getattr(flags, f"{_dest(name)}_{role}_column") for role in roles}
        for name, roles in ROLES.items()
    }
    return {
        name: replace(columns, export=getattr(flags, f"{_dest(name)}_format"))
        for name, columns in input_columns(shared, own).items()
    }


def _dest(name: str) -> str:
    """Return the flag of an input as the parser stores it."""
    return FLAGS[name].removeprefix("--")


def _columns(flags: argparse.Namespace) -> Columns:
    return Columns(flags.text_column, flags.intent_column, flags.domain_column)


def _check_beam_args(beam_args: list[str]) -> None:
    """Refuse flags that neither advin nor Beam knows: Beam itself would ignore them silently."""
    parser = pipeline_options._BeamArgumentParser(add_help=False, allow_abbrev=False)
    for options in PipelineOptions.__subclasses__():
        if options.__module__ == pipeline_options.__name__:
            options._add_argparse_args(parser)
    # Beam's parser exits on a flag without its value.
    try:
        _, unknown = parser.parse_known_args(beam_args)
    except SystemExit as error:
        raise SettingsError(f"Beam does not take {' '.join(beam_args)}") from error
    if unknown:
        raise SettingsError(
            f"unknown flag {unknown[0]}: neither `advin discover --help` nor Beam has a flag of "
            "this name"
        )


def _refuse_beam_args(command: str, beam_args: list[str]) -> None:
    """Refuse flags meant for Beam in a command that runs no pipeline of its own."""
    if beam_args:
        raise SettingsError(
            f"unknown flag {beam_args[0]}: `advin {command} --help` lists the flags there are"
        )
