"""What each command does: settings from flags, an engine, a pipeline, and what is printed."""

import argparse
import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator

from apache_beam.options import pipeline_options
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines import storage
from pipelines.discover import FitSettings, Settings, discover, fit, translate
from pipelines.errors import SettingsError
from pipelines.evaluate import evaluate
from pipelines.inputs import Columns
from pipelines.linkage import MAX_CLUSTERED
from runners import printing
from runners.dataflow import dataflow
from runners.direct import direct
from runners.flink import flink
from runners.job import Job
from runners.portable import portable
from runners.prism import prism

_ENGINES = {
    "direct": direct,
    "portable": portable,
    "prism": prism,
    "flink": flink,
    "dataflow": dataflow,
}


def run_discover(flags: argparse.Namespace, beam_args: list[str]) -> None:
    """advin discover."""
    settings, output = _settings(flags), storage.absolute(flags.output)
    with _engine(flags, beam_args, settings, output) as options:
        if flags.dry_run:
            stages = translate(settings, output, options)
            print(f"Translated, not sent: {', '.join(stages)}.")
            return
        manifest = discover(settings, output, options)
    printing.print_run(flags.output, manifest)


def run_fit(flags: argparse.Namespace, beam_args: list[str]) -> None:
    """advin fit."""
    # To a fit, the model is what comes out, not what is used.
    settings = dataclasses.replace(_settings(flags), model=None)
    model = storage.absolute(flags.model)
    with _engine(flags, beam_args, settings, model) as options:
        fit(settings, model, options)
    printing.print_model(flags.model)


def run_evaluate(flags: argparse.Namespace, beam_args: list[str]) -> None:
    """advin evaluate."""
    if beam_args:
        raise SettingsError(
            f"unknown flag {beam_args[0]}: `advin evaluate --help` lists those there are"
        )
    result = evaluate(flags.run, flags.truth, _columns(flags))
    if flags.json:
        storage.write_text(flags.json, json.dumps(result.metrics, indent=2) + "\n")
    printing.print_evaluation(result)


COMMANDS = {"discover": run_discover, "fit": run_fit, "evaluate": run_evaluate}


@contextlib.contextmanager
def _engine(
    flags: argparse.Namespace, beam_args: list[str], settings: Settings, writes: str
) -> Iterator[PipelineOptions]:
    _check_beam_args(beam_args)
    if flags.dry_run and flags.runner != "dataflow":
        raise SettingsError(f"--dry-run is for --runner dataflow, not {flags.runner}")
    model = None if settings.fits else settings.model
    reads = (settings.input, settings.labeled, settings.ood, model)
    job = Job(flags, beam_args, tuple(path for path in reads if path is not None), writes)
    with _ENGINES[flags.runner](job) as options:
        yield options


def _settings(flags: argparse.Namespace) -> Settings:
    if flags.encoder_threads < 1:
        raise SettingsError(f"--encoder-threads is {flags.encoder_threads}, but must be at least 1")
    encoder = flags.encoder
    return Settings(
        input=storage.absolute(flags.input),
        labeled=flags.labeled and storage.absolute(flags.labeled),
        ood=flags.ood and storage.absolute(flags.ood),
        model=flags.model and storage.absolute(flags.model),
        columns=_columns(flags),
        # A hub id is no path, though it may look like one.
        encoder=os.path.abspath(encoder) if encoder and os.path.isdir(encoder) else encoder,
        threads=flags.encoder_threads,
        precision=flags.encoder_precision,
        choices=FitSettings(flags.seed, flags.loss, flags.clustering, flags.effort),
        accelerator=flags.gpu,
        max_linked=_max_linked(flags.max_linked),
    )


def _max_linked(given: int | None) -> int:
    if given is None:
        return MAX_CLUSTERED
    if not 1 <= given <= MAX_CLUSTERED:
        raise SettingsError(
            f"--max-linked is {given}, but must be from 1 to {MAX_CLUSTERED}: one worker links so "
            "many clusters in 3 GB"
        )
    return given


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
