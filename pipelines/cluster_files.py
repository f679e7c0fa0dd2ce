"""Clusters of the log as files: single utterances first, fewer after each round of linkage."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
import pyarrow as pa

from advin.discovery.clustering.clusters import Clusters
from advin.discovery.intents.points import utterance_clusters
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
        return utterance_clusters(
            ids_from_arrow(texts["utterance_id"]),
            load_model(self.model).head.transform(vectors_from_arrow(vectors["vector"])),
            texts["count"].to_numpy(),
            scores_from_arrow(novelty["novelty_score"]),
        )

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


def read_clusters(sources: Sequence[ClusterSource]) -> Iterator[Clusters]:
    """Read the clusters of all files, one file at a time."""
    for source in sources:
        for name in source.names():
            yield source.read(name)


def scores_from_arrow(scores: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return novelty scores as an (n,) float array, NaN for null."""
    return scores.to_numpy(zero_copy_only=False).astype(np.float64)


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
