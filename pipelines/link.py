"""Stage link: rounds of average linkage across workers, for logs that one worker cannot link.

In each round a cluster goes to the worker of its cell, which is a part of the learned space, and
visits some other cells. Each visit returns the similarity of the nearest cluster there. A round
sends each mean vector once in float16, and once in int8 for each visit. A worker holds the clusters
of one part of a cell and 100 bytes for each visitor. An engine that keeps shuffled data in memory
runs a round in waves, each to some of the cells.
"""

import dataclasses
import functools
import itertools
from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.pvalue import AsSingleton

from advin.discovery.clustering.clusters import Clusters
from advin.discovery.clustering.config import LinkageConfig
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
from advin.discovery.config import Config
from advin.discovery.intents.rules import IntentRules
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
from advin.pipelines.counters import LinkCounters
from advin.pipelines.stages import Stage, Workspace
from advin.schemas import stage_files

PARTITION = "cells.parquet"
REMAINING, FINISHED, MERGED = "remaining", "finished", "merged"
# Visitors compared with the residents of a cell at once.
_BLOCK_ROWS = 4_096


def link_stage(number: int) -> str:
    """Return the name of a round's stage, such as link_01."""
    return f"link_{number:02d}"


def finished_rounds(workspace: Workspace) -> list[Stage]:
    """Return the stages of all rounds that have finished."""
    stages = map(workspace.stage, map(link_stage, itertools.count(1)))
    return list(itertools.takewhile(lambda stage: stage.manifest() is not None, stages))


@dataclasses.dataclass(frozen=True)
class Rounds:
    """The rounds of a log; each is a stage.

    Attributes:
        workspace: folder of the run.
        log: utterances of the log.
        config: sizes of rounds, cells and waves, and how deep rounds merge.
    """

    workspace: Workspace
    log: ClusterSource
    config: Config

    def round(self, number: int, clusters: int, distance: float) -> LinkageRound | None:
        """Return a round, or None if the rounds before it were enough.

        Args:
            number: from 1; all rounds before it have finished.
            clusters: number of utterances of the log.
            distance: the learned distance, 1 - cosine.
        """
        floors = premerge_floors(distance, self.config.intents.refinement_cuts)
        left = [
            clusters,
            *(stage.counters(LinkCounters).clusters_left for stage in self._finished()),
        ]
        found: LinkageRound | None = None
        for n_clusters in left[:number]:
            in_waves = self.workspace.shuffles_in_memory
            found = next_round(found, n_clusters, floors, self.config.linkage, in_waves)
            if found is None:
                return None
        return found

    def transform(self, this: LinkageRound, min_size: int) -> "Link":
        """Return the transform of a round.

        Args:
            this: the round.
            min_size: distinct utterances of the smallest novel intent.
        """
        name = link_stage(this.number)
        source = self._sources(this.number)[0]
        folders = [self.workspace.stage(stage).folder for stage in (f"{name}_cells", name)]
        return Link(source, this, min_size, self.config.linkage, *folders)

    def left(self) -> list[ClusterSource]:
        """Return the clusters after the last finished round, and those that finished before."""
        return self._sources(len(self._finished()) + 1)

    def _finished(self) -> list[Stage]:
        return finished_rounds(self.workspace)

    def _sources(self, number: int) -> list[ClusterSource]:
        """Return the clusters that a round takes, then the finished clusters of rounds before."""
        stages = self._finished()[: number - 1]
        if not stages:
            return [self.log]
        counters = [stage.counters(LinkCounters) for stage in stages]
        finished = [
            CondensedClusters.of(stage.part(FINISHED), count.clusters_finished)
            for stage, count in zip(stages, counters, strict=True)
        ]
        remaining = stages[-1].part(REMAINING)
        return [CondensedClusters.of(remaining, counters[-1].clusters_left), *finished]


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
    rounds = Rounds(workspace, log, config)
    for number in itertools.count(1):
        this = rounds.round(number, clusters, rules.distance)
        if this is None:
            break
        link = rounds.transform(this, rules.min_size)
        workspace.run(link_stage(number), link, LinkCounters, scratch=link.cells)
    return rounds.left()


@functools.lru_cache(maxsize=2)
def load_partition(path: str) -> Partition:
    """Read the cells of a round, once in a process."""
    table = storage.read_parquet(path)
    centroids = table["centroid"].combine_chunks().flatten().to_numpy()
    return Partition(centroids.reshape(len(table), -1), table["parts"].to_numpy())


def partition_to_arrow(cells: Partition) -> pa.Table:
    """Return cells as a table with the schema `schemas.stage_files.link_cells_schema`."""
    schema = stage_files.link_cells_schema(cells.centroids.shape[1])
    centroids = pa.FixedSizeListArray.from_arrays(
        pa.array(cells.centroids.reshape(-1)), type=schema.field("centroid").type
    )
    return pa.table([centroids, pa.array(cells.parts)], schema=schema)


@dataclasses.dataclass
class Link(beam.PTransform):
    """Merge clusters in one round; return the names of the new files.

    Attributes:
        source: the clusters.
        round: the round.
        min_size: distinct utterances of the smallest novel intent.
        config: how cells are learned and visited.
        cells: folder of temporary files.
        target: folder of the stage.
    """

    source: ClusterSource
    round: LinkageRound
    min_size: int
    config: LinkageConfig
    cells: str
    target: str

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """Learn cells, send clusters to them, return the nearest similarities, and merge."""
        path = storage.join(self.target, "data", PARTITION)
        source = pipeline | "Source" >> beam.Create([self.source], reshuffle=False)
        # The path is a side input so that its file exists before it is read.
        learned = source | "Learn" >> beam.Map(_learn, self.round, self.config, path)
        names = (
            source
            | "Names" >> beam.FlatMap(lambda source: source.names()).with_output_types(str)
            | "Share" >> beam.Reshuffle()
        )
        nearest: list[beam.PCollection] = []
        for wave in range(self.round.waves):
            # After this wait the engine can drop the data of the wave before.
            turn = names | f"Wait {wave}" >> beam.WaitOn(nearest[-1]) if nearest else names
            send = _Send(self.source, wave, self.round.waves, self.config.visits)
            nearest.append(
                turn
                | f"Send {wave}" >> beam.ParDo(send, AsSingleton(learned))
                | f"Gather {wave}" >> beam.GroupByKey()
                | f"Search {wave}" >> beam.ParDo(_Search(self.cells))
            )
        return (
            nearest
            | "Nearest" >> beam.Flatten()
            | "Return" >> beam.GroupByKey()
            | "Merge" >> beam.ParDo(_Merge(self.round, self.min_size, self.cells, self.target))
        )


def _learn(source: ClusterSource, this: LinkageRound, config: LinkageConfig, path: str) -> str:
    sample = source.sample(rows_to_learn(this.clusters, this.cell_rows, config))
    cells = learn_partition(sample, this.clusters, this.cell_rows, this.number, config)
    storage.write_parquet(path, partition_to_arrow(cells))
    LinkCounters(cells=int(cells.parts.sum())).add()
    return path


class _Send(beam.DoFn):
    """Send the clusters of a file to their own part and to the parts that they visit.

    A wave covers every `waves`-th part.
    """

    def __init__(self, source: ClusterSource, wave: int, waves: int, visits: int):
        self._source, self._wave, self._waves = source, wave, waves
        self._cells_visited = visits

    def process(self, name: str, cells: str) -> Iterator[tuple[int, pa.RecordBatch]]:
        clusters = self._source.read(name)
        home, visits = load_partition(cells).homes(clusters, self._cells_visited)
        living = clusters_to_arrow(clusters)
        visiting = _visitors(clusters, home)
        for table, row, part in (
            (living, np.arange(len(home)), home),
            (visiting, visits[:, 0], visits[:, 1]),
        ):
            now = np.flatnonzero(part % self._waves == self._wave)
            for there, rows in _groups(part[now]):
                batch = _take(table, row[now[rows]])
                LinkCounters(bytes_sent=batch.nbytes).add()
                yield there, batch


class _Search(beam.DoFn):
    """Compare residents and visitors of a part; send each one's nearest similarity to its home."""

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
        answers: list[pa.Table] = []
        for visitors in _in_blocks(b for b in batches if _visits(b)):
            of_residents, of_visitors = best_outside(means, _coarse(visitors).vectors())
            np.maximum(best, of_residents, out=best)
            answers.append(
                visitors.select(["id", "home"]).append_column("near", pa.array(of_visitors))
            )
        yield part, _nearest(ids_to_arrow(residents.ids), pa.array(best))
        if answers:
            yield from _by_home(pa.concat_tables(answers))


class _Merge(beam.DoFn):
    """Merge the residents of a part, given the similarity of the nearest cluster elsewhere."""

    def __init__(self, this: LinkageRound, min_size: int, cells: str, target: str):
        self._round, self._min_size, self._cells, self._target = this, min_size, cells, target

    def process(self, group: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[str]:
        part, answers = group
        residents = clusters_from_arrow(storage.read_parquet(_cell(self._cells, part)))
        outside = np.full(len(residents.ids), -np.inf)
        for batch in answers:
            row = np.searchsorted(residents.ids, ids_from_arrow(batch.column("id")))
            np.maximum.at(outside, row, batch.column("similarity").to_numpy())
        merged, into, has_partner = merge_certain(residents, outside, self._round.floor)
        remaining, finished, dropped = split_finished(
            merged, has_partner, self._round.is_final, self._min_size
        )
        LinkCounters(
            clusters_left=int(np.count_nonzero(remaining)),
            clusters_finished=int(np.count_nonzero(finished)),
            utterances_left_out=int(merged.sizes[dropped].sum()),
        ).add()
        for name, rows in ((REMAINING, remaining), (FINISHED, finished)):
            if rows.any():
                path = _cell(storage.join(self._target, name), part)
                storage.write_parquet(path, clusters_to_arrow(merged.take(np.flatnonzero(rows))))
                yield path
        gone = merged.ids[into] != residents.ids
        if gone.any():
            path = _cell(storage.join(self._target, MERGED), part)
            columns = [ids_to_arrow(i) for i in (residents.ids[gone], merged.ids[into[gone]])]
            storage.write_parquet(path, pa.table(columns, schema=stage_files.LINK_MERGED))
            yield path


def _cell(folder: str, part: int) -> str:
    return storage.join(folder, f"cell-{part:06d}.parquet")


def _visits(batch: pa.RecordBatch) -> bool:
    """True if a batch holds visitors, False if it holds residents."""
    return "home" in batch.schema.names


def _visitors(clusters: Clusters, home: np.ndarray) -> pa.Table:
    coarse = Coarse.of(clusters.means)
    schema = stage_files.link_visitors_schema(coarse.codes.shape[1])
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
    """Yield each key and the rows that have it."""
    order = np.argsort(keys, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(keys[order])) + 1):
        if len(rows):
            yield int(keys[rows[0]]), rows


def _take(table: pa.Table, rows: np.ndarray) -> pa.RecordBatch:
    return table.take(rows).combine_chunks().to_batches()[0]


def _in_blocks(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Join small batches, because large matrix products are faster."""
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
    return pa.RecordBatch.from_arrays([ids, similarity], schema=stage_files.LINK_NEAREST)


def _by_home(answers: pa.Table) -> Iterator[tuple[int, pa.RecordBatch]]:
    answers = answers.combine_chunks()
    for home, rows in _groups(answers["home"].to_numpy()):
        batch = _take(answers, rows)
        yield home, _nearest(batch.column("id"), batch.column("near"))
