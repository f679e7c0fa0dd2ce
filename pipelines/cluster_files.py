"""Clusters of the log as files: single utterances first, fewer after each round of linkage."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

import numpy as np
import pyarrow as pa

from advin.discovery.clustering.clusters import Clusters
from advin.discovery.intents.decision import repetition_weights
from advin.discovery.model import Model
from advin.pipelines import storage
from advin.pipelines.models import load_model
from advin.pipelines.shards import Shard, read_first_rows
from advin.pipelines.stages import Stage
from advin.schemas import tables
from advin.schemas.batches import vectors_from_arrow, vectors_to_arrow
from advin.schemas.manifest import StageManifest


class ClusterSource(ABC):
    """Files that hold clusters."""

    @abstractmethod
    def names(self) -> list[str]:
        """Return the names of the files."""

    @abstractmethod
    def read(self, name: str) -> Clusters:
        """Read one of them."""

    @abstractmethod
    def sample(self, rows: int) -> np.ndarray:
        """Return a random sample of at most about so many means, the same everywhere."""


@dataclasses.dataclass(frozen=True)
class LogShards(ClusterSource):
    """The log as stages before left it: folders, and how many shards they have.

    Its utterances are clusters of one.
    """

    utterances: str
    vectors: str
    novelty: str
    shards: int
    model: str

    def names(self) -> list[str]:
        """Return the names of the shards."""
        return [Shard(number, self.shards).name for number in range(self.shards)]

    def read(self, name: str) -> Clusters:
        """Read a shard into the learned space."""
        folders = (self.utterances, self.vectors, self.novelty)
        texts, vectors, novelty = (storage.read_parquet(storage.join(f, name)) for f in folders)
        return clusters_of(texts, vectors, novelty, load_model(self.model))

    def sample(self, rows: int) -> np.ndarray:
        """Take the first shards: as ids are hashes, these are a random sample."""
        batches = read_first_rows(self.vectors, self.shards, rows, ["vector"])
        head = load_model(self.model).head
        vectors = [head.transform(vectors_from_arrow(b.column("vector"))) for b in batches]
        return np.concatenate(vectors).astype(np.float16)


@dataclasses.dataclass(frozen=True)
class CondensedClusters(ClusterSource):
    """What a round of linkage left.

    Attributes:
        folder: of its files.
        files: their names.
        clusters: how many clusters they hold.
    """

    folder: str
    files: tuple[str, ...]
    clusters: int

    @classmethod
    def of(cls, stage: Stage, manifest: StageManifest, part: str, clusters: int) -> Self:
        """Point at one part of what a finished stage wrote."""
        return cls(stage.path(part), tuple(manifest.files.get(part, ())), clusters)

    def names(self) -> list[str]:
        """Return the names of the files."""
        return list(self.files)

    def read(self, name: str) -> Clusters:
        """Read a file."""
        return clusters_from_arrow(storage.read_parquet(storage.join(self.folder, name)))

    def sample(self, rows: int) -> np.ndarray:
        """Take the smallest ids, which are hashes: the same whatever the files."""
        share = min(1.0, rows / max(self.clusters, 1))
        found = []
        for name in self.files:
            table = storage.read_parquet(storage.join(self.folder, name), ["id", "mean"])
            ids = ids_from_arrow(table["id"])
            first = int(np.searchsorted(ids, f"{round(share * 2**32):08x}".encode()))
            first = len(ids) if share == 1 else first
            # Copied, or else all of the file would stay in memory.
            found.append((ids[:first].copy(), vectors_from_arrow(table["mean"])[:first].copy()))
        ids, means = (np.concatenate(c) for c in zip(*found, strict=True))
        return means[np.argsort(ids, kind="stable")[:rows]]


def read_largest(
    sources: Sequence[ClusterSource], at_most: int, none: Clusters
) -> tuple[Clusters, int]:
    """Read the largest clusters of all, ties by id, without holding more than twice as many.

    Args:
        sources: where they are.
        at_most: how many are kept.
        none: no clusters, of the right dimension.

    Returns:
        the clusters, sorted by id; and how many utterances the others hold.
    """
    kept, utterances = [none], 0
    for source, name in [(s, name) for s in sources for name in s.names()]:
        kept.append(source.read(name))
        utterances += int(kept[-1].sizes.sum())
        if sum(len(c.ids) for c in kept) > 2 * at_most:
            kept = [_largest(kept, at_most)]
    largest = _largest(kept, at_most)
    return largest, utterances - int(largest.sizes.sum())


def _largest(parts: Sequence[Clusters], at_most: int) -> Clusters:
    everything = Clusters.joined(parts)
    order = np.argsort(-everything.sizes, kind="stable")
    return everything.take(np.sort(order[:at_most]))


def clusters_of(texts: pa.Table, vectors: pa.Table, novelty: pa.Table, model: Model) -> Clusters:
    """Take the utterances of a shard as clusters of one."""
    score = novelty["novelty_score"].to_numpy(zero_copy_only=False)
    # Without labels there are no scores, and everything is new.
    score = np.nan_to_num(score.astype(np.float64), nan=1.0)
    return Clusters(
        ids=ids_from_arrow(texts["utterance_id"]),
        means=model.head.transform(vectors_from_arrow(vectors["vector"])).astype(np.float16),
        weights=repetition_weights(texts["count"].to_numpy()),
        sizes=np.ones(len(texts), np.int64),
        novelty=score,
        kept=(score <= 0).astype(np.int64),
    )


def anchors_of(model: Model) -> Clusters:
    """Take the labeled and out-of-domain utterances that a model brings along as clusters."""
    n = len(model.anchors)
    return Clusters(
        ids=np.array([f"{i:032x}" for i in range(n)], "S32"),
        means=model.head.transform(model.anchors).astype(np.float16),
        weights=np.ones(n, np.int64),
        sizes=np.ones(n, np.int64),
        novelty=np.zeros(n),
        kept=np.zeros(n, np.int64),
    )


def ids_from_arrow(ids: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return ids as an (n,) array of bytes."""
    return np.array(ids.to_pylist(), "S32")


def ids_to_arrow(ids: np.ndarray) -> pa.Array:
    """Return (n,) ids as strings."""
    return pa.array(ids.astype(str))


def clusters_to_arrow(clusters: Clusters) -> pa.Table:
    """Lay clusters out as a table of `schemas.tables.link_clusters_schema`."""
    ids, means, *numbers = clusters.columns()
    columns = [ids_to_arrow(ids), vectors_to_arrow(means), *map(pa.array, numbers)]
    return pa.table(columns, schema=tables.link_clusters_schema(means.shape[1]))


def clusters_from_arrow(table: pa.Table | pa.RecordBatch) -> Clusters:
    """Read clusters back."""
    ids, means, *numbers = table.columns
    return Clusters(
        ids_from_arrow(ids),
        vectors_from_arrow(means),
        *(column.to_numpy() for column in numbers),
    )
