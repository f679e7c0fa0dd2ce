"""Evaluate a finished run against true labels, by the measures of `discovery.evaluation`."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from advin.discovery.config import Config
from advin.discovery.evaluation.measures import evaluate_discovery
from advin.discovery.evaluation.recovery import (
    Recovery,
    Unmatched,
    domain_recovery,
    recovery,
    unmatched_intents,
)
from advin.discovery.evaluation.rows import Found, Truth
from advin.discovery.text.cleaning import clean, normalize
from advin.discovery.text.config import MaskingConfig
from advin.discovery.text.preparation import prepare
from advin.pipelines.errors import SettingsError
from advin.pipelines.reading.columns import Columns
from advin.pipelines.reading.inputs import find_input
from advin.pipelines.reading.read import read_piece, split_file
from advin.pipelines.report import read_run, read_table
from advin.schemas.ids import utterance_id
from advin.schemas.verdicts import KNOWN

_COLUMNS = [
    "utterance_id",
    "count",
    "known_intent",
    "novelty_score",
    "kind",
    "intent_id",
    "domain_id",
]


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation.

    Attributes:
        metrics: value of each metric, by name.
        recovery: for each novel intent of the truth, the novel intent of the run that fits best.
        unmatched: novel intents of the run that recover no novel intent of the truth.
        domains: for each domain of the truth, the domain of the run that fits best.
    """

    metrics: dict[str, float]
    recovery: list[Recovery]
    unmatched: list[Unmatched]
    domains: list[Recovery]


def evaluate(run: str, truth: str, columns: Columns) -> Evaluation:
    """Evaluate the utterances of a run that have a true label, weighted by their counts.

    Args:
        run: folder of a finished run.
        truth: file, folder or glob with the true intent and domain of each text. An empty intent
            marks a text without an intent.
        columns: names of the columns of these files.

    Raises:
        SettingsError: if the run has not finished, or no text of the run has a true label.
    """
    manifest = read_run(run)
    if manifest is None:
        raise SettingsError(
            f"--run: no finished run in {run}: run `advin discover --output {run}` first"
        )
    masking = Config().with_mapping(manifest.settings["config"]).masking
    true_labels = _read_truth(truth, columns, masking)
    assignments = read_table(run, manifest, "assignments", _COLUMNS).to_pylist()
    rows = [row for row in assignments if row["utterance_id"] in true_labels]
    if not rows:
        raise SettingsError(
            f"--truth: {truth} has {len(true_labels)} texts, but none of the {len(assignments)} "
            "distinct texts of the run: give the true labels of the log of this run"
        )
    intents = read_table(run, manifest, "intents", ["intent_id", "name", "kind"]).to_pylist()
    known = {i["intent_id"]: i["name"] for i in intents if i["kind"] == KNOWN}
    labels = [true_labels[row["utterance_id"]] for row in rows]
    true = Truth(
        intent=[intent for intent, _ in labels],
        domain=[domain for _, domain in labels],
        known=set(known.values()),
        counts=np.array([row["count"] for row in rows]),
    )
    found = Found(
        intent_id=[row["intent_id"] for row in rows],
        kind=[row["kind"] for row in rows],
        known_intent=[known.get(row["intent_id"], row["known_intent"]) for row in rows],
        novelty_score=[row["novelty_score"] for row in rows],
        domain=[row["domain_id"] for row in rows],
    )
    names = {i["intent_id"]: i["name"] for i in intents}
    metrics = {"distinct_texts": len(rows), **evaluate_discovery(true, found)}
    found_domains = read_table(run, manifest, "domains", ["domain_id", "name"]).to_pylist()
    domain_names = {d["domain_id"]: d["name"] for d in found_domains}
    return Evaluation(
        metrics,
        recovery(true, found, names),
        unmatched_intents(true, found, names),
        domain_recovery(true, found, domain_names),
    )


def _read_truth(
    pattern: str, columns: Columns, masking: MaskingConfig
) -> dict[str, tuple[str | None, str | None]]:
    """Return the most frequent (intent, domain) of each text, by utterance id.

    Texts are prepared as those of the run, and labels are cleaned as the run's labels are.
    """
    found: dict[str, Counter] = {}
    for file in find_input(pattern, columns, "--truth"):
        for piece in split_file(file):
            for row in read_piece(piece, columns):
                if row.problem is None and (text := prepare(row.text or "", masking).text):
                    label = (clean(row.intent or "") or None, clean(row.domain or "") or None)
                    found.setdefault(utterance_id(normalize(text)), Counter())[label] += 1
    return {
        identity: min(labels, key=lambda label: (-labels[label], str(label)))
        for identity, labels in found.items()
    }
