"""What each command does: settings from flags, an engine, a pipeline, and what is printed.

The pipelines are imported when the engine is ready: they load torch, which takes seconds, and a
wrong set-up should be told before.
"""

import argparse
import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from apache_beam.options import pipeline_options
from apache_beam.options.pipeline_options import PipelineOptions

from advin.pipelines import storage
from advin.pipelines.errors import SettingsError
from advin.pipelines.inputs import Columns
from advin.runners.dataflow import dataflow
from advin.runners.direct import direct
from advin.runners.flink import flink
from advin.runners.job import Job
from advin.runners.portable import portable
from advin.runners.prism import prism

if TYPE_CHECKING:
    from advin.pipelines.discover import Settings

_ENGINES = {
    "direct": direct,
    "portable": portable,
    "prism": prism,
    "flink": flink,
    "dataflow": dataflow,
}


# How a model is fitted: None, or what the learner takes where nothing is said.
_FIT_CHOICES = ("loss", "clustering", "effort")


def run_discover(flags: argparse.Namespace, beam_args: list[str]) -> None:
    """advin discover."""
    output = storage.absolute(flags.output)
    # With labels, a model is what comes out, too.
    used = None if flags.labeled else flags.model
    if used:
        _refuse_fit_flags(flags)
    with _engine(flags, beam_args, used, output) as options:
        from advin.pipelines.discover import discover, translate
        from advin.runners.printing import print_run

        settings = _settings(flags, flags.model)
        if flags.dry_run:
            stages = translate(settings, output, options)
            print(f"Translated, not sent: {', '.join(stages)}.")
            return
        manifest = discover(settings, output, options)
    print_run(flags.output, manifest)


def run_fit(flags: argparse.Namespace, beam_args: list[str]) -> None:
    """advin fit."""
    # To a fit, the model is what comes out, not what is used.
    model = storage.absolute(flags.model)
    with _engine(flags, beam_args, None, model) as options:
        from advin.pipelines.discover import fit
        from advin.runners.printing import print_model

        fit(_settings(flags, None), model, options)
    print_model(flags.model)


def run_evaluate(flags: argparse.Namespace, beam_args: list[str]) -> None:
    """advin evaluate."""
    if beam_args:
        raise SettingsError(
            f"unknown flag {beam_args[0]}: `advin evaluate --help` lists those there are"
        )
    from advin.pipelines.evaluate import evaluate
    from advin.runners.printing import print_evaluation

    result = evaluate(flags.run, flags.truth, _columns(flags))
    if flags.json:
        storage.write_text(flags.json, json.dumps(result.metrics, indent=2) + "\n")
    print_evaluation(result)


COMMANDS = {"discover": run_discover, "fit": run_fit, "evaluate": run_evaluate}


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
        yield options


def _settings(flags: argparse.Namespace, model: str | None) -> "Settings":
    from advin.pipelines.discover import FitSettings, Settings

    encoder = flags.encoder
    return Settings(
        input=storage.absolute(flags.input),
        labeled=flags.labeled and storage.absolute(flags.labeled),
        ood=flags.ood and storage.absolute(flags.ood),
        model=model and storage.absolute(model),
        columns=_columns(flags),
        # A hub id is no path, though it may look like one.
        encoder=os.path.abspath(encoder) if encoder and os.path.isdir(encoder) else encoder,
        threads=flags.encoder_threads,
        precision=flags.encoder_precision,
        choices=FitSettings(flags.seed, **_given(flags, _FIT_CHOICES)),
        accelerator=flags.gpu,
        max_linked=flags.max_linked,
    )


def _given(flags: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    """Return those of the flags that have been given."""
    return {name: getattr(flags, name) for name in names if getattr(flags, name) is not None}


def _refuse_fit_flags(flags: argparse.Namespace) -> None:
    """Refuse what says how a model is fitted where one is given: it would do nothing."""
    for name, value in _given(flags, (*_FIT_CHOICES, "ood")).items():
        raise SettingsError(
            f"--{name} {value} is for fitting a model, but --model {flags.model} is used as it is: "
            f"leave out --{name}, or give --labeled and the model is fitted anew"
        )


def _columns(flags: argparse.Namespace) -> Columns:
    return Columns(flags.text_column, flags.intent_column, flags.domain_column)


def _check_beam_args(beam_args: list[str]) -> None:
    """Refuse flags that neither we nor Beam know: Beam itself would pass over them in silence."""
    parser = pipeline_options._BeamArgumentParser(add_help=False, allow_abbrev=False)
    for options in PipelineOptions.__subclasses__():
        if options.__module__ == pipeline_options.__name__:
            options._add_argparse_args(parser)
    # A bare word that follows no flag is not a flag's value.
    try:
        _, unknown = parser.parse_known_args(beam_args)
    except SystemExit as error:
        raise SettingsError(f"Beam does not take {' '.join(beam_args)}") from error
    if unknown:
        raise SettingsError(
            f"unknown flag {unknown[0]}: `advin discover --help` lists ours, and Beam has none of "
            "this name"
        )
