"""Files of clusters: single utterances at first, fewer clusters after each round of linkage."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
import pyarrow as pa

from advin.discovery.clustering.clusters import Clusters
from advin.discovery.intents.points import utterance_clusters
from advin.pipelines import storage
from advin.pipelines.models import ModelFolder
from advin.pipelines.score import scores_from_arrow
from advin.pipelines.shards import read_first_rows, shards_of
from advin.pipelines.stages import Part
from advin.schemas import stage_files
from advin.schemas.batches import vectors_from_arrow, vectors_to_arrow


class ClusterSource(ABC):
    """Files that hold clusters; a worker reads them once the stage before has finished."""

    @abstractmethod
    def names(self) -> list[str]:
        """Return the names of the files."""

    @abstractmethod
    def read(self, name: str) -> Clusters:
        """Read one file."""

    @abstractmethod
    def sample(self, rows: int) -> np.ndarray:
        """Return a random sample of about `rows` mean vectors, the same on every worker."""


@dataclasses.dataclass(frozen=True)
class LogShards(ClusterSource):
    """The log's utterances but conversational ones, each a cluster by itself.

    Attributes:
        utterances: texts and counts.
        vectors: their vectors.
        scores: their novelty scores.
        model: the model, whose head maps the vectors to the learned space.
    """

    utterances: Part
    vectors: Part
    scores: Part
    model: ModelFolder

    def names(self) -> list[str]:
        """Return the names of the shards."""
        return [shard.name for shard in shards_of(self.utterances)]

    def read(self, name: str) -> Clusters:
        """Read a shard, and map its vectors to the learned space."""
        parts = (self.utterances, self.vectors, self.scores)
        texts, vectors, scores = (storage.read_parquet(storage.join(p.folder, name)) for p in parts)
        model = self.model.load()
        clusters = utterance_clusters(
            ids_from_arrow(texts["utterance_id"]),
            model.learned(vectors_from_arrow(vectors["vector"])),
            texts["count"].to_numpy(),
            scores_from_arrow(scores, model.intents),
            model.label_density,
        )
        return clusters.take(np.flatnonzero(scores["conversational"].is_null()))

    def sample(self, rows: int) -> np.ndarray:
        """Read the first shards: ids are hashes, so they are a random sample."""
        batches = read_first_rows(self.vectors, rows, ["vector"])
        model = self.model.load()
        vectors = [model.learned(vectors_from_arrow(b.column("vector"))) for b in batches]
        return np.concatenate(vectors).astype(np.float16)


@dataclasses.dataclass(frozen=True)
class CondensedClusters(ClusterSource):
    """Clusters that a round of linkage wrote.

    Attributes:
        folder: folder of the files.
        files: their names.
        clusters: number of clusters in all files.
    """

    folder: str
    files: tuple[str, ...]
    clusters: int

    @classmethod
    def of(cls, part: Part, clusters: int) -> Self:
        """Return the clusters in a part of a finished stage."""
        return cls(part.folder, tuple(part.files()), clusters)

    def names(self) -> list[str]:
        """Return the names of the files."""
        return list(self.files)

    def read(self, name: str) -> Clusters:
        """Read a file."""
        return clusters_from_arrow(storage.read_parquet(storage.join(self.folder, name)))

    def sample(self, rows: int) -> np.ndarray:
        """Take the smallest ids: they are hashes, and do not depend on the files."""
        share = min(1.0, rows / max(self.clusters, 1))
        found = []
        for name in self.files:
            path = storage.join(self.folder, name)
            table = storage.read_parquet(path, ["id", "mean"])
            ids = ids_from_arrow(table["id"])
            first = int(np.searchsorted(ids, f"{round(share * 2**32):08x}".encode()))
            first = len(ids) if share == 1 else first
            # A view would keep the whole file in memory.
            found.append((ids[:first].copy(), vectors_from_arrow(table["mean"])[:first].copy()))
        ids, means = (np.concatenate(c) for c in zip(*found, strict=True))
        return means[np.argsort(ids, kind="stable")[:rows]]


def read_clusters(sources: Sequence[ClusterSource]) -> Iterator[Clusters]:
    """Read the clusters of all files, one file at a time."""
    for source in sources:
        for name in source.names():
            yield source.read(name)


def ids_from_arrow(ids: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return ids as an (n,) array of bytes."""
    return np.array(ids.to_pylist(), "S32")


def ids_to_arrow(ids: np.ndarray) -> pa.Array:
    """Return (n,) ids as strings."""
    return pa.array(ids.astype(str))


def clusters_to_arrow(clusters: Clusters) -> pa.Table:
    """Return clusters as a table with the schema `schemas.stage_files.link_clusters_schema`."""
    ids, means, *numbers = clusters.columns()
    columns = [ids_to_arrow(ids), vectors_to_arrow(means), *map(pa.array, numbers)]
    return pa.table(columns, schema=stage_files.link_clusters_schema(means.shape[1]))


def clusters_from_arrow(table: pa.Table | pa.RecordBatch) -> Clusters:
    """Return clusters from a table of `clusters_to_arrow`."""
    ids, means, *numbers = table.columns
    return Clusters(
        ids_from_arrow(ids),
        vectors_from_arrow(means),
        *(column.to_numpy() for column in numbers),
    )
