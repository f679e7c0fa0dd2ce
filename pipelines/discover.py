"""The main job: a log in, tables of novel intents and domains out.

advin discover --input LOG --labeled KNOWN --output RUN
"""

import dataclasses
import logging
import math

from apache_beam.options.pipeline_options import PipelineOptions

from advin.discovery.compute.precision import best_precision
from advin.discovery.config import Config
from advin.discovery.encoding.encoder import EncoderError, load_encoder
from advin.discovery.encoding.identity import EncoderIdentity
from advin.discovery.intents.decision import IntentRules
from advin.discovery.model import ModelError
from advin.pipelines import storage
from advin.pipelines.assemble import Assemble, AssembleSources
from advin.pipelines.assign import Assign, AssignSources
from advin.pipelines.cluster import Cluster
from advin.pipelines.cluster_files import LogShards
from advin.pipelines.describe import Describe
from advin.pipelines.embed import Embed, EncoderSettings
from advin.pipelines.errors import SettingsError
from advin.pipelines.fit import Embedded, Fit, FitInputs, check_labels
from advin.pipelines.ingest import Ingest, WriteRejects, WriteUtterances
from advin.pipelines.inputs import Columns, find_input, input_fingerprint
from advin.pipelines.link import condense
from advin.pipelines.models import load_model, model_exists, model_fingerprint
from advin.pipelines.plan import Plan
from advin.pipelines.report import finish_run, read_run
from advin.pipelines.score import Score
from advin.pipelines.shards import Shards
from advin.pipelines.stages import Stage, Workspace
from advin.pipelines.taxonomy import Described, Taxonomy
from advin.schemas import tables
from advin.schemas.manifest import RunManifest

_DEFAULTS = Config()

_log = logging.getLogger("advin")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the user asked for.

    Attributes:
        input: the log: a file, folder or glob.
        labeled: labeled utterances of the known intents, or None.
        ood: texts that belong to no intent, or None.
        model: folder of a model to use, or to write if `labeled` is given; None for one in the
            output folder.
        columns: names of the columns text, intent and domain.
        encoder: hub id or folder; None for the model's own, or the default.
        threads: processor threads of the encoder, which decide the last bits of its vectors.
        precision: of the encoder, FP32 or BF16; None for the model's own, or the best one here.
        config: all tunables of a fit.
        accelerator: type of the GPU that workers of the stage embed should have, for engines that
            know such hints.
        max_linked: clusters that one worker links; parts of a larger log are linked by many first.
    """

    input: str
    labeled: str | None = None
    ood: str | None = None
    model: str | None = None
    columns: Columns = Columns("text", "intent", "domain")
    encoder: str | None = None
    threads: int = 2
    precision: str | None = None
    config: Config = Config()
    accelerator: str | None = None
    max_linked: int = _DEFAULTS.linkage.max_clusters

    def __post_init__(self) -> None:
        """Refuse what no worker can hold."""
        if not 1 <= self.max_linked <= _DEFAULTS.linkage.max_clusters:
            raise SettingsError(
                f"--max-linked is {self.max_linked}, but must be from 1 to "
                f"{_DEFAULTS.linkage.max_clusters}: "
                "so many clusters are linked in 3 GB"
            )

    @property
    def fits(self) -> bool:
        """Whether a model is learned first: there are labels, or there is no model."""
        return self.labeled is not None or self.model is None


def discover(settings: Settings, output: str, options: PipelineOptions) -> RunManifest:
    """Run all stages, or those that an earlier start of the same run left undone.

    Raises:
        SettingsError: if an input, the model, the encoder or the output folder is not usable.
    """
    sources = _Sources.find(settings)
    encoder = _encoder(settings)
    claim = sources.claim(settings, encoder) | {"max_linked": settings.max_linked}
    if not settings.fits:
        claim["model"] = model_fingerprint(str(settings.model))
    workspace = Workspace.claim(output, claim, options)
    finished = read_run(output)
    if finished is not None:
        _log.info("this run had finished before: %s", output)
        return finished

    log = _ingest_and_embed(workspace, sources, "log", encoder, _most_utterances(settings))
    model = settings.model or storage.join(output, "model")
    if settings.fits:
        _fit(workspace, sources, log, encoder, model, settings.config)
    _run_discovery(workspace, log, model, settings.max_linked)
    return finish_run(workspace, model, claim)


def translate(settings: Settings, output: str, options: PipelineOptions) -> list[str]:
    """Wire and translate all stages without running them; return their names.

    Args:
        settings: inputs are looked at, as for a run.
        output: where the run would go; nothing is written there.
        options: of an engine, with `dry_run` set.

    Raises:
        SettingsError: if an input or the encoder is not usable.
    """
    sources = _Sources.find(settings)
    encoder = _encoder(settings)
    plan = Plan(output, options, fingerprint="dry")
    log = _ingest_and_embed(plan, sources, "log", encoder)
    model = settings.model or storage.join(output, "model")
    if settings.fits:
        _fit(plan, sources, log, encoder, model, settings.config)
    _run_discovery(plan, log, model, settings.max_linked)
    return plan.translated


def fit(settings: Settings, model: str, options: PipelineOptions) -> None:
    """Learn a model from labeled utterances and a log, and write its folder.

    Raises:
        SettingsError: if an input, the encoder or the model folder is not usable.
    """
    sources = _Sources.find(settings)
    encoder = _encoder(settings)
    workspace = Workspace.claim(model, sources.claim(settings, encoder), options)
    if model_exists(model):
        _log.info("this model had been fitted before: %s", model)
        return
    log = _ingest_and_embed(workspace, sources, "log", encoder)
    _fit(workspace, sources, log, encoder, model, settings.config)
    storage.delete(storage.join(model, "stages"))


@dataclasses.dataclass(frozen=True)
class _Sources:
    """The input files of a run, by role."""

    files: dict[str, list]
    columns: dict[str, Columns]

    @classmethod
    def find(cls, settings: Settings) -> "_Sources":
        text_only = Columns(settings.columns.text)
        roles: dict[str, tuple[str, str | None, Columns]] = {
            "log": ("--input", settings.input, text_only),
            "labeled": ("--labeled", settings.labeled, settings.columns),
            "ood": ("--ood", settings.ood, text_only),
        }
        given = {
            role: (find_input(pattern, columns, flag), columns)
            for role, (flag, pattern, columns) in roles.items()
            if pattern is not None
        }
        return cls(
            files={role: files for role, (files, _) in given.items()},
            columns={role: columns for role, (_, columns) in given.items()},
        )

    def claim(self, settings: Settings, encoder: "_LoadedEncoder") -> dict:
        """Return what makes this run another one than one with other inputs or settings."""
        return {
            **{role: input_fingerprint(files) for role, files in self.files.items()},
            "columns": dataclasses.asdict(settings.columns),
            "encoder": dataclasses.asdict(encoder.identity),
            "threads": settings.threads,
            "config": settings.config.to_dict(),
        }


@dataclasses.dataclass(frozen=True)
class _LoadedEncoder:
    settings: EncoderSettings
    identity: EncoderIdentity
    accelerator: str | None


def _encoder(settings: Settings) -> _LoadedEncoder:
    """Load the encoder here first: what is wrong with it shows before anything is sent."""
    model = None if settings.fits else load_model(str(settings.model))
    name = settings.encoder or (model.encoder.name if model else None)
    # Decided here, once for all workers, whose processors may differ.
    precision = settings.precision or (model.encoder.precision if model else best_precision())
    try:
        encoder = load_encoder(name, settings.threads, precision)
        identity = EncoderIdentity.of(encoder)
        if model is not None:
            model.encoder.check_same(identity)
    except (EncoderError, ModelError) as error:
        raise SettingsError(str(error)) from error
    chosen = EncoderSettings(encoder.name, settings.threads, precision)
    return _LoadedEncoder(chosen, identity, settings.accelerator)


def _most_utterances(settings: Settings) -> float:
    """Return how many distinct utterances the chosen way to cluster can take."""
    config = settings.config if settings.fits else load_model(str(settings.model)).config
    return config.intents.max_density_points if config.intents.clustering == "density" else math.inf


def _ingest_and_embed(
    workspace: Workspace,
    sources: _Sources,
    role: str,
    encoder: _LoadedEncoder,
    at_most: float = math.inf,
) -> Embedded:
    suffix = "" if role == "log" else f"_{role}"
    schema = tables.INGEST_LABELED if role == "labeled" else tables.INGEST

    def ingest(pipeline, stage: Stage) -> None:
        utterances, rejects = pipeline | Ingest(sources.files[role], sources.columns[role])
        utterances | "WriteUtterances" >> WriteUtterances(stage.path(), schema)
        rejects | "WriteRejects" >> WriteRejects(stage.path("rejects"))

    manifest = workspace.run(f"ingest{suffix}", ingest)
    distinct = manifest.counters.get("utterances", 0)
    if not distinct:
        flag = {"log": "input"}.get(role, role)
        raise SettingsError(
            f"--{flag}: none of its {manifest.counters.get('rows_read', 0)} rows can be used; "
            f"the reasons are in {workspace.stage(f'ingest{suffix}').path('rejects')}"
        )
    if distinct > at_most:
        raise SettingsError(
            f"--input: the log has {distinct} distinct utterances, but HDBSCAN takes at most "
            f"{at_most} here: fit a model with --clustering linkage"
        )
    texts = workspace.stage(f"ingest{suffix}")

    def embed(pipeline, stage: Stage) -> None:
        shards = pipeline | Shards(texts.shards)
        transform = Embed(texts.path(), stage.path(), encoder.settings)
        if encoder.accelerator:
            hint = f"type:{encoder.accelerator};count:1;install-nvidia-driver"
            transform.with_resource_hints(accelerator=hint)
        shards | transform

    workspace.run(f"embed{suffix}", embed, keep_partial=True)
    return Embedded.of(texts, workspace.stage(f"embed{suffix}"), distinct)


def _fit(
    workspace: Workspace,
    sources: _Sources,
    log: Embedded,
    encoder: _LoadedEncoder,
    model: str,
    config: Config,
) -> None:
    given = {
        role: _ingest_and_embed(workspace, sources, role, encoder)
        for role in ("labeled", "ood")
        if role in sources.files
    }
    inputs = FitInputs(log, given.get("labeled"), given.get("ood"))
    if inputs.labeled is not None and workspace.reads_results:
        check_labels(inputs.labeled, config.sample)

    def learn(pipeline, stage: Stage) -> None:
        pipeline | Fit(inputs, encoder.settings, encoder.identity, model, config)

    workspace.run("fit", learn)


def _rules(workspace: Workspace, model: str) -> IntentRules:
    """Return the model's rules; a plan is made before there is a model, and any will do."""
    if workspace.reads_results:
        return load_model(model).rules
    return IntentRules(distance=0.5, radius=0.5, min_size=5)


def _run_discovery(workspace: Workspace, log: Embedded, model: str, max_linked: int) -> None:
    """Run the stages from novelty to the tables."""
    novelty, clusters, intents, describe, taxonomy = (
        workspace.stage(n) for n in ("score", "cluster", "assign", "describe", "taxonomy")
    )

    def score(pipeline, stage: Stage) -> None:
        pipeline | Shards(log.shards) | Score(log.vectors, stage.path(), model)

    def cluster(pipeline, stage: Stage) -> None:
        pipeline | Cluster(condensed, max_linked, model, stage.path())

    def assign(pipeline, stage: Stage) -> None:
        sources = AssignSources(log.vectors, clusters.path(), model)
        pipeline | Shards(log.shards) | Assign(sources, stage.path())

    def summarize(pipeline, stage: Stage) -> None:
        (
            pipeline
            | Shards(log.shards)
            | Describe(
                utterances=log.utterances,
                vectors=log.vectors,
                membership=intents.path(),
                sizes=stage.path("sizes"),
                documents=stage.path("documents"),
                n_sampled=Config().naming.documents,
            )
        )

    def name(pipeline, stage: Stage) -> None:
        described = Described.of(clusters, describe)
        pipeline | Taxonomy(described, model, stage.path("intents"), stage.path("domains"))

    def assemble(pipeline, stage: Stage) -> None:
        sources = AssembleSources(
            utterances=log.utterances,
            novelty=novelty.path(),
            membership=intents.path(),
            centroids=clusters.path(),
            intents=taxonomy.path("intents"),
        )
        pipeline | Shards(log.shards) | Assemble(sources, stage.path())

    workspace.run("score", score)
    shards = LogShards(log.utterances, log.vectors, novelty.path(), log.shards, model)
    config = _DEFAULTS.with_values({"linkage.max_clusters": max_linked})
    condensed = condense(workspace, shards, log.distinct, _rules(workspace, model), config)
    workspace.run("cluster", cluster)
    workspace.run("assign", assign)
    workspace.run("describe", summarize)
    workspace.run("taxonomy", name)
    workspace.run("assemble", assemble)
