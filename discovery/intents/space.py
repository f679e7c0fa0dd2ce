"""Learn the space of stage II and the distance that separates intents in it.

The metric head pulls near utterances together. Where labels are many, most neighbors of a new
intent are labeled utterances of a known one, and the head would merge both. So rows that stage I
suspects to be novel are not pulled towards labeled rows. When the distance is learned, stage I is
refitted without the held-out intents: these are then suspected like new intents.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from advin.discovery.compute.parallel import run_parallel
from advin.discovery.config import Config
from advin.discovery.labels import SUSPECTED_NOVEL
from advin.discovery.metric.training import (
    MetricHead,
    MetricSettings,
    TrainingRows,
    default_neighbors,
    labels_suffice,
    train_metric_head,
)
from advin.discovery.novelty.novelty import NoveltyModel
from advin.discovery.selection.distance import IntentDistance, held_out_folds, intent_distance
from advin.discovery.selection.stability import stable_clusters


def learn_intent_space(
    rows: TrainingRows,
    config: Config,
    novelty: NoveltyModel | None,
    ood: np.ndarray | None = None,
) -> tuple[MetricHead, IntentDistance]:
    """Train the metric head, and learn the distance at which intents separate in its space.

    The number of neighbors and the distance come from the labels, or without enough labels from the
    stability of clusters.

    Args:
        rows: labeled and unlabeled utterances, none of them marked as suspected.
        config: seed, training, neighbors, distance and stability.
        novelty: stage I, fitted to the labeled rows; None without known intents.
        ood: (o, d) vectors of out-of-domain texts, if stage I was given any.
    """
    settings = _settings(config)
    neighbors = settings.neighbors
    if not neighbors and labels_suffice(rows.labels):
        neighbors = default_neighbors(rows.vectors, rows.labels)
    settings = replace(settings, neighbors=neighbors)

    def suspect(visible: TrainingRows) -> TrainingRows:
        """Mark rows that stage I, fitted to the visible labels, suspects to be novel."""
        if novelty is None:
            return visible
        given = visible.labels >= 0
        compact = np.unique(visible.labels[given], return_inverse=True)[1]
        refitted = novelty.refitted(visible.vectors[given], compact, ood, settings.seed)
        return _suspected(visible, refitted, config.metric.suspect_score)

    # As a parallel task it runs on one thread: the last bits of scores depend on that number.
    [marked] = run_parallel([partial(_suspected, rows, novelty, config.metric.suspect_score)])
    folds = held_out_folds(marked, settings, suspect)
    stable = None
    if not folds:
        found = stable_clusters(rows, settings)
        settings, stable = replace(settings, neighbors=found.neighbors), found.distance

    tasks: list[Callable[[], Any]] = [partial(train_metric_head, marked, settings), *folds]
    trained, *learned = run_parallel(tasks)
    return trained, intent_distance(settings.neighbors, learned, stable)


def _settings(config: Config) -> MetricSettings:
    metric = config.metric
    return MetricSettings(
        loss=metric.loss,
        hidden=metric.hidden,
        steps=metric.steps,
        batch=metric.batch,
        labeled_batch=metric.labeled_batch,
        labeled_weight=None if metric.labeled_weight == "auto" else metric.labeled_weight,
        learning_rate=metric.learning_rate,
        temperature=metric.temperature,
        neighbors=0 if metric.neighbors == "auto" else metric.neighbors,
        unlabeled_neighbors=0
        if metric.unlabeled_neighbors == "auto"
        else metric.unlabeled_neighbors,
        refresh=metric.refresh,
        dropout=metric.dropout,
        seed=config.seed,
    )


def _suspected(rows: TrainingRows, novelty: NoveltyModel | None, threshold: float) -> TrainingRows:
    """Mark unlabeled rows as SUSPECTED_NOVEL if their novelty score exceeds the threshold."""
    if novelty is None:
        return rows
    marked = rows.labels.copy()
    rest = np.flatnonzero(rows.labels < 0)
    scores = novelty.score(rows.vectors[rest]).score
    marked[rest[scores > threshold]] = SUSPECTED_NOVEL
    return replace(rows, labels=marked)
