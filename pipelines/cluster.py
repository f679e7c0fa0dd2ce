"""Stage cluster: discover the intents on one worker."""

import dataclasses
from collections.abc import Iterator, Sequence

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.metrics import Metrics

from advin.discovery.intents.assignment import Intents
from advin.discovery.intents.decision import discover_intents
from advin.discovery.intents.points import Points, anchor_clusters, largest_clusters, points_of
from advin.discovery.labels import JUNK, NOVEL
from advin.discovery.model import Model
from advin.pipelines import storage
from advin.pipelines.cluster_files import ClusterSource, read_clusters
from advin.pipelines.models import load_model
from advin.schemas import tables
from advin.schemas.batches import vectors_from_arrow, vectors_to_arrow

CENTROIDS = "centroids.parquet"


@dataclasses.dataclass
class Cluster(beam.PTransform):
    """Clusters and a model to centroids: one element, the file's path.

    Attributes:
        clusters: where they are.
        at_most: how many are taken, the largest first.
        model: its folder.
        target: folder for the centroids.
    """

    clusters: list[ClusterSource]
    at_most: int
    model: str
    target: str

    def expand(self, pipeline):
        """Cluster in one place: everything it reads is bounded."""
        return (
            pipeline
            | "Clusters" >> beam.Create([self.clusters], reshuffle=False)
            | "Cluster" >> beam.ParDo(_Cluster(self.at_most, self.model, self.target))
        )


class _Cluster(beam.DoFn):
    def __init__(self, at_most: int, model: str, target: str):
        self._at_most, self._model, self._target = at_most, model, target

    def process(self, sources: list[ClusterSource]) -> Iterator[str]:
        model = load_model(self._model)
        points = read_points(sources, self._at_most, model)
        intents = discover_intents(points, model.rules, model.config.intents).rounded()
        Metrics.counter("cluster", "clustered").inc(len(points.vectors))
        for name, count in (
            ("known_intents", np.count_nonzero(intents.kinds >= 0)),
            ("novel_intents", np.count_nonzero(intents.kinds == NOVEL)),
            ("junk_clusters", np.count_nonzero(intents.kinds == JUNK)),
        ):
            Metrics.counter("cluster", name).inc(int(count))
        path = storage.join(self._target, CENTROIDS)
        storage.write_parquet(path, centroids_to_arrow(intents, model))
        yield path


def read_points(sources: Sequence[ClusterSource], at_most: int, model: Model) -> Points:
    """Read the points of stage II: the largest clusters, at most so many, and the anchors."""
    anchors = anchor_clusters(model.head.transform(model.anchors))
    none = anchors.take(np.arange(0))
    clusters, left_out = largest_clusters(read_clusters(sources), at_most, none)
    if left_out:
        Metrics.counter("cluster", "utterances_left_out").inc(left_out)
    return points_of(clusters, anchors, model.anchor_labels)


def centroids_to_arrow(intents: Intents, model: Model) -> pa.Table:
    """Lay centroids out as a table of `schemas.tables.cluster_schema`."""
    return pa.table(
        {
            "intent_id": intents.ids(model.intents),
            "known_intent": intents.known(model.intents),
            "kind": pa.array(intents.kinds, pa.int32()),
            "radius": pa.array(intents.radii, pa.float32()),
            "centroid": vectors_to_arrow(intents.centroids),
        },
        schema=tables.cluster_schema(intents.centroids.shape[1]),
    )


def intents_from_arrow(table: pa.Table) -> Intents:
    """Read centroids back."""
    return Intents(
        centroids=vectors_from_arrow(table["centroid"]).astype(np.float32),
        kinds=table["kind"].to_numpy().astype(np.int64),
        radii=table["radius"].to_numpy(),
    )
