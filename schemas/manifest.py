"""Manifests: JSON files that a stage, a model and a run write last.

A folder without a manifest is unfinished. Readers take the list of files from the manifest only, so
they never see a table that is half written.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import Field
from typing_extensions import TypedDict

from advin.schemas.typed_json import JsonError, checked, read_json

MANIFEST = "manifest.json"
# The first file in a run's folder: it says which run the folder belongs to.
CLAIM = "run.json"
# The part of a stage that is the folder of the model.
MODEL = "model"

_SURROGATE = re.compile("[\ud800-\udfff]")
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]


class ManifestError(ValueError):
    """A file is not a manifest."""


def fingerprint(settings: Any) -> str:
    """Return a digest of JSON-like settings, 16 hex digits; the order of keys does not matter."""
    text = json.dumps(settings, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def utc_now() -> str:
    """Return the time in UTC, such as 2026-01-31T09:30:00+00:00."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class _JsonFile:
    """Base of the files below.

    Attributes:
        digest: of all other values; `to_json` computes it, and `from_json` checks it.
    """

    digest: str = field(default="", compare=False)

    def to_json(self) -> str:
        """Return the content of the file; bytes of a name that are not UTF-8 are escaped."""
        text = json.dumps(asdict(self), ensure_ascii=False, default=str)
        text = _SURROGATE.sub(lambda m: f"\\\\u{ord(m[0]):04x}", text)
        # The digest is that of the values as they are read.
        found = read_json(text, type(self))
        values = asdict(found) | {"digest": found._digest()}
        return json.dumps(values, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """Return the content of a file.

        Raises:
            ManifestError: if it is not JSON, a name, type or value is wrong, or a value has changed
                since the file was written.
        """
        try:
            found = read_json(data, cls)
        except JsonError as error:
            raise ManifestError(str(error)) from error
        if found.digest != found._digest():
            raise ManifestError("it has changed since it was written")
        return found

    def _digest(self) -> str:
        return fingerprint(asdict(self) | {"digest": ""})


@checked
@dataclass(frozen=True, slots=True)
class Claim(_JsonFile):
    """What the first file in a folder says about the run or the fit that uses the folder.

    Attributes:
        fingerprint: digest of the settings.
        settings: inputs and settings.
    """

    fingerprint: str
    settings: dict[str, Any]


@checked
@dataclass(frozen=True, slots=True)
class ModelManifest(_JsonFile):
    """The manifest of a model.

    Attributes:
        fingerprint: digest of the inputs and settings of the fit; "" if no pipeline fitted it.
        files: SHA-256 of each file of the model, by name.
    """

    fingerprint: str
    files: dict[str, str]


@checked
@dataclass(frozen=True, slots=True)
class StageManifest(_JsonFile):
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
        marks: size and digest of the end of each file, by "part/name".
    """

    stage: str
    fingerprint: str
    files: dict[str, list[str]]
    counters: dict[str, Count] = field(default_factory=dict)
    seconds: Seconds = 0.0
    bytes: Count = 0
    started: str = ""
    marks: dict[str, str] = field(default_factory=dict)


@checked
class ModelSummary(TypedDict):
    """The model of a run: folder, encoder, thresholds and their origins."""

    folder: str
    encoder: dict[str, Any]
    known_intents: Count
    rules: dict[str, Any]
    domain_distance: float
    origins: dict[str, str]
    shortages: dict[str, dict[str, Count]]


@checked
class StageSummary(TypedDict):
    """Start, seconds, bytes and counters of a stage."""

    started: str
    seconds: Seconds
    bytes: Count
    counters: dict[str, Count]


@checked
class MaskingSummary(TypedDict):
    """Version of the masking rules, rules that are off, and rows changed by each of the others."""

    version: int
    off: list[str]
    rows_changed: dict[str, Count]


@checked
@dataclass(frozen=True, slots=True)
class RunManifest(_JsonFile):
    """The manifest of a finished run.

    Attributes:
        versions: of the code and of the libraries that affect its results.
        settings: inputs and settings; `settings["config"]` is the whole configuration.
        fingerprint: digest of the settings.
        model: the model.
        funnel: counts from input to output, in order: (label, count).
        traffic: rows of the log by verdict: (kind, reason, rows); with the rejected rows, they add
            up to the rows read.
        several_requests: rows of the log that hold several requests.
        tables: the files of each table, relative to the run's folder.
        marks: size and digest of the end of each of these files.
        stages: start, seconds, bytes and counters of each stage.
        languages: languages of the log with their shares; empty if they are unclear.
        warnings: what makes the results unreliable, one line each.
        findings: how sure the result is, and which step would help most, one line each.
        masking: the masking of the log.
        rejected: rejected rows of the log, by reason.
        given: the settings that the user gave, by the name of the flag or argument.
        started: time in UTC at which the first stage started.
        finished: time in UTC at which the run finished.
    """

    versions: dict[str, str]
    settings: dict[str, Any]
    fingerprint: str
    model: ModelSummary
    funnel: list[tuple[str, Count]]
    tables: dict[str, list[str]]
    stages: dict[str, StageSummary]
    masking: MaskingSummary
    languages: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    rejected: dict[str, Count] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)
    started: str = ""
    finished: str = ""
    traffic: list[tuple[str, str, Count]] = field(default_factory=list)
    several_requests: Count = 0
    marks: dict[str, str] = field(default_factory=dict)
