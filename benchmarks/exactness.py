"""Compare linkage in rounds with exact linkage on real vectors, for several sizes of cells.

    python -m benchmarks.exactness --seeds 3 --out RESULT.json

For each seed, 20,000 utterances of all data sets are drawn, and a space is learned from them
without labels.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.metrics import adjusted_rand_score

from advin.discovery.config import Config
from advin.discovery.intents.rules import IntentRules
from advin.discovery.labels import UNLABELED
from advin.discovery.metric.rows import TrainingRows
from advin.discovery.metric.settings import resolve_head
from advin.discovery.metric.training import train_metric_head
from benchmarks.common import Results, encode, load_utterances, parse_options
from benchmarks.scale import link_all, linkage, source_of, write_log

ROWS = 20_000
# Rounds end at a tenth of the rows, like 100,000 of a million.
ONE_WORKER = 2_000
_CELL_ROWS = (8192, 4096, 2048, 1024, 512)
# The distance learned here with many labels, and the default one without labels.
_DISTANCES = (0.35, 0.56)


def main() -> int:
    """Run the benchmark: every size of cells at every distance."""
    sets = ("clinc150", "banking77", "massive_en")
    options = parse_options(__doc__.splitlines()[0], sets, known=(0.0,))
    results = Results(options)
    vectors = np.concatenate([encode(load_utterances(f, True), options) for f in options.data])
    for seed in range(options.seeds):
        drawn = vectors[np.random.default_rng(seed).permutation(len(vectors))[:ROWS]]
        rows = TrainingRows(drawn, np.full(len(drawn), UNLABELED))
        config = Config.preset("fast").with_values({"seed": seed})
        space = train_metric_head(rows, resolve_head(rows, config)).transform(drawn)
        for distance in _DISTANCES:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                write_log(folder, space, np.zeros(len(drawn), np.int64))
                exact = link_all(source_of(folder, len(drawn)), 1 - distance)
                for cell_rows in _CELL_ROWS:
                    sizes = {
                        "linkage.cell_rows": cell_rows,
                        "linkage.max_cell_rows": 4 * cell_rows,
                    }
                    rules, config = (
                        IntentRules(distance, distance, 5, distance, distance),
                        Config().with_values(sizes),
                    )
                    found = linkage(folder, len(drawn), ONE_WORKER, rules, config)
                    labels = np.load(folder / "labels.npy")
                    scores = {
                        "ARI with exact": 100 * adjusted_rand_score(exact, labels),
                        "rounds": found["rounds"],
                        "left": found["left for one worker"],
                        "MB sent": found["MB sent"],
                    }
                    key = (f"{len(drawn):,} at {distance}", 0.0, f"cells of {cell_rows}")
                    results.add(key, scores, 0.0)
    results.finish()
    return 0


if __name__ == "__main__":
    sys.exit(main())
