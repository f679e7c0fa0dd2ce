"""The three jobs: discover intents and domains in a log, translate that job, fit a model.

`pipelines.spine` lists the stages that they run.
"""

import logging

from apache_beam.options.pipeline_options import PipelineOptions

from advin.pipelines import storage
from advin.pipelines.entry import Run
from advin.pipelines.errors import SettingsError
from advin.pipelines.models import ModelFolder, check_replaceable, is_fitted_on, model_exists
from advin.pipelines.plan import Plan
from advin.pipelines.report import check_tables, finish_run, read_run
from advin.pipelines.settings import Prepared, Settings, prepare
from advin.pipelines.spine import run_stages
from advin.pipelines.stages import Workspace
from advin.schemas.manifest import RunManifest, fingerprint

__all__ = ["Settings", "discover", "fit", "translate"]

_log = logging.getLogger("advin")


def discover(settings: Settings, output: str, options: PipelineOptions) -> RunManifest:
    """Run all stages, or resume an interrupted run in the same folder.

    Args:
        settings: of the run.
        output: folder of the run.
        options: of the engine.

    Returns:
        the manifest of the finished run.

    Raises:
        SettingsError: if an input, the model, the encoder or the output folder is not usable, or a
            file of an earlier run in that folder has changed.
        StageError: if the engine fails.
    """
    prepared = prepare(settings)
    claim = prepared.claim()
    if settings.fits and settings.model is not None:
        check_replaceable(settings.model, fingerprint(claim), settings.overwrite)
    workspace = Workspace.claim(output, claim, options)
    finished = read_run(output)
    if finished is not None:
        check_tables(output, finished)
        _log.info("this run has already finished: %s", output)
        return finished
    run = Run(workspace, prepared, _model(prepared, output))
    run_stages(run)
    return finish_run(run, claim)


def translate(settings: Settings, output: str, options: PipelineOptions) -> list[str]:
    """Translate the pipelines of all stages without running them; return the stages' names.

    Args:
        settings: of the run; its inputs are checked.
        output: folder that the run would use; nothing is written there.
        options: of the engine, with `dry_run` set.

    Raises:
        SettingsError: if an input, the model or the encoder is not usable.
    """
    prepared = prepare(settings)
    plan = Plan(output, options, fingerprint="dry")
    run_stages(Run(plan, prepared, _model(prepared, output)))
    return plan.translated


def fit(settings: Settings, model: str, options: PipelineOptions) -> None:
    """Fit a model and write its folder.

    Args:
        settings: of the fit.
        model: folder of the model.
        options: of the engine.

    Raises:
        SettingsError: if an input, the encoder or the model folder is not usable.
        StageError: if the engine fails.
    """
    prepared = prepare(settings)
    claim = prepared.claim()
    if is_fitted_on(model, fingerprint(claim)):
        _log.info("this model has already been fitted on these inputs and settings: %s", model)
    else:
        if model_exists(model):
            raise SettingsError(
                f"--model {model} holds a model that was fitted on other inputs or settings, or is "
                "damaged: choose another folder, or delete this one"
            )
        workspace = Workspace.claim(model, claim, options)
        run_stages(Run(workspace, prepared, ModelFolder(model, prepared.config)), last="fit")
    storage.delete(storage.join(model, "stages"))


def _model(prepared: Prepared, output: str) -> ModelFolder:
    folder = prepared.settings.model or storage.join(output, "model")
    return ModelFolder(folder, prepared.config)
