"""Stage cluster: discover the intents on one worker."""

import dataclasses
from collections.abc import Iterator, Sequence

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.metrics import Metrics

from advin.discovery.intents.decision import (
    NOVEL,
    OUT_OF_DOMAIN,
    Intents,
    Points,
    discover_intents,
)
from advin.discovery.labels import UNLABELED
from advin.discovery.model import Model
from advin.pipelines import storage
from advin.pipelines.cluster_files import ClusterSource, anchors_of, read_largest
from advin.pipelines.models import load_model
from advin.schemas import tables
from advin.schemas.batches import vectors_from_arrow, vectors_to_arrow
from advin.schemas.ids import known_id, novel_id

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
        intents = discover_intents(points, model.rules)
        Metrics.counter("cluster", "clustered").inc(len(points.vectors))
        for name, count in (
            ("known_intents", np.count_nonzero(intents.kinds >= 0)),
            ("novel_intents", np.count_nonzero(intents.kinds == NOVEL)),
            ("junk_clusters", np.count_nonzero(intents.kinds == OUT_OF_DOMAIN)),
        ):
            Metrics.counter("cluster", name).inc(int(count))
        path = storage.join(self._target, CENTROIDS)
        storage.write_parquet(path, centroids_to_arrow(intents, model))
        yield path


def read_points(sources: Sequence[ClusterSource], at_most: int, model: Model) -> Points:
    """Read what is clustered together: the largest clusters, so many, and the anchors."""
    anchors = anchors_of(model)
    clusters, left_out = read_largest(sources, at_most, none=anchors.take(np.arange(0)))
    if left_out:
        Metrics.counter("cluster", "utterances_left_out").inc(left_out)
    return Points(
        vectors=np.concatenate([clusters.means, anchors.means]).astype(np.float32),
        weights=np.concatenate([clusters.weights, anchors.weights]).astype(np.float64),
        labels=np.concatenate([np.full(len(clusters.ids), UNLABELED), model.anchor_labels]),
        novelty=np.concatenate([clusters.novelty / clusters.sizes, anchors.novelty]),
        sizes=np.concatenate([clusters.sizes, anchors.sizes]),
        kept=np.concatenate([clusters.kept, anchors.kept]),
    )


def centroids_to_arrow(intents: Intents, model: Model) -> pa.Table:
    """Lay centroids out as a table of `schemas.tables.cluster_schema`."""
    vectors = np.asarray(intents.centroids, np.float16)
    known = [model.intents[k] if k >= 0 else None for k in intents.kinds]
    ids = [
        known_id(label) if label is not None else novel_id(vector.tobytes())
        for label, vector in zip(known, vectors, strict=True)
    ]
    return pa.table(
        {
            "intent_id": ids,
            "known_intent": known,
            "kind": pa.array(intents.kinds, pa.int32()),
            "radius": pa.array(intents.radii, pa.float32()),
            "centroid": vectors_to_arrow(vectors),
        },
        schema=tables.cluster_schema(vectors.shape[1]),
    )


def intents_from_arrow(table: pa.Table) -> Intents:
    """Read centroids back."""
    return Intents(
        centroids=vectors_from_arrow(table["centroid"]).astype(np.float32),
        kinds=table["kind"].to_numpy().astype(np.int64),
        radii=table["radius"].to_numpy(),
    )
