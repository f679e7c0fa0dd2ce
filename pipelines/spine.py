"""The spine: all stages of a run, in their order.

Read `STAGES` from top to bottom: each entry says what a stage reads, what it writes and when it
runs. The order of a run, resuming, the dry run, the report and the tests follow from this list.
"""

import dataclasses
from collections.abc import Callable, Iterator

from advin.discovery.clustering.rounds import LinkageRound
from advin.pipelines import counters
from advin.pipelines.assemble import Assemble
from advin.pipelines.assign import Assign
from advin.pipelines.cluster import Cluster
from advin.pipelines.cluster_files import LogShards
from advin.pipelines.conversations import Conversations
from advin.pipelines.counters import IngestCounters
from advin.pipelines.describe import Describe
from advin.pipelines.embed import Embed
from advin.pipelines.entry import Paths, Run, StageEntry
from advin.pipelines.finished import check_files
from advin.pipelines.fit import Embedded, Fit, FitInputs
from advin.pipelines.ingest import Ingest
from advin.pipelines.link import FINISHED, MERGED, REMAINING, Link, Rounds
from advin.pipelines.reading.detection import names_speakers
from advin.pipelines.row_files import RowTarget
from advin.pipelines.rows import Rows
from advin.pipelines.score import Score
from advin.pipelines.settings import Prepared
from advin.pipelines.stage_checks import check_labeled, check_log, check_model, check_usable
from advin.pipelines.taxonomy import Taxonomy
from advin.schemas import stage_files
from advin.schemas.manifest import StageManifest


def run_stages(run: Run, last: str | None = None) -> None:
    """Run all stages that a run needs and that have not finished before.

    Args:
        run: the run.
        last: name of the last stage to run; None for all.
    """
    for entry in STAGES:
        if entry.when is None or entry.when(run.prepared):
            run_stage(run, entry)
        if entry.name == last:
            return


def run_stage(run: Run, entry: StageEntry) -> None:
    """Run one stage, with all its rounds, unless it has finished before."""
    for paths in entry.rounds(run):
        transform = entry.build(paths)
        if transform is None:
            return
        if not run.workspace.dry:
            check_files(run, paths)
        model = run.model.files if "model" in entry.writes else ()
        run.workspace.run(
            paths.name, transform, entry.counters, entry.keep_partial, paths.scratch, model
        )
        if run.workspace.dry:
            return
        if entry.check is not None:
            entry.check(run)


def finished_stages(run: Run) -> Iterator[tuple[StageEntry, StageManifest]]:
    """Yield the stages that have finished, in their order; each round of a stage by itself."""
    for entry in STAGES:
        for paths in entry.rounds(run):
            manifest = run.workspace.finished(paths.name)
            if manifest is None:
                break
            yield entry, manifest


def _ingest(role: str) -> Callable[[Paths], Ingest]:
    schema = stage_files.INGEST_LABELED if role == "labeled" else stage_files.INGEST

    def build(paths: Paths) -> Ingest:
        source = paths.run.prepared.sources[role]
        folders = (paths.write(), paths.write("rejects"))
        config = paths.run.prepared.config
        transform = Ingest(
            source.files, source.columns, schema, *folders, config.text, config.masking
        )
        prepared = paths.run.prepared
        if role == "log" and prepared.settings.rows is not None:
            target = RowTarget(paths.write("rows"), prepared.row_columns, config.masking)
            transform = dataclasses.replace(transform, rows=target)
        speakers = prepared.settings.speakers
        if role != "log" or not (speakers or names_speakers(source.files)):
            return transform
        return dataclasses.replace(transform, speakers=speakers, others=paths.write("others"))

    return build


def _embed(paths: Paths) -> Embed:
    prepared = paths.run.prepared
    source = paths.read(paths.entry.reads[0])
    return Embed(source, paths.write(), prepared.encoder, prepared.settings.accelerator)


def _fit(paths: Paths) -> Fit:
    prepared = paths.run.prepared

    def embedded(role: str, suffix: str = "") -> Embedded | None:
        if role not in prepared.sources:
            return None
        return Embedded(paths.read(f"ingest{suffix}"), paths.read(f"embed{suffix}"))

    log = Embedded(paths.read("ingest"), paths.read("embed"))
    inputs = FitInputs(log, embedded("labeled", "_labeled"), embedded("ood", "_ood"))
    return Fit(
        inputs=inputs,
        encoder=prepared.encoder,
        identity=prepared.identity,
        target=paths.model.folder,
        config=prepared.config,
        fingerprint=paths.run.workspace.fingerprint,
    )


def _score(paths: Paths) -> Score:
    return Score(paths.read("ingest"), paths.read("embed"), paths.model, paths.write())


def _rounds(paths: Paths) -> Rounds:
    run = paths.run
    utterances, vectors, scores = (paths.read(name) for name in ("ingest", "embed", "score"))
    log = LogShards(utterances, vectors, scores, paths.model)
    return Rounds(run.workspace, log, run.prepared.config)


def _link(paths: Paths) -> Link | None:
    rounds = _rounds(paths)
    if paths.run.workspace.dry:
        # The engine translates the graph, which does not depend on the numbers of a round.
        config = paths.run.prepared.config.linkage
        first = LinkageRound(1, config.max_clusters + 1, config.cell_rows, 1, 0.0, is_final=False)
        return rounds.transform(first, min_size=1)
    distinct = paths.run.workspace.stage("ingest").counters(IngestCounters).utterances
    rules = paths.model.load().rules
    this = rounds.round(paths.number, distinct, rules.distance)
    return None if this is None else rounds.transform(this, rules.min_size)


def _cluster(paths: Paths) -> Cluster:
    sources = _rounds(paths).left()
    most = paths.run.prepared.config.linkage.max_clusters
    return Cluster(sources, most, paths.model, paths.write())


def _assign(paths: Paths) -> Assign:
    vectors, scores, centroids = (paths.read(name) for name in ("embed", "score", "cluster"))
    return Assign(vectors, scores, centroids, paths.model, paths.write())


def _describe(paths: Paths) -> Describe:
    return Describe(
        utterances=paths.read("ingest"),
        vectors=paths.read("embed"),
        assigned=paths.read("assign"),
        sizes=paths.write("sizes"),
        documents=paths.write("documents"),
        n_sampled=paths.run.prepared.config.naming.documents,
    )


def _taxonomy(paths: Paths) -> Taxonomy:
    return Taxonomy(
        centroids=paths.read("cluster"),
        sizes=paths.read("describe/sizes"),
        documents=paths.read("describe/documents"),
        model=paths.model,
        intents=paths.write("intents"),
        domains=paths.write("domains"),
        dropped=paths.write("dropped"),
        levels=paths.write("levels"),
    )


def _assemble(paths: Paths) -> Assemble:
    return Assemble(
        utterances=paths.read("ingest"),
        others=paths.read("ingest/others"),
        scores=paths.read("score"),
        assigned=paths.read("assign"),
        centroids=paths.read("cluster"),
        intents=paths.read("taxonomy/intents"),
        dropped=paths.read("taxonomy/dropped"),
        levels=paths.read("taxonomy/levels"),
        n_nearest=paths.run.prepared.config.intents.nearest,
        request_words=paths.run.prepared.config.text.request_words,
        target=paths.write(),
    )


def _rows(paths: Paths) -> Rows:
    prepared = paths.run.prepared
    return Rows(
        pieces=paths.read("ingest/rows"),
        assignments=paths.read("assemble"),
        masking=prepared.config.masking,
        target=paths.write(),
    )


def _needs_rows(prepared: Prepared) -> bool:
    return prepared.settings.rows is not None


def _conversations(paths: Paths) -> Conversations:
    return Conversations(
        rows=paths.read("rows"),
        conversations=paths.write("conversations"),
        intents=paths.write("intents"),
    )


def _needs_conversations(prepared: Prepared) -> bool:
    rows = prepared.settings.rows
    return rows is not None and rows.conversation is not None


def _needs_fit(prepared: Prepared) -> bool:
    return prepared.settings.fits


def _needs(role: str) -> Callable[[Prepared], bool]:
    return lambda prepared: prepared.settings.fits and role in prepared.sources


STAGES = (
    # The log: distinct utterances, then their vectors.
    StageEntry(
        "ingest",
        reads=(),
        writes=("data", "others", "rejects", "rows"),
        counters=counters.IngestCounters,
        build=_ingest("log"),
        check=check_log,
        publishes=(("rejects", "rejects"),),
    ),
    StageEntry(
        "embed",
        reads=("ingest",),
        writes=("data",),
        counters=counters.EmbedCounters,
        build=_embed,
        keep_partial=True,
    ),
    # The model, unless one is given: learned from the log, labels and out-of-domain texts.
    StageEntry(
        "ingest_labeled",
        reads=(),
        writes=("data", "rejects"),
        counters=counters.IngestCounters,
        build=_ingest("labeled"),
        when=_needs("labeled"),
        check=check_labeled,
    ),
    StageEntry(
        "embed_labeled",
        reads=("ingest_labeled",),
        writes=("data",),
        counters=counters.EmbedCounters,
        build=_embed,
        when=_needs("labeled"),
        keep_partial=True,
    ),
    StageEntry(
        "ingest_ood",
        reads=(),
        writes=("data", "rejects"),
        counters=counters.IngestCounters,
        build=_ingest("ood"),
        when=_needs("ood"),
        check=check_usable("ood", "ingest_ood"),
    ),
    StageEntry(
        "embed_ood",
        reads=("ingest_ood",),
        writes=("data",),
        counters=counters.EmbedCounters,
        build=_embed,
        when=_needs("ood"),
        keep_partial=True,
    ),
    StageEntry(
        "fit",
        reads=(
            *("ingest", "ingest_labeled", "ingest_ood"),
            *("embed", "embed_labeled", "embed_ood"),
        ),
        writes=("model",),
        counters=counters.FitCounters,
        build=_fit,
        when=_needs_fit,
        check=check_model,
    ),
    # Stage I of the method.
    StageEntry(
        "score",
        reads=("ingest", "embed", "model"),
        writes=("data",),
        counters=counters.ScoreCounters,
        build=_score,
    ),
    # Stage II: rounds of linkage if one worker cannot link the log, then clusters and verdicts.
    StageEntry(
        "link",
        reads=("ingest", "embed", "score", "model"),
        writes=("data", REMAINING, FINISHED, MERGED),
        counters=counters.LinkCounters,
        build=_link,
        repeats=True,
        scratch="cells",
    ),
    StageEntry(
        "cluster",
        reads=("ingest", "embed", "score", "model"),
        writes=("data",),
        counters=counters.ClusterCounters,
        build=_cluster,
    ),
    StageEntry(
        "assign",
        reads=("embed", "score", "cluster", "model"),
        writes=("data",),
        counters=counters.AssignCounters,
        build=_assign,
    ),
    StageEntry(
        "describe",
        reads=("ingest", "embed", "assign"),
        writes=("sizes", "documents"),
        counters=counters.DescribeCounters,
        build=_describe,
    ),
    # Stage III: domains and names, then the table of utterances.
    StageEntry(
        "taxonomy",
        reads=("cluster", "describe/sizes", "describe/documents", "model"),
        writes=("intents", "domains", "dropped", "levels"),
        counters=counters.TaxonomyCounters,
        build=_taxonomy,
        publishes=tuple((name, name) for name in ("intents", "domains", "dropped", "levels")),
    ),
    StageEntry(
        "assemble",
        reads=(
            *("ingest", "ingest/others", "score", "assign", "cluster"),
            *("taxonomy/intents", "taxonomy/dropped", "taxonomy/levels"),
        ),
        writes=("data",),
        counters=counters.AssembleCounters,
        build=_assemble,
        publishes=(("assignments", "data"),),
    ),
    # The verdict on each row of the log, in the order of the log.
    StageEntry(
        "rows",
        reads=("ingest/rows", "assemble"),
        writes=("data",),
        counters=counters.RowsCounters,
        build=_rows,
        when=_needs_rows,
        publishes=(("rows", "data"),),
    ),
    StageEntry(
        "conversations",
        reads=("rows",),
        writes=("conversations", "intents"),
        counters=counters.ConversationsCounters,
        build=_conversations,
        when=_needs_conversations,
        publishes=(("conversations", "conversations"), ("intent_conversations", "intents")),
    ),
)
