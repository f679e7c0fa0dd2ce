"""The stages that look through a small log with a model at hand, in their order."""

STAGES = (
    "ingest",
    "embed",
    "score",
    "cluster",
    "assign",
    "describe",
    "taxonomy",
    "assemble",
)
