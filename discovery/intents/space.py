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
from advin.discovery.encoding.texts import EmbeddedTexts
from advin.discovery.labels import SUSPECTED_NOVEL
from advin.discovery.metric.head import MetricHead
from advin.discovery.metric.rows import TrainingRows
from advin.discovery.metric.settings import resolve_head
from advin.discovery.metric.training import train_metric_head
from advin.discovery.novelty.model import NoveltyModel
from advin.discovery.selection.distance import (
    IntentDistance,
    held_out_folds,
    intent_distance,
    separated_distance,
)
from advin.discovery.selection.stability import sample_rows, stable_clusters


def learn_intent_space(
    rows: TrainingRows,
    config: Config,
    novelty: NoveltyModel | None,
    ood: EmbeddedTexts | None = None,
) -> tuple[MetricHead, IntentDistance]:
    """Train the metric head, and learn the distance at which intents separate in its space.

    The number of neighbors and the distance come from the labels. Without enough labels, they come
    from the stability and from the separation of clusters.

    Args:
        rows: labeled and unlabeled utterances, none of them marked as suspected.
        config: seed, training, neighbors, distance and stability.
        novelty: stage I, fitted to the labeled rows; None without known intents.
        ood: out-of-domain text, if stage I was given any.
    """
    settings = resolve_head(rows, config)

    def suspect(visible: TrainingRows) -> TrainingRows:
        """Mark rows that stage I, fitted to the visible labels, suspects to be novel."""
        if novelty is None:
            return visible
        given = np.flatnonzero(visible.labels >= 0)
        compact = np.unique(visible.labels[given], return_inverse=True)[1]
        labeled = visible.embedded(given)
        refitted = novelty.refitted(labeled, compact, config.novelty, ood, config.seed)
        return _suspected(visible, refitted, config.metric.suspect_score)

    # As a parallel task it runs on one thread: the last bits of scores depend on that number.
    [marked] = run_parallel([partial(_suspected, rows, novelty, config.metric.suspect_score)])
    folds = held_out_folds(marked, settings, config, suspect)
    stable = None
    if not folds:
        stable = stable_clusters(rows, config)
        settings = resolve_head(rows, config, stable.neighbors)

    tasks: list[Callable[[], Any]] = [partial(train_metric_head, marked, settings), *folds]
    head, *learned = run_parallel(tasks)
    if stable is None:
        return head, intent_distance(settings.neighbors, learned, config)
    space = head.transform(sample_rows(rows, config).vectors)
    # As a parallel task it runs on one thread, like the rest of the fit.
    [distance] = run_parallel([partial(separated_distance, space, stable, config)])
    return head, distance


def _suspected(rows: TrainingRows, novelty: NoveltyModel | None, threshold: float) -> TrainingRows:
    """Mark unlabeled rows as SUSPECTED_NOVEL if their novelty score exceeds the threshold."""
    if novelty is None:
        return rows
    marked = rows.labels.copy()
    rest = np.flatnonzero(rows.labels < 0)
    scores = novelty.score(rows.embedded(rest)).score
    marked[rest[scores > threshold]] = SUSPECTED_NOVEL
    return replace(rows, labels=marked)
