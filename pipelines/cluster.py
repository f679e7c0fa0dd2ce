"""Stage cluster (stage II of the method): discover known and novel intents on one worker."""

import dataclasses
from collections.abc import Sequence

import apache_beam as beam
import numpy as np
import pyarrow as pa

from advin.discovery.intents.assignment import Intents, Parts
from advin.discovery.intents.decision import discover_intents
from advin.discovery.intents.merging import MergeDistances
from advin.discovery.intents.points import Points, anchor_clusters, largest_clusters, points_of
from advin.discovery.labels import JUNK, NOVEL, TOO_SMALL, UNCLEAR
from advin.discovery.model import Model
from advin.pipelines import storage
from advin.pipelines.cluster_files import ClusterSource, read_clusters
from advin.pipelines.counters import ClusterCounters
from advin.pipelines.models import ModelFolder
from advin.pipelines.stages import Part
from advin.schemas import stage_files
from advin.schemas.batches import vectors_from_arrow, vectors_to_arrow

CENTROIDS = "centroids.parquet"
PARTS = "parts.parquet"


@dataclasses.dataclass
class Cluster(beam.PTransform):
    """Discover intents from clusters of the log; return the names of the files.

    Attributes:
        clusters: the clusters.
        at_most: number of clusters that one worker takes, the largest first.
        model: the model.
        target: folder of the centroids.
    """

    clusters: list[ClusterSource]
    at_most: int
    model: ModelFolder
    target: str

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """Cluster on one worker: everything it reads is bounded."""
        return (
            pipeline
            | "Clusters" >> beam.Create([self.clusters], reshuffle=False)
            | "Cluster" >> beam.FlatMap(_cluster, self.at_most, self.model, self.target)
        )


def _cluster(
    sources: list[ClusterSource], at_most: int, folder: ModelFolder, target: str
) -> list[str]:
    model = folder.load()
    points = read_points(sources, at_most, model)
    intents = discover_intents(points, model.rules, model.config).rounded()
    ClusterCounters(
        known_intents=int(np.count_nonzero(intents.kinds >= 0)),
        novel_intents=int(np.count_nonzero(intents.kinds == NOVEL)),
        junk_clusters=int(np.count_nonzero(intents.kinds == JUNK)),
        unclear_clusters=int(np.count_nonzero(intents.kinds == UNCLEAR)),
        small_clusters=int(np.count_nonzero(intents.kinds == TOO_SMALL)),
        looks_known=intents.looks_known,
        looks_known_with_labels=intents.with_labels,
    ).add()
    written = {CENTROIDS: centroids_to_arrow(intents, model), PARTS: parts_to_arrow(intents.parts)}
    for name, table in written.items():
        storage.write_parquet(storage.join(target, name), table)
    return list(written)


def read_points(sources: Sequence[ClusterSource], at_most: int, model: Model) -> Points:
    """Read the points of stage II: the `at_most` largest clusters, and the model's anchors."""
    anchors = anchor_clusters(model.head.transform(model.anchors))
    none = anchors.take(np.arange(0))
    clusters, left_out = largest_clusters(read_clusters(sources), at_most, none)
    ClusterCounters(
        utterances_left_out=left_out,
        points_of_log=len(clusters.ids),
        points_of_labels_and_ood=len(anchors.ids),
    ).add()
    return points_of(clusters, anchors, model.anchor_labels)


def centroids_to_arrow(intents: Intents, model: Model) -> pa.Table:
    """Return centroids as a table with the schema `schemas.stage_files.cluster_schema`."""
    return pa.table(
        {
            "intent_id": intents.ids(model.intents),
            "known_intent": intents.known(model.intents),
            "kind": pa.array(intents.kinds, pa.int32()),
            "radius": pa.array(intents.radii, pa.float32()),
            "log_odds": pa.array(intents.log_odds, pa.float32()),
            "norm": pa.array(intents.norms, pa.float32()),
            "auto": np.full(len(intents.kinds), intents.merges.auto),
            "coarse": np.full(len(intents.kinds), intents.merges.coarse),
            "centroid": vectors_to_arrow(intents.centroids),
        },
        schema=stage_files.cluster_schema(intents.centroids.shape[1]),
    )


def parts_to_arrow(parts: Parts) -> pa.Table:
    """Return parts as a table with the schema `schemas.stage_files.cluster_parts_schema`."""
    columns = {
        "cluster": pa.array(parts.cluster, pa.int32()),
        "centroid": vectors_to_arrow(parts.centroids),
    }
    schema = stage_files.cluster_parts_schema(parts.centroids.shape[1])
    return pa.table(columns, schema=schema)


def read_intents(centroids: Part) -> Intents:
    """Read the centroids and the parts that the stage wrote."""
    files = (storage.join(centroids.folder, name) for name in (CENTROIDS, PARTS))
    return intents_from_arrow(*(storage.read_parquet(path) for path in files))


def intents_from_arrow(table: pa.Table, parts: pa.Table) -> Intents:
    """Return clusters from tables of `centroids_to_arrow` and `parts_to_arrow`."""
    return Intents(
        centroids=vectors_from_arrow(table["centroid"]).astype(np.float32),
        kinds=table["kind"].to_numpy().astype(np.int64),
        radii=table["radius"].to_numpy(),
        log_odds=table["log_odds"].to_numpy(),
        norms=table["norm"].to_numpy(),
        parts=Parts(
            cluster=parts["cluster"].to_numpy().astype(np.int64),
            centroids=vectors_from_arrow(parts["centroid"]).astype(np.float32),
        ),
        merges=MergeDistances(*(_first(table[name]) for name in ("auto", "coarse"))),
    )


def _first(column: pa.ChunkedArray) -> float:
    """Return the value that all rows share; 0 without rows."""
    return column[0].as_py() if len(column) else 0.0
