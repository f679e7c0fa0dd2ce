"""Stage taxonomy (stage III of the method): drop incoherent intents, link the rest, name all."""

import dataclasses
import itertools
from collections.abc import Sequence

import apache_beam as beam
import numpy as np
import pyarrow as pa

from advin.discovery.intents.summary import IntentSize
from advin.discovery.model import Model
from advin.discovery.naming.description import IntentSample
from advin.discovery.naming.levels import LevelRow
from advin.discovery.taxonomy import (
    DomainRow,
    DroppedRow,
    IntentRow,
    build_taxonomy,
)
from advin.pipelines.cluster import read_intents
from advin.pipelines.counters import TaxonomyCounters
from advin.pipelines.models import ModelFolder
from advin.pipelines.shards import Shard, read_shard, shards_of, write_shard
from advin.pipelines.stages import Part
from advin.schemas import tables
from advin.schemas.verdicts import NOVEL

_TABLES = ("intents", "domains", "dropped", "levels")


@dataclasses.dataclass
class Taxonomy(beam.PTransform):
    """Write the tables that describe clusters; return the number of intents.

    Attributes:
        centroids: the stage cluster's centroids.
        sizes: sizes of the leaves.
        documents: sampled utterances of the leaves.
        model: the model.
        intents: folder of the table intents.
        domains: folder of the table domains.
        dropped: folder of the table dropped.
        levels: folder of the table levels.
    """

    centroids: Part
    sizes: Part
    documents: Part
    model: ModelFolder
    intents: str
    domains: str
    dropped: str
    levels: str

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """Link and name on one worker: everything it reads is bounded."""
        inputs = (self.centroids, self.sizes, self.documents)
        targets = {name: getattr(self, name) for name in _TABLES}
        return (
            pipeline
            | "Described" >> beam.Create([inputs], reshuffle=False)
            | "Name" >> beam.Map(_build, self.model, targets)
        )


def _build(inputs: tuple[Part, Part, Part], folder: ModelFolder, targets: dict[str, str]) -> int:
    centroids, sizes, documents = inputs
    model = folder.load()
    found = build_taxonomy(
        read_intents(centroids), _read_sizes(sizes), _read_samples(documents, model), model
    )
    for name, target in targets.items():
        rows = rows_to_arrow(getattr(found, name), tables.TABLES[name])
        write_shard(target, Shard(0, 1), rows)
    novel_intents = sum(row.kind == NOVEL for row in found.intents)
    novel_domains = sum(row.kind == NOVEL for row in found.domains)
    TaxonomyCounters(
        known_intents_named=len(found.intents) - novel_intents,
        novel_intents_named=novel_intents,
        known_domains_named=len(found.domains) - novel_domains,
        novel_domains_named=novel_domains,
        clusters_dropped=len(found.dropped),
    ).add()
    return len(found.intents)


def _read_sizes(part: Part) -> dict[int, IntentSize]:
    sizes: dict[int, IntentSize] = {}
    for shard in shards_of(part):
        for row in read_shard(part.folder, shard).to_pylist():
            sizes[row["intent"]] = IntentSize(row["distinct_size"], row["size"], row["silhouette"])
    return sizes


def _read_samples(part: Part, model: Model) -> dict[int, IntentSample]:
    samples: dict[int, IntentSample] = {}
    for shard in shards_of(part):
        batch = read_shard(part.folder, shard)
        intents = batch.column("intent").to_numpy()
        bounds = np.flatnonzero(np.diff(intents, prepend=-1, append=-1))
        for start, stop in itertools.pairwise(bounds):
            rows = batch.slice(start, stop - start)
            vectors = np.frombuffer(b"".join(rows.column("vector").to_pylist()), np.float16)
            samples[int(intents[start])] = IntentSample(
                ids=rows.column("utterance_id").to_pylist(),
                texts=rows.column("text").to_pylist(),
                counts=rows.column("count").to_numpy(),
                vectors=model.neutral(vectors.reshape(-1, model.encoder.dimension)),
            )
    return samples


def rows_to_arrow(
    rows: Sequence[IntentRow | DomainRow | DroppedRow | LevelRow], schema: pa.Schema
) -> pa.RecordBatch:
    """Return rows as a batch; each column holds the attribute of its name."""
    columns = {
        field.name: pa.array([getattr(row, field.name) for row in rows], field.type)
        for field in schema
    }
    return pa.RecordBatch.from_pydict(columns, schema=schema)
