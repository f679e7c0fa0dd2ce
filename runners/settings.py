"""Settings of a run from flags or arguments: preset, file, single values, shorthands, in order."""

import argparse
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advin.discovery.config import DISCOVER_SECTIONS, PRESETS, Config, ConfigError
from advin.pipelines.errors import SettingsError

_MAX_DEPTH = 10
SHORTHANDS = {
    "seed": "seed",
    "clustering": "intents.clustering",
    "loss": "metric.loss",
    "language": "language.names",
    "label_spellings": "labels.spellings",
    "max_linked": "linkage.max_clusters",
    "granularity": "levels.granularity",
    "max_intents": "levels.max_intents",
    "no_masking": "masking.off",
    "keep_original": "text.original",
}


@dataclass(frozen=True, slots=True)
class Override:
    """One value that the user asked for.

    Attributes:
        name: dotted name of the tunable.
        value: its value, possibly as text.
        source: the flag, as the user may have written it.
    """

    name: str
    value: Any
    source: str


def overrides(flags: argparse.Namespace) -> list[Override]:
    """Return all values that the flags ask for; of two for one tunable, the later one counts.

    Raises:
        SettingsError: if a file cannot be read, or a value has no name.
    """
    return [
        *preset(flags.effort, f"--effort {flags.effort}"),
        *_of_file(flags.config),
        *(_of_text(text) for text in flags.set),
        *_of_shorthands(flags),
    ]


def preset(effort: str | None, source: str) -> list[Override]:
    """Return the values of an effort, "full" or "fast"; None is "full".

    Raises:
        SettingsError: if there is no such effort.
    """
    values = PRESETS.get(effort or "full")
    if values is None:
        raise SettingsError(f"effort is {effort!r}; choose from {', '.join(PRESETS)}")
    return [Override(name, value, source) for name, value in values.items()]


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted names and values of nested mappings, whose keys may be dotted names too.

    A mapping that is nested deeper than any section is yielded as a value: no tunable has its name.
    """
    for key, value in values.items():
        if isinstance(value, Mapping) and prefix.count(".") < _MAX_DEPTH:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def configured(given: list[Override], base: Config | None = None) -> Config:
    """Return a configuration with some values replaced.

    Args:
        given: the replacements, in order.
        base: the configuration to start from; None for the defaults.

    Raises:
        SettingsError: if there is no such tunable, or a value is wrong.
    """
    config = base or Config()
    for override in given:
        try:
            config = config.with_values({override.name: override.value})
        except ConfigError as error:
            raise SettingsError(f"{override.source}: {error}") from error
    return config


def for_model(given: list[Override], folder: str, base: Config) -> Config:
    """Return the configuration that a fitted model is applied with.

    Args:
        given: the replacements, in order.
        folder: the model's folder, for messages.
        base: the configuration that the model was fitted with.

    Raises:
        SettingsError: if a value is wrong, or would have to act in the fit of the model.
    """
    config = configured(given, base)
    fitted = {tunable.name: tunable.value for tunable in base.tunables()}
    now = {tunable.name: tunable.value for tunable in config.tunables()}
    for override in reversed(given):
        name = override.name
        if now[name] != fitted[name] and name.partition(".")[0] not in DISCOVER_SECTIONS:
            raise SettingsError(
                f"{override.source}: {name} acts when a model is fitted, but --model {folder} is "
                f"used as it is: leave out {override.source.partition(' ')[0]}, or give --labeled "
                "to fit a new model"
            )
    return config


def config_of(folder: str) -> Config:
    """Return the configuration that a model was fitted with."""
    from advin.pipelines.models import load_model

    return load_model(folder).config


def read_toml(path: str) -> dict[str, Any]:
    """Read a TOML file on any file system.

    Raises:
        SettingsError: if there is no such file, or it does not parse.
    """
    try:
        return tomllib.loads(_read(path))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SettingsError(f"--config: cannot read {path}: {reason}") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"--config: {path} is not TOML: {error}") from error


def _read(path: str) -> str:
    if "://" not in path:
        return Path(path).read_text(encoding="utf-8")
    # Imports Beam, which takes a second.
    from advin.pipelines import storage

    return storage.read_text(path)


def _of_file(path: str | None) -> Iterator[Override]:
    if path is not None:
        for name, value in flat(read_toml(path)):
            yield Override(name, value, f"--config {path}")


def _of_text(text: str) -> Override:
    name, equals, value = text.partition("=")
    if not equals:
        raise SettingsError(f"--set {text}: give NAME=VALUE, such as metric.steps=200")
    return Override(name.strip(), value.strip(), f"--set {text}")


def _of_shorthands(flags: argparse.Namespace) -> Iterator[Override]:
    for flag, name in SHORTHANDS.items():
        value = getattr(flags, flag)
        if value is not None:
            yield Override(name, value, f"--{flag.replace('_', '-')} {value}")
