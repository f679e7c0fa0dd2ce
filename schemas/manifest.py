"""Manifests: JSON files that a stage and a run write last.

A folder without a manifest is unfinished. Readers take the list of files from the manifest only, so
they never see a table that is half written.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

MANIFEST = "manifest.json"
# The first file in a run's folder: it says which run the folder belongs to.
CLAIM = "run.json"


class ManifestError(ValueError):
    """A file is not a manifest."""


def fingerprint(settings: Any) -> str:
    """Return a digest of JSON-like settings, 16 hex digits; the order of keys does not matter."""
    text = json.dumps(settings, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def utc_now() -> str:
    """Return the time in UTC, such as 2026-01-31T09:30:00+00:00."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class StageManifest:
    """The manifest of a finished stage.

    Attributes:
        stage: name of the stage.
        fingerprint: of the run's settings.
        files: names of the files in each part of the stage's folder. The part "model" is the
            folder of the model.
        counters: counts by name; `pipelines.counters` has a record for each stage.
        seconds: duration.
        bytes: size of all files.
        started: time in UTC at which the stage started, as `utc_now` returns it.
    """

    stage: str
    fingerprint: str
    files: dict[str, list[str]]
    counters: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    bytes: int = 0
    started: str = ""

    def to_json(self) -> str:
        """Return the manifest as JSON with sorted keys."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return a manifest from its JSON; raises ManifestError for other text."""
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError) as error:
            raise ManifestError(f"not a stage manifest: {error}") from error


@dataclass(frozen=True, slots=True)
class RunManifest:
    """The manifest of a finished run.

    Attributes:
        versions: of the code and of the libraries that affect its results.
        settings: inputs and settings; `settings["config"]` is the whole configuration.
        fingerprint: digest of the settings.
        model: the model's folder, its encoder, its thresholds and their origins.
        funnel: counts from input to output, in order: [label, count].
        traffic: rows of the log by verdict: [kind, reason, rows]; with the rejected rows, they add
            up to the rows read.
        tables: the files of each table, relative to the run's folder.
        stages: start, seconds, bytes and counters of each stage.
        languages: languages of the log with their shares; empty if they are unclear.
        warnings: what makes the results unreliable, one line each.
        masking: version of the masking rules, and the rows of the log that each rule changed.
        rejected: rejected rows of the log, by reason.
        given: the settings that the user gave, by the name of the flag or argument.
        started: time in UTC at which the first stage started.
        finished: time in UTC at which the run finished.
    """

    versions: dict[str, str]
    settings: dict[str, Any]
    fingerprint: str
    model: dict[str, Any]
    funnel: list[list[Any]]
    tables: dict[str, list[str]]
    stages: dict[str, dict[str, Any]]
    languages: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    masking: dict[str, Any] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)
    started: str = ""
    finished: str = ""
    traffic: list[list[Any]] = field(default_factory=list)

    def to_json(self) -> str:
        """Return the manifest as JSON."""
        return json.dumps(asdict(self), indent=2, default=str) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return a manifest from its JSON; raises ManifestError for other text."""
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError) as error:
            raise ManifestError(f"not a run manifest: {error}") from error
