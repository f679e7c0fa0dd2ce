"""Small logs without labels: how far the result depends on the seed and on single rows.

Each run draws 90 % of the rows of a log with its seed, fits a model and discovers intents, without
labels and without out-of-domain text. At most 2,500 rows of a set form its log. `SPLITS` names the
split of some sets.

    python -m benchmarks.small_logs --data dstc11_insurance --seeds 20 --out RESULT.json

Methods: `full` and `fast` are these presets. `k_means` and `bertopic` are other tools on the same
draws, with the sentence vectors (`benchmarks/peers.py`); they run only if named. Measures: K, the
number of intents found; `coarse` and `fine`, the same at these levels; `inside`, the share of runs
in per cent whose coarse and fine K enclose the true one; 100 x the distance, 1 - cosine; and NMI,
ARI and ACC in per cent over the utterances that have an intent. An utterance without a found intent
forms a cluster of its own. The line of a log shows the quantiles .1, .5 and .9 of K, the spread
(P90 - P10) / median, and the true K.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from advin.discovery.config import Config
from advin.discovery.discover import discover
from advin.discovery.encoding.texts import EmbeddedTexts
from advin.discovery.intents.levels import COARSE, FINE
from benchmarks.common import (
    Options,
    Results,
    Utterances,
    clustering_scores,
    encode,
    encoder_identity,
    load_utterances,
    parse_options,
    view_encoder,
)
from benchmarks.end_to_end import Task, learn, log_of
from benchmarks.peers import PEERS

# The split that forms the log; other sets use all rows.
SPLITS = {"dstc11_insurance": "dev_turns", "hint3_powerplay11": "log", "clinc150": "test"}
SETS = tuple(SPLITS)
_MOST, _SHARE = 2500, 0.9
METHODS = ("full", "fast")
OTHERS = ("k_means", "bertopic")


def load_log(path: Path) -> Utterances:
    """Return the distinct, masked utterances of a log."""
    found = load_utterances(path, masked=True)
    if found.name in SPLITS:
        splits = np.array(pq.read_table(path, columns=["split"])["split"].to_pylist())
        found = found.take(np.flatnonzero(splits == SPLITS[found.name]))
    rows = np.random.default_rng(0).permutation(len(found.texts))[:_MOST]
    return found.take(np.sort(rows))


def run(
    log: Utterances,
    vectors: np.ndarray,
    config: Config,
    options: Options,
    encode_views: Callable[[list[str]], np.ndarray],
) -> dict[str, float]:
    """Fit and discover on a draw of the rows, by the seed of the configuration.

    Returns:
        the measures; K is the number of intents found.
    """
    random = np.random.default_rng(config.seed)
    rows = np.sort(random.permutation(len(vectors))[: _rows(vectors)])
    none = EmbeddedTexts([], vectors[:0])
    counts = np.ones(len(rows), np.int64)
    nothing = log.take(rows[:0])
    task = Task(nothing, vectors[:0], log.take(rows), vectors[rows], counts)
    distinct, kept = log_of(task)
    task = replace(task, log=task.log.take(kept), log_vectors=vectors[rows][kept])
    model = learn(task, none, config, encoder_identity(options), encode_views)
    found = discover(distinct, model)
    truth = task.log.intents
    ids = np.array([name or f"none {i}" for i, name in enumerate(found.assignments.intent_id)])
    scores = clustering_scores(truth[truth != ""].astype(str), ids[truth != ""])
    levels = Counter(row.level for row in found.levels)
    coarse, fine = levels[COARSE], levels[FINE]
    measures = {"K": len(found.intents), "coarse": coarse, "fine": fine}
    measures["inside"] = 100.0 * (coarse <= len(set(truth[truth != ""])) <= fine)
    return measures | {"distance": 100 * model.rules.distance} | scores


def run_peer(log: Utterances, vectors: np.ndarray, peer: str, seed: int) -> dict[str, float]:
    """Cluster the same draw of the rows with another tool; noise forms clusters of single rows."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(vectors))[: _rows(vectors)])
    none = np.arange(len(rows))
    found = PEERS[peer](vectors[rows].astype(np.float32), seed)
    truth = log.intents[rows]
    ids = np.where(found < 0, -1 - none, found)
    has_intent = truth != ""
    scores = clustering_scores(truth[has_intent].astype(str), ids[has_intent].astype(str))
    return {"K": len(np.unique(found[found >= 0]))} | scores


def _rows(vectors: np.ndarray) -> int:
    return round(_SHARE * len(vectors))


def main() -> None:
    """Run the benchmark."""
    options = parse_options(__doc__, SETS, (0.0,), methods=(*METHODS, *OTHERS))
    results, encode_views = Results(options), view_encoder(options)
    for path in options.data:
        log = load_log(path)
        vectors = encode(log, options)
        for peer in options.asked(OTHERS) if options.methods else ():
            for seed in range(options.seeds):
                started = time.perf_counter()
                measures = run_peer(
                    log, encoder_identity(options).sentence_part(vectors), peer, seed
                )
                results.add((log.name, 0.0, peer), measures, time.perf_counter() - started)
        for method in options.asked(METHODS):
            intents: list[float] = []
            for seed in range(options.seeds):
                started = time.perf_counter()
                config = replace(Config.preset(method), seed=seed)
                measures = run(log, vectors, config, options, encode_views)
                results.add((log.name, 0.0, method), measures, time.perf_counter() - started)
                intents.append(measures["K"])
            low, middle, high = np.quantile(intents, (0.1, 0.5, 0.9))
            print(
                f"{log.name}, {method}: K {low:.0f}, {middle:.0f}, {high:.0f}, spread "
                f"{(high - low) / middle:.2f}, of {len(log.names)}: {sorted(intents)}",
                flush=True,
            )
    results.finish()


if __name__ == "__main__":
    main()
