"""Manifests: what a stage and a run left behind, as JSON written last.

A folder without its manifest is unfinished, and readers take the list of files from the manifest
only, so that a half-written table is never seen.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any, Self

MANIFEST = "manifest.json"
# Written first into a run's folder: which run this folder belongs to.
CLAIM = "run.json"


class ManifestError(ValueError):
    """A manifest is not readable as one."""


def fingerprint(settings: Any) -> str:
    """Return 16 hex digits that tell two JSON-like settings apart, whatever the order of keys."""
    text = json.dumps(settings, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class StageManifest:
    """What one stage wrote: its files (names relative to the stage's folder) and counts."""

    stage: str
    fingerprint: str
    files: dict[str, list[str]]
    counters: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    bytes: int = 0

    def to_json(self) -> str:
        """Serialize, keys sorted."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read back; raises ManifestError for anything else."""
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError) as error:
            raise ManifestError(f"not a stage manifest: {error}") from error


@dataclass(frozen=True, slots=True)
class RunManifest:
    """What a finished run left behind.

    Attributes:
        versions: of the programs that made it.
        settings: inputs and settings; `fingerprint` is their hash.
        fingerprint: of the settings.
        model: the model's folder, its encoder, thresholds and where those come from.
        funnel: what went in and what came out, in order: [label, count].
        tables: the files of each table, relative to the run's folder.
        stages: seconds, bytes and counters of each stage.
    """

    versions: dict[str, str]
    settings: dict[str, Any]
    fingerprint: str
    model: dict[str, Any]
    funnel: list[list]
    tables: dict[str, list[str]]
    stages: dict[str, dict[str, Any]]

    def to_json(self) -> str:
        """Serialize."""
        return json.dumps(asdict(self), indent=2, default=str) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read back; raises ManifestError for anything else."""
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError) as error:
            raise ManifestError(f"not a run manifest: {error}") from error
