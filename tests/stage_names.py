"""The stages that every run has, in their order: a small log with a given model has no others."""

from advin.pipelines.spine import STAGES as SPINE

STAGES = tuple(
    entry.name
    for entry in SPINE
    if entry.name == "rows" or (entry.when is None and not entry.repeats)
)
