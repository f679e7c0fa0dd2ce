"""Linkage across workers: time, memory and quality as the log grows, compared with other tools.

Vectors are synthetic (benchmarks/mixtures.py). Each method runs in a process of its own, so its
peak memory and processor time are its own. Both include the libraries.

    python -m benchmarks.scale --rows 10000 100000 1000000 --out RESULT.json
    python -m benchmarks.scale --rows 100000 --text FILE.parquet [--text …] --out RESULT.json

With --text, whole runs on real texts are measured instead (benchmarks/text_scale.py).
"""

import argparse
import functools
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import faiss
import numpy as np
from apache_beam.options.pipeline_options import PipelineOptions
from sklearn.metrics import adjusted_rand_score

from advin.discovery.clustering.clusters import Clusters
from advin.discovery.clustering.linkage import average_linkage
from advin.discovery.config import Config
from advin.discovery.intents.points import largest_clusters
from advin.discovery.intents.rules import IntentRules
from advin.pipelines import storage
from advin.pipelines.cluster_files import (
    ClusterSource,
    CondensedClusters,
    clusters_to_arrow,
    ids_from_arrow,
    read_clusters,
)
from advin.pipelines.counters import LinkCounters
from advin.pipelines.link import MERGED, condense, finished_rounds
from advin.pipelines.shards import SHARD_ROWS
from advin.pipelines.stages import Workspace
from benchmarks.common import Options, Results
from benchmarks.mixtures import DIMENSION, draw_mixture
from benchmarks.peers import PEERS
from benchmarks.processes import measured
from benchmarks.text_scale import measure_texts

# The best distance for the mixture; the pipeline would learn it.
RULES = IntentRules(distance=0.68, radius=0.68, min_size=5, fine=0.68, coarse=0.68)
_CONFIG = Config()
_NEIGHBORS = 16
_QUERIES = 100_000
# Methods of quadratic cost, or that take hours, run up to this number of rows.
_MOST = {"exact": 100_000, "hdbscan": 10_000, "bertopic": 100_000}
_MOST |= {"evoc": 100_000, "fast_hdbscan": 10_000, "faiss_flat": 100_000}
# One worker finishes a fifth of the rows, so that small logs need rounds, too.
_FIFTH = 5


def write_log(folder: Path, vectors: np.ndarray, intents: np.ndarray) -> None:
    """Write vectors like the stages before linkage, and their intents."""
    rows = len(vectors)
    rng = np.random.default_rng(0)
    ids = np.sort(np.array([rng.bytes(16).hex() for _ in range(rows)], "S32"))
    ones = np.ones(rows, np.int64)
    log = Clusters(ids, vectors.astype(np.float16), ones, ones, np.ones(rows), 0 * ones, -ones)
    for start in range(0, rows, SHARD_ROWS):
        part = log.take(np.arange(start, min(start + SHARD_ROWS, rows)))
        name = f"part-{start // SHARD_ROWS:05d}.parquet"
        storage.write_parquet(str(folder / "log" / name), clusters_to_arrow(part))
    np.save(folder / "intents.npy", intents)


def source_of(folder: Path, rows: int) -> CondensedClusters:
    """Return the synthetic log in the form that rounds of linkage read."""
    names = sorted(p.name for p in (folder / "log").glob("*.parquet"))
    return CondensedClusters(str(folder / "log"), tuple(names), rows)


def linkage(
    folder: Path,
    rows: int,
    one_worker: int,
    rules: IntentRules = RULES,
    config: Config | None = None,
) -> dict[str, float]:
    """Run rounds on the in-process engine, then link the remaining clusters on one worker."""
    run = tempfile.mkdtemp(dir=folder)
    workspace = Workspace.claim(run, {}, PipelineOptions(["--runner=FnApiRunner"]))
    log = source_of(folder, rows)
    config = (config or _CONFIG).with_values({"linkage.max_clusters": one_worker})
    sources = condense(workspace, log, rows, rules, config)
    none = log.read(log.names()[0]).take(np.arange(0))
    left, left_out = largest_clusters(read_clusters(sources), one_worker, none)
    found = link(left, 1 - rules.distance)
    cluster = dict(zip(left.ids.tolist(), found.tolist(), strict=True))
    rounds = [stage.counters(LinkCounters) for stage in finished_rounds(workspace)]
    into: dict[bytes, bytes] = {}
    for gone, kept in merges(workspace):
        into |= dict(zip(gone, kept, strict=True))
    ids = [i for name in log.names() for i in log.read(name).ids.tolist()]
    labels = follow(ids, into, cluster)
    np.save(folder / "labels.npy", labels)
    return {
        "rounds": len(rounds),
        "left for one worker": len(left.ids),
        "left out": left_out + sum(counters.utterances_left_out for counters in rounds),
        "MB sent": sum(counters.bytes_sent for counters in rounds) / 1e6,
        **_quality(folder, labels),
    }


def link_all(source: ClusterSource, floor: float) -> np.ndarray:
    """Gather all clusters and link them on one worker; return their labels."""
    return link(Clusters.joined([source.read(name) for name in source.names()]), floor)


def link(clusters: Clusters, floor: float) -> np.ndarray:
    """Link clusters on one worker; return their labels."""
    return average_linkage(clusters.sums(), clusters.weights, floor).cut(floor)


def exact(folder: Path, rows: int, one_worker: int) -> dict[str, float]:
    """Link all vectors on one worker."""
    labels = link_all(source_of(folder, rows), 1 - RULES.distance)
    scores = _quality(folder, labels)
    if (folder / "labels.npy").exists():
        ours = np.load(folder / "labels.npy")
        scores["ARI of linkage with it"] = 100 * adjusted_rand_score(labels, ours)
    return scores


def faiss_cells(folder: Path, rows: int, one_worker: int) -> dict[str, float]:
    """Search the nearest neighbors with as many cells as the first round.

    For a large log, a part of the queries is timed and the time is extrapolated.
    """
    x = _vectors(folder, rows)
    cells = max(1, rows // _CONFIG.linkage.cell_rows)
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(DIMENSION), DIMENSION, cells)
    index.metric_type = faiss.METRIC_INNER_PRODUCT
    index.train(x[: 64 * max(cells, 64)])
    index.add(x)
    index.nprobe = _CONFIG.linkage.visits
    return _timed(lambda queries: index.search(queries, _NEIGHBORS), x)


def faiss_flat(folder: Path, rows: int, one_worker: int) -> dict[str, float]:
    """Search the nearest neighbors among all vectors."""
    x = _vectors(folder, rows)
    return _timed(
        lambda queries: faiss.knn(queries, x, _NEIGHBORS, metric=faiss.METRIC_INNER_PRODUCT), x
    )


def _timed(search: Callable[[np.ndarray], object], x: np.ndarray) -> dict[str, float]:
    queries = x[:_QUERIES]
    start = time.monotonic()
    search(queries)
    return {"search seconds": (time.monotonic() - start) * len(x) / len(queries)}


def peer(folder: Path, rows: int, one_worker: int, name: str) -> dict[str, float]:
    """Cluster the same vectors with another tool."""
    return _quality(folder, PEERS[name](_vectors(folder, rows), 0))


METHODS: dict[str, Callable[..., dict[str, float]]] = {
    "linkage": linkage,
    "exact": exact,
    "faiss_cells": faiss_cells,
    "faiss_flat": faiss_flat,
    **{name: functools.partial(peer, name=name) for name in PEERS},
}


def _vectors(folder: Path, rows: int) -> np.ndarray:
    source = source_of(folder, rows)
    return np.concatenate([source.read(name).means for name in source.names()]).astype(np.float32)


def merges(workspace: Workspace) -> Iterator[tuple[list[bytes], list[bytes]]]:
    """Yield the merges of all rounds: ids, and the ids of the clusters that took them in."""
    for stage in finished_rounds(workspace):
        part = stage.part(MERGED)
        for file in part.files():
            table = storage.read_parquet(storage.join(part.folder, file))
            gone, kept = (ids_from_arrow(c).tolist() for c in table.columns)
            yield gone, kept


def follow(ids: list[bytes], into: dict[bytes, bytes], cluster: dict[bytes, int]) -> np.ndarray:
    """Return the final cluster of each utterance; one that was left out is its own cluster."""
    labels = np.empty(len(ids), np.int64)
    for row, leaf in enumerate(ids):
        identity = leaf
        while identity in into:
            identity = into[identity]
        labels[row] = cluster.get(identity, -1 - row)
    return labels


def _quality(folder: Path, labels: np.ndarray) -> dict[str, float]:
    intents = np.load(folder / "intents.npy")
    real = intents >= 0
    sizes = np.unique(labels, return_counts=True)[1]
    return {
        "ARI": 100 * adjusted_rand_score(intents[real], labels[real]),
        "clusters of 5": int(np.count_nonzero(sizes >= 5)),
        "intents": len(np.unique(intents[real])),
    }


def main() -> int:
    """Run the benchmark: every method on every size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument(
        "--one-worker", type=int, help="rows that one worker links (a fifth, at most 100,000)"
    )
    parser.add_argument("--text", type=Path, action="append", metavar="FILE.parquet")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, metavar="RESULT.json")
    given = parser.parse_args()
    results = Results(Options(data=(), known=(), seeds=1, out=given.out))
    for rows in given.rows:
        one_worker = given.one_worker or min(_CONFIG.linkage.max_clusters, rows // _FIFTH)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            if given.text:
                measure_texts(
                    folder,
                    given.text,
                    rows,
                    given.one_worker or _CONFIG.linkage.max_clusters,
                    results,
                )
                continue
            measured(_drawn, folder, rows, given.seed)
            for method in given.methods:
                if rows > _MOST.get(method, rows):
                    continue
                found = measured(METHODS[method], folder, rows, one_worker)
                found["vectors MB"] = rows * DIMENSION * 4 / 1e6
                results.add((f"mixture of {rows:,}", 0.0, method), found, found["seconds"])
                print(method, rows, {k: round(v, 1) for k, v in found.items()}, flush=True)
    results.finish()
    return 0


def _drawn(folder: Path, rows: int, seed: int) -> dict[str, float]:
    drawn = draw_mixture(rows, seed)
    write_log(folder, drawn.vectors, drawn.intents)
    return {}


if __name__ == "__main__":
    sys.exit(main())
