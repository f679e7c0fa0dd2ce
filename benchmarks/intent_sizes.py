"""Stage II without labels on intents of different sizes: is the neighbor count estimated well?

The name of a row tells how many utterances of each intent are drawn from the train split; "all" is
at most 10,000 of the data set. The methods choose the neighbor count and the distance:
  learned   by `stable_clusters`, with views
  whole     by `stable_clusters`, without views
  constant  the default of a head (30, or a twentieth of the rows if that is less) and the default
            distance, with views

`ARI at default` is the ARI at the default distance, and `best` that of the best distance for this
draw. `at 0.48` and so on are the shares of `best` that fixed distances reach. The default distance
is one that is good on all data sets.

    python -m benchmarks.intent_sizes --data textoir_banking --seeds 3 --out RESULT.json
"""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from advin.discovery.clustering.linkage import Linkage, average_linkage
from advin.discovery.compute.classes import sample_evenly
from advin.discovery.config import Config, LexicalConfig, ViewsConfig
from advin.discovery.encoding.lexical import lexical_vectors
from advin.discovery.encoding.views import embedded_views
from advin.discovery.evaluation.agreement import ari, contingency
from advin.discovery.labels import UNLABELED
from advin.discovery.metric.neighbors import default_neighbors
from advin.discovery.metric.rows import TrainingRows
from advin.discovery.metric.settings import resolve_head
from advin.discovery.metric.training import train_metric_head
from advin.discovery.selection.distance import separated_distance
from advin.discovery.selection.stability import Stable, sample_rows, stable_clusters
from benchmarks.common import (
    TRAIN,
    Results,
    Utterances,
    encode,
    load_utterances,
    parse_options,
    view_encoder,
)

SETS = ("textoir_banking", "textoir_clinc", "massive_en", "snips")
SIZES = (25, 60, None)
METHODS = ("learned", "whole", "constant")
_MOST = 10_000
_GRID = np.round(np.arange(0.2, 0.81, 0.01), 2)
_DISTANCES = (0.48, 0.52, 0.56, 0.60, 0.64)


def draw(utterances: Utterances, size: int | None, seed: int) -> np.ndarray:
    """Return the rows of a draw: `size` of each intent, or at most 10,000 rows if it is None."""
    random = np.random.default_rng(seed)
    rows = np.flatnonzero((utterances.splits == TRAIN) & (utterances.intents != ""))
    if size is None:
        return np.sort(random.permutation(rows)[:_MOST])
    intents = np.unique(utterances.intents[rows], return_inverse=True)[1]
    return rows[sample_evenly(intents, size * (intents.max() + 1), random)]


def measure(rows: TrainingRows, truth: np.ndarray, seed: int, method: str) -> dict[str, float]:
    """Learn the space as the method does, link it and score it."""
    config = Config().with_values({"seed": seed})
    default = config.distance.default
    if method == "constant":
        neighbors = default_neighbors(rows.vectors, rows.labels, config.neighbors)
        stable = Stable(neighbors)
    else:
        rows = replace(rows, views=rows.views if method == "learned" else None)
        stable = stable_clusters(rows, config)
    head = train_metric_head(rows, resolve_head(rows, config, stable.neighbors))
    space = head.transform(rows.vectors)
    tree = average_linkage(space, np.ones(len(space)), floor=1 - float(_GRID[-1]))
    sample = head.transform(sample_rows(rows, config).vectors)
    distance = separated_distance(sample, stable, config)
    clusters = tree.cut(1 - distance.value)
    best = max(score(tree, truth, float(value)) for value in _GRID)
    return {
        "neighbors": stable.neighbors,
        "distance": 100 * distance.value,
        "ARI": score(tree, truth, distance.value),
        "ARI at default": score(tree, truth, default),
        "best": best,
        "K": np.count_nonzero(np.unique(clusters, return_counts=True)[1] >= distance.small),
        "true K": len(np.unique(truth)),
        **{f"at {value:.2f}": 100 * score(tree, truth, value) / best for value in _DISTANCES},
    }


def score(tree: Linkage, truth: np.ndarray, distance: float) -> float:
    """Return the ARI of the clusters at a distance, in per cent."""
    return 100 * ari(contingency(truth, tree.cut(1 - distance)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    options = parse_options(__doc__, SETS, (0.0,), arguments, METHODS)
    results = Results(options)
    for path in options.data:
        utterances = load_utterances(path, options.distinct)
        vectors = encode(utterances, options).astype(np.float32)
        encode_views = view_encoder(options)
        for size in SIZES:
            for seed in range(options.seeds):
                chosen = draw(utterances, size, seed)
                rows = TrainingRows(
                    vectors=vectors[chosen],
                    labels=np.full(len(chosen), UNLABELED),
                    lexical=lexical_vectors(utterances.texts[chosen], LexicalConfig()),
                    views=embedded_views(
                        utterances.texts[chosen], vectors[chosen], encode_views, ViewsConfig()
                    ),
                )
                for method in options.asked(METHODS):
                    start = time.perf_counter()
                    scores = measure(rows, utterances.intents[chosen], seed, method)
                    seconds = time.perf_counter() - start
                    key = (utterances.name, 0.0, f"{size or 'all'}_{method}")
                    results.add(key, scores, seconds)
    results.finish()


if __name__ == "__main__":
    main()
