"""Print the best distance and radius for a head that learns without labels.

"Best" is by the true labels.

    python -m benchmarks.default_distance --data FILE.parquet

Defaults of the section `distance` of the configuration come from this script.
"""

import numpy as np

from advin.discovery.clustering.linkage import average_linkage
from advin.discovery.compute.classes import nearest_centroids
from advin.discovery.config import LexicalConfig
from advin.discovery.encoding.lexical import lexical_vectors
from advin.discovery.evaluation.measures import ari, contingency
from advin.discovery.intents.space import learn_intent_space
from advin.discovery.metric.training import TrainingRows
from benchmarks.anchors import anchored, novel_clusters
from benchmarks.common import parse_options
from benchmarks.intent_discovery import SETS, Embedded, config_for, draw_task, embed

# A larger train split is sampled.
_MAX_ROWS = 9_000


def show(embedded: Embedded) -> None:
    """Print the cut with the best ARI, the range of cuts near it, and a radius."""
    task, name = draw_task(embedded, 0.0, 0, _MAX_ROWS), embedded.utterances.name
    rows = TrainingRows(
        task.train, task.labels, lexical_vectors(task.texts, LexicalConfig()), task.views
    )
    head, distance = learn_intent_space(rows, config_for(0), None)
    space = head.transform(task.train)
    tree = average_linkage(space, np.ones(len(space)), floor=0.05)
    grid = np.round(np.arange(0.2, 0.9, 0.01), 2)
    curve = np.array([ari(contingency(task.train_truth, tree.cut(1 - float(cut)))) for cut in grid])
    near = grid[curve >= 0.97 * curve.max()]
    best = float(grid[curve.argmax()])
    clusters = tree.cut(1 - best)
    novel = novel_clusters(clusters, task.labels, distance.small)
    clusters = anchored(space, task.labels, clusters, novel)
    radius = np.quantile(nearest_centroids(space, space, clusters)[1], 0.95)
    print(
        f"{name}: best cut {best:.2f} (ARI {100 * curve.max():.1f}), within 3 %: "
        f"{near.min():.2f} to {near.max():.2f}; radius {radius:.2f}",
        flush=True,
    )


def main() -> None:
    """Run the benchmark."""
    options = parse_options(__doc__, SETS, known=(0.0,))
    for path in options.data:
        show(embed(path, options))


if __name__ == "__main__":
    main()
