"""The space of stage II and the distance in it, learned with what stage I says of each utterance.

The metric head takes near utterances for one intent. Beside a known intent that draws new ones into
it: where labels are many, most neighbours of a new intent's utterance are labelled ones. So what
stage I doubts is not pulled towards labelled utterances. When the distance is learned, stage I is
fitted anew to the intents that are not held out: those that are get the same doubt as new ones.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from discovery.distance import IntentDistance, agreed_distance, held_out_folds
from discovery.metric import (
    DOUBTED,
    MetricHead,
    MetricSettings,
    TrainingRows,
    default_neighbours,
    labels_suffice,
    train_metric_head,
)
from discovery.novelty import NoveltyModel
from discovery.processors import at_once
from discovery.stability import stable_neighbours

# Doubted are scores above this, in units of the spread of known utterances; above 0 is flagged. On
# end-to-end logs of massive_en (seeds 0 to 2) and clinc150 (0 and 1), of novel utterances 70 % are
# found without any doubt, 76 at 0 and 77 at -0.5; of large novel intents 66, 70 and 75.
_DOUBT = -0.5


def learn_intent_space(
    rows: TrainingRows,
    settings: MetricSettings,
    novelty: NoveltyModel | None,
    ood: np.ndarray | None = None,
) -> tuple[MetricHead, IntentDistance]:
    """Learn the metric head, and the distance at which intents separate in its space.

    Args:
        rows: labelled and unlabelled utterances, none of them doubted yet.
        settings: of the head.
        novelty: stage I, fitted to the labelled rows; None without known intents.
        ood: (o, d) vectors of texts that belong to no intent, if stage I was given any.
    """
    neighbours = settings.neighbours or _neighbours(rows, settings)
    settings = replace(settings, neighbours=neighbours)

    def head() -> MetricHead:
        return train_metric_head(_doubted(rows, novelty), settings)

    def doubt(told: TrainingRows) -> TrainingRows:
        if novelty is None:
            return told
        given = told.labels >= 0
        compact = np.unique(told.labels[given], return_inverse=True)[1]
        refitted = novelty.refitted(told.vectors[given], compact, ood, settings.seed)
        return _doubted(told, refitted)

    pieces: list[Callable[[], Any]] = [head, *held_out_folds(rows, settings, doubt)]
    trained, *learned = at_once(pieces)
    return trained, agreed_distance(neighbours, learned)


def _neighbours(rows: TrainingRows, settings: MetricSettings) -> int:
    """Return how many neighbours make an intent: by the labels, or without them by stability."""
    if labels_suffice(rows.labels):
        return default_neighbours(rows.vectors, rows.labels)
    return stable_neighbours(rows, settings)


def _doubted(rows: TrainingRows, novelty: NoveltyModel | None) -> TrainingRows:
    """Mark as DOUBTED what looks like no known intent; nothing where none is known."""
    if novelty is None:
        return rows
    marked = rows.labels.copy()
    rest = np.flatnonzero(rows.labels < 0)
    marked[rest[novelty.score(rows.vectors[rest]).score > _DOUBT]] = DOUBTED
    return replace(rows, labels=marked)
