"""Fit a model and discover intents from Python: on files, tables or lists, in this process."""

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, Unpack

from advin.assignment import THREADS
from advin.columns import ColumnNames, RowArguments, to_input_columns, to_row_columns
from advin.discovery.config import Config
from advin.frames import stage_input, to_path, unstage_inputs
from advin.models import Model
from advin.pipelines.errors import SettingsError
from advin.pipelines.reading.columns import Columns, with_speaker
from advin.results import Run
from advin.runners.settings import (
    Override,
    config_of,
    configured,
    flat,
    for_model,
    preset,
    read_toml,
)
from advin.session import in_process, session

if TYPE_CHECKING:
    from advin.frames import Labels, Path, Texts
    from advin.pipelines.discover import Settings

Effort: TypeAlias = Literal["full", "fast"]
Settable: TypeAlias = Config | Mapping[str, Any] | str | os.PathLike[str]


def discover(  # noqa: PLR0913, all but the first are keywords
    log: "Texts",
    *,
    labeled: "Labels | None" = None,
    ood: "Texts | None" = None,
    model: "Model | Path | None" = None,
    output: "Path | None" = None,
    config: Settable | None = None,
    effort: Effort | None = None,
    encoder: str | None = None,
    columns: ColumnNames | None = None,
    speaker_column: str | None = None,
    speaker: str | Sequence[str] | None = None,
    quiet: bool = False,
    **rows: "Unpack[RowArguments]",
) -> Run:
    """Find novel intents and domains in a log.

    Args:
        log: utterances: a path or glob, a pandas, Polars or Arrow table, or a list of texts.
        labeled: labeled utterances of the known intents, from which a model is fitted: a path or
            table with the columns text, intent and, if known, domain; tuples (text, intent) or
            (text, intent, domain); or a mapping from each intent to a list of texts.
        ood: out-of-domain texts, which belong to no intent.
        model: a fitted model to use instead of fitting one.
        output: folder of the run. A call that was interrupted resumes when it is made again with
            the same arguments. None keeps the run in a temporary folder as long as the result.
        config: tunables to change: a `Config`, a mapping of dotted names such as
            ``{"intents.min_size": 8}``, or a TOML file; with `model`, those that act after the fit.
        effort: preset, applied before `config`: "fast" takes two thirds of the time of a fit.
        encoder: hub id or folder of a SentenceTransformer; None for the model's, or the default.
        columns: names of the columns, if they are others than "text", "intent" and "domain":
            ``{"text": "message"}`` for all inputs, ``{"labeled": {"text": "question"}}`` for one.
        speaker_column: column of the log that names the speaker.
        speaker: use only rows of this speaker, or of these.
        quiet: True to show no progress.
        **rows: what the table rows holds: `id_column`, `time_column`, `conversation_column`,
            `keep_columns` and `keep_raw` name columns of the log; ``rows=False`` leaves it out.

    Raises:
        SettingsError: if an argument or a file cannot be used.
        StageError: if a stage fails.
    """
    kept = to_row_columns(rows)
    used = _used(model, labeled, ood)
    with session(quiet), _folder(output, "run") as (folder, keep):
        from advin.pipelines import storage
        from advin.pipelines.discover import discover as run

        names, speakers = _with_speaker(to_input_columns(columns), speaker_column, speaker)
        path = storage.absolute(used) if used else None
        inputs = _inputs(log, labeled, ood, folder, names, path, kept.flags if kept else ())
        chosen = _config_for(path, config, effort)
        settings = _settings(inputs, chosen, encoder, names, path, speakers)
        given = _given(command="advin.discover", effort=effort, config=config, encoder=encoder)
        given |= _given(columns=columns, speaker_column=speaker_column, speaker=speaker, **rows)
        settings = dataclasses.replace(settings, rows=kept, given=given)
        manifest = run(settings, folder, in_process())
        unstage_inputs(folder)
    return Run(folder, manifest, keep=(keep, model))


def fit(  # noqa: PLR0913, all but the first are keywords
    log: "Texts",
    *,
    labeled: "Labels | None" = None,
    ood: "Texts | None" = None,
    output: "Path | None" = None,
    config: Settable | None = None,
    effort: Effort | None = None,
    encoder: str | None = None,
    columns: ColumnNames | None = None,
    speaker_column: str | None = None,
    speaker: str | Sequence[str] | None = None,
    quiet: bool = False,
) -> Model:
    """Fit a model to a log and, if there are any, to labeled utterances.

    Args:
        log: utterances, as in `discover`.
        labeled: labeled utterances of the known intents, as in `discover`.
        ood: out-of-domain texts, which belong to no intent.
        output: folder of the model. A call that was interrupted resumes when it is made again with
            the same arguments. None keeps the model in a temporary folder as long as the result.
        config: tunables to change, as in `discover`.
        effort: preset of the configuration, as in `discover`.
        encoder: hub id or folder of a SentenceTransformer; None for all-MiniLM-L6-v2.
        columns: names of the columns, if they are others than "text", "intent" and "domain":
            ``{"text": "message"}`` for all inputs, ``{"labeled": {"text": "question"}}`` for one.
        speaker_column: column of the log that names the speaker.
        speaker: use only rows of this speaker, or of these.
        quiet: True to show no progress.

    Raises:
        SettingsError: if an argument or a file cannot be used.
        StageError: if a stage fails.
    """
    with session(quiet), _folder(output, "model") as (folder, keep):
        from advin.pipelines.discover import fit as run

        names, speakers = _with_speaker(to_input_columns(columns), speaker_column, speaker)
        inputs = _inputs(log, labeled, ood, folder, names)
        chosen = _config_for(None, config, effort)
        settings = _settings(inputs, chosen, encoder, names, None, speakers)
        run(settings, folder, in_process())
        unstage_inputs(folder)
    return Model(folder, keep=keep)


@contextlib.contextmanager
def _folder(output: "Path | None", kind: str) -> Iterator[tuple[str, object]]:
    """Yield a folder, and the object that keeps a temporary one alive."""
    if output is None:
        temporary = tempfile.TemporaryDirectory(prefix=f"advin-{kind}-")
        yield os.path.join(temporary.name, kind), temporary
        return
    from advin.pipelines import storage

    folder = storage.absolute(to_path(output, "output"))
    try:
        yield folder, None
    except BaseException:
        unstage_inputs(folder)
        raise


def _inputs(
    log: "Texts",
    labeled: "Labels | None",
    ood: "Texts | None",
    folder: str,
    columns: dict[str, Columns],
    model: str | None = None,
    kept: Iterable[str] = (),
) -> dict[str, str]:
    """Return the path of each input that is given, once the output folder is checked."""
    from advin.pipelines import storage
    from advin.pipelines.outputs import check_output

    if log is None:
        raise SettingsError("log is None: give a path, a table or a list of texts")
    given = {"log": log, "labeled": labeled, "ood": ood}
    paths = {
        role: storage.absolute(to_path(data, role))
        for role, data in given.items()
        if isinstance(data, str | os.PathLike)
    }
    check_output("output", folder, paths)
    if model == folder:
        raise SettingsError(f"output and model are both {folder}: choose another output")
    return {
        role: storage.absolute(stage_input(data, role, folder, columns[role], kept))
        for role, data in given.items()
        if data is not None
    }


def _config_for(model: str | None, config: Settable | None, effort: str | None) -> Config:
    """Return the configuration of a run, given the folder of the model that it uses."""
    if isinstance(config, Config):
        if effort is not None:
            raise SettingsError("effort and config: a Config sets every tunable, so drop effort")
        values: Mapping[str, Any] = config.to_dict() if model else {}
        base = config
    elif isinstance(config, str | os.PathLike):
        values, base = read_toml(to_path(config, "config")), Config()
    elif not isinstance(config or {}, Mapping):
        raise SettingsError(
            f"config is of type {type(config).__name__}: give a Config, a mapping, or the path of "
            "a TOML file"
        )
    else:
        values, base = config or {}, Config()
    given = [*preset(effort, "effort")]
    given += [Override(name, value, "config") for name, value in flat(values)]
    if model is None:
        return configured(given, base)
    return for_model(given, model, config_of(model))


def _used(
    model: "Model | Path | None", labeled: "Labels | None", ood: "Texts | None"
) -> str | None:
    """Return the folder of the fitted model to use, or None to fit one."""
    if model is not None and labeled is not None:
        raise SettingsError("model and labeled: give a fitted model or labels to fit one, not both")
    if model is not None and ood is not None:
        raise SettingsError("ood acts when a model is fitted, but model is used as it is: drop one")
    used = model.folder if isinstance(model, Model) else model
    return None if used is None else to_path(used, "model")


def _with_speaker(
    columns: dict[str, Columns], column: str | None, speaker: str | Sequence[str] | None
) -> tuple[dict[str, Columns], tuple[str, ...]]:
    """Return the columns with that of the log's speakers, and the speakers."""
    speakers = [speaker] if isinstance(speaker, str) else list(speaker or ())
    if not all(isinstance(name, str) for name in (*speakers, column or "")):
        raise SettingsError("speaker_column and speaker must be text")
    return with_speaker(columns, column, speakers)


def _settings(
    inputs: dict[str, str],
    config: Config,
    encoder: str | None,
    columns: dict[str, Columns],
    model: str | None,
    speakers: tuple[str, ...],
) -> "Settings":
    from advin.pipelines.discover import Settings

    if not isinstance(encoder, str | None):
        raise SettingsError(f"encoder is of type {type(encoder).__name__}, but must be text")
    return Settings(
        input=inputs["log"],
        labeled=inputs.get("labeled"),
        ood=inputs.get("ood"),
        model=model,
        columns=columns,
        speakers=speakers,
        # A hub id is no path, though it may look like one.
        encoder=os.path.abspath(encoder) if encoder and os.path.isdir(encoder) else encoder,
        threads=THREADS,
        config=config,
    )


def _given(**arguments: Any) -> dict[str, Any]:
    """Return the arguments that are not None, a configuration as a mapping."""
    given = {name: value for name, value in arguments.items() if value is not None}
    return {k: v.to_dict() if isinstance(v, Config) else v for k, v in given.items()}
