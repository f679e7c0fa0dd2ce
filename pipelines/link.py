"""Stages link_NN: rounds of average linkage across workers, until one can take what is left.

In each round every cluster goes to the worker of its cell, and visits some others; one number for
each visit comes back. What crosses the network is each mean vector once in float16, and once in
int8 for each visit. A worker holds the clusters that live in one part of a cell, and 100 bytes for
each visitor. On an engine that holds in memory what crosses the network, a round goes to its cells
in waves.
"""

import dataclasses
import functools
from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.metrics import Metrics
from apache_beam.pvalue import AsSingleton

from advin.discovery.clustering.clusters import Clusters
from advin.discovery.clustering.partition import (
    Coarse,
    Partition,
    best_outside,
    learn_partition,
    merge_certain,
    rows_to_learn,
)
from advin.discovery.clustering.rounds import (
    LinkageRound,
    next_round,
    premerge_floors,
    split_finished,
)
from advin.discovery.config import Config, LinkageConfig
from advin.discovery.intents.decision import IntentRules
from advin.pipelines import (
    coders,  # noqa: F401, registers the coder of record batches
    storage,
)
from advin.pipelines.cluster_files import (
    ClusterSource,
    CondensedClusters,
    clusters_from_arrow,
    clusters_to_arrow,
    ids_from_arrow,
    ids_to_arrow,
)
from advin.pipelines.stages import Stage, Workspace
from advin.schemas import tables

PARTITION = "cells.parquet"
REMAINING, FINISHED, MERGED = "remaining", "finished", "merged"
# Visitors that are held against the residents at once.
_BLOCK_ROWS = 4_096


def link_stages(config: LinkageConfig | None = None) -> list[str]:
    """Return the names of all rounds there may be."""
    rounds = (config or LinkageConfig()).max_rounds
    return [f"link_{number:02d}" for number in range(1, rounds + 1)]


def condense(
    workspace: Workspace, log: ClusterSource, clusters: int, rules: IntentRules, config: Config
) -> list[ClusterSource]:
    """Run rounds of linkage until one worker can link the rest; none for a small log.

    Labeled utterances take no part: they are few beside so large a log, and join at the end.

    Args:
        workspace: where each round is a stage.
        log: the utterances of the log.
        clusters: number of utterances.
        rules: the learned distance, and the size of the smallest novel intent.
        config: sizes of rounds, cells and waves.

    Returns:
        where the clusters are: those of the last round, and those that finished before.
    """
    floors = premerge_floors(rules.distance, config.intents.refinement_cuts)
    names = link_stages(config.linkage)
    source, finished = log, list[ClusterSource]()
    this = next_round(None, clusters, floors, config.linkage, workspace.shuffles_in_memory)
    while this is not None:
        name = names[this.number - 1]
        stage, cells = workspace.stage(name), workspace.stage(f"{name}_cells").folder
        step = Link(source, this, rules.min_size, config.linkage, cells, stage.folder)
        manifest = workspace.run(name, step.wire, scratch=cells)
        left = manifest.counters.get("clusters_left", 0)
        done = manifest.counters.get("clusters_finished", 0)
        source = CondensedClusters.of(stage, manifest, REMAINING, left)
        finished.append(CondensedClusters.of(stage, manifest, FINISHED, done))
        this = next_round(this, left, floors, config.linkage, workspace.shuffles_in_memory)
    return [source, *finished]


@functools.lru_cache(maxsize=2)
def load_partition(path: str) -> Partition:
    """Read the cells of a round, once a process."""
    table = storage.read_parquet(path)
    centroids = table["centroid"].combine_chunks().flatten().to_numpy()
    return Partition(centroids.reshape(len(table), -1), table["parts"].to_numpy())


def partition_to_arrow(cells: Partition) -> pa.Table:
    """Lay cells out as a table of `schemas.tables.link_cells_schema`."""
    schema = tables.link_cells_schema(cells.centroids.shape[1])
    centroids = pa.FixedSizeListArray.from_arrays(
        pa.array(cells.centroids.reshape(-1)), type=schema.field("centroid").type
    )
    return pa.table([centroids, pa.array(cells.parts)], schema=schema)


@dataclasses.dataclass
class Link(beam.PTransform):
    """Files of clusters to files of fewer: their names.

    Attributes:
        source: the files.
        round: the round.
        min_size: distinct utterances of the smallest novel intent.
        config: how cells are learned and visited.
        cells: folder for what is needed only meanwhile.
        target: folder of the stage.
    """

    source: ClusterSource
    round: LinkageRound
    min_size: int
    config: LinkageConfig
    cells: str
    target: str

    def wire(self, pipeline: beam.Pipeline, stage: Stage) -> None:
        """Be all of a stage's pipeline."""
        pipeline | self

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection[str]:
        """Learn cells; send all clusters there; tell each how near others are; merge."""
        path = storage.join(self.target, "data", PARTITION)
        # The path goes along as a side input only so that the file is there when it is read.
        learned = (
            pipeline
            | "Source" >> beam.Create([self.source], reshuffle=False)
            | "Learn" >> beam.Map(_learn, self.round, self.config, path)
        )
        names = (
            pipeline
            | "Names" >> beam.Create(self.source.names(), reshuffle=False)
            | "Share" >> beam.Reshuffle()
        )
        told: list[beam.PCollection] = []
        for wave in range(self.round.waves):
            # What the wave before was sent need not be kept any more.
            turn = names | f"Wait {wave}" >> beam.WaitOn(told[-1]) if told else names
            send = _Send(self.source, wave, self.round.waves, self.config.visits)
            told.append(
                turn
                | f"Send {wave}" >> beam.ParDo(send, AsSingleton(learned))
                | f"Gather {wave}" >> beam.GroupByKey()
                | f"Search {wave}" >> beam.ParDo(_Search(self.cells))
            )
        return (
            told
            | "Told" >> beam.Flatten()
            | "Return" >> beam.GroupByKey()
            | "Merge" >> beam.ParDo(_Merge(self.round, self.min_size, self.cells, self.target))
        )


def _learn(source: ClusterSource, this: LinkageRound, config: LinkageConfig, path: str) -> str:
    sample = source.sample(rows_to_learn(this.clusters, this.cell_rows, config))
    cells = learn_partition(sample, this.clusters, this.cell_rows, this.number, config)
    storage.write_parquet(path, partition_to_arrow(cells))
    Metrics.counter("link", "cells").inc(int(cells.parts.sum()))
    return path


class _Send(beam.DoFn):
    """A file's clusters to the parts where they live and those they visit, with their home.

    Each wave goes to one in so many parts.
    """

    def __init__(self, source: ClusterSource, wave: int, waves: int, visits: int):
        self._source, self._wave, self._waves = source, wave, waves
        self._cells_visited = visits
        self._sent = Metrics.counter("link", "bytes_sent")

    def process(self, name: str, cells: str) -> Iterator[tuple[int, pa.RecordBatch]]:
        clusters = self._source.read(name)
        home, visits = load_partition(cells).homes(clusters, self._cells_visited)
        living = clusters_to_arrow(clusters)
        visiting = _visitors(clusters, home)
        for table, row, part in (
            (living, np.arange(len(home)), home),
            (visiting, visits[:, 0], visits[:, 1]),
        ):
            now = part % self._waves == self._wave
            part, row = part[now], row[now]
            for there, rows in _groups(part):
                batch = _take(table, row[rows])
                self._sent.inc(batch.nbytes)
                yield there, batch


class _Search(beam.DoFn):
    """Those of one part and its visitors to how near they are, each told at its home."""

    def __init__(self, cells: str):
        self._cells = cells

    def process(
        self, group: tuple[int, Iterable[pa.RecordBatch]]
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        part, batches = group
        living = [clusters_from_arrow(b) for b in batches if not _visits(b)]
        if not living:
            return
        residents = Clusters.joined(living)
        storage.write_parquet(_cell(self._cells, part), clusters_to_arrow(residents))
        means = residents.means.astype(np.float32)
        best = np.full(len(means), -np.inf, np.float32)
        told: list[pa.Table] = []
        for visitors in _in_blocks(b for b in batches if _visits(b)):
            of_residents, of_visitors = best_outside(means, _coarse(visitors).vectors())
            np.maximum(best, of_residents, out=best)
            told.append(
                visitors.select(["id", "home"]).append_column("near", pa.array(of_visitors))
            )
        yield part, _nearest(ids_to_arrow(residents.ids), pa.array(best))
        if told:
            yield from _by_home(pa.concat_tables(told))


class _Merge(beam.DoFn):
    """What the residents of a part were told to what they become."""

    def __init__(self, this: LinkageRound, min_size: int, cells: str, target: str):
        self._round, self._min_size, self._cells, self._target = this, min_size, cells, target
        self._left = Metrics.counter("link", "clusters_left")
        self._finished = Metrics.counter("link", "clusters_finished")
        self._out = Metrics.counter("link", "utterances_left_out")

    def process(self, group: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[str]:
        part, told = group
        residents = clusters_from_arrow(storage.read_parquet(_cell(self._cells, part)))
        outside = np.full(len(residents.ids), -np.inf)
        for batch in told:
            row = np.searchsorted(residents.ids, ids_from_arrow(batch.column("id")))
            np.maximum.at(outside, row, batch.column("similarity").to_numpy())
        merged, into, has_partner = merge_certain(residents, outside, self._round.floor)
        remaining, finished, dropped = split_finished(
            merged, has_partner, self._round.is_final, self._min_size
        )
        self._left.inc(int(np.count_nonzero(remaining)))
        self._finished.inc(int(np.count_nonzero(finished)))
        self._out.inc(int(merged.sizes[dropped].sum()))
        for name, rows in ((REMAINING, remaining), (FINISHED, finished)):
            if rows.any():
                path = _cell(storage.join(self._target, name), part)
                storage.write_parquet(path, clusters_to_arrow(merged.take(np.flatnonzero(rows))))
                yield path
        gone = merged.ids[into] != residents.ids
        if gone.any():
            path = _cell(storage.join(self._target, MERGED), part)
            columns = [ids_to_arrow(i) for i in (residents.ids[gone], merged.ids[into[gone]])]
            storage.write_parquet(path, pa.table(columns, schema=tables.LINK_MERGED))
            yield path


def _cell(folder: str, part: int) -> str:
    return storage.join(folder, f"cell-{part:06d}.parquet")


def _visits(batch: pa.RecordBatch) -> bool:
    """Tell visitors from residents: a batch holds either."""
    return "home" in batch.schema.names


def _visitors(clusters: Clusters, home: np.ndarray) -> pa.Table:
    coarse = Coarse.of(clusters.means)
    schema = tables.link_visitors_schema(coarse.codes.shape[1])
    buffers = [None, pa.py_buffer(np.ascontiguousarray(coarse.codes))]
    kind = schema.field("codes").type
    codes = pa.FixedSizeBinaryArray.from_buffers(kind, len(home), buffers)
    ids = ids_to_arrow(clusters.ids)
    return pa.table([ids, pa.array(home), codes, pa.array(coarse.scales)], schema=schema)


def _coarse(visitors: pa.Table) -> Coarse:
    codes = visitors["codes"].combine_chunks()
    values = np.frombuffer(codes.buffers()[1], np.int8).reshape(-1, codes.type.byte_width)
    return Coarse(values[codes.offset :][: len(codes)], visitors["scale"].to_numpy())


def _groups(keys: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Return each key there is, and the rows that have it."""
    order = np.argsort(keys, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(keys[order])) + 1):
        if len(rows):
            yield int(keys[rows[0]]), rows


def _take(table: pa.Table, rows: np.ndarray) -> pa.RecordBatch:
    return table.take(rows).combine_chunks().to_batches()[0]


def _in_blocks(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Put small batches together, for the sake of matrix products."""
    block: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        block.append(batch)
        rows += batch.num_rows
        if rows >= _BLOCK_ROWS:
            yield pa.Table.from_batches(block)
            block, rows = [], 0
    if block:
        yield pa.Table.from_batches(block)


def _nearest(ids: pa.Array, similarity: pa.Array) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([ids, similarity], schema=tables.LINK_NEAREST)


def _by_home(told: pa.Table) -> Iterator[tuple[int, pa.RecordBatch]]:
    told = told.combine_chunks()
    for home, rows in _groups(told["home"].to_numpy()):
        batch = _take(told, rows)
        yield home, _nearest(batch.column("id"), batch.column("near"))
