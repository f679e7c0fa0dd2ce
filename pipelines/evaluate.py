"""Compare a finished run with the truth: every metric of `discovery.evaluation`."""

from dataclasses import dataclass

import pyarrow as pa

from discovery.evaluation import Found, Recovery, Truth, evaluate_discovery, recovery
from discovery.text import clean, normalise
from pipelines.errors import SettingsError
from pipelines.inputs import Columns, find_input
from pipelines.readers import read_piece, split_file
from pipelines.report import read_run, read_table
from schemas.batches import utterance_id

_COLUMNS = [
    "utterance_id",
    "count",
    "known_intent",
    "novelty_score",
    "is_novel",
    "intent_id",
    "domain_id",
]


@dataclass(frozen=True)
class Evaluation:
    """The metrics by name, and what became of each novel intent of the truth."""

    metrics: dict[str, float]
    recovery: list[Recovery]
def evaluate(*a): pass
