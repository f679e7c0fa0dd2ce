"""Checks of what the stages found: wrong inputs that only show once they are read."""

import logging
from collections.abc import Callable

from advin.pipelines import notices
from advin.pipelines.counters import IngestCounters
from advin.pipelines.entry import Run
from advin.pipelines.errors import SettingsError
from advin.pipelines.fit import check_labels
from advin.pipelines.models import fitted_on

_log = logging.getLogger("advin")


def check_usable(role: str, stage: str) -> Callable[[Run], None]:
    """Return a check that an input has usable rows."""

    def check(run: Run) -> None:
        counted = run.workspace.stage(stage).counters(IngestCounters)
        if not counted.utterances:
            rejects = run.workspace.stage(stage).part("rejects").folder
            raise SettingsError(
                f"{run.prepared.sources[role].flag}: none of its {counted.rows_read} rows can be "
                f"used; the reasons are in {rejects}"
            )

    return check


def check_log(run: Run) -> None:
    """Check that the log has usable rows, and no more than the clustering takes."""
    ingest = run.workspace.stage("ingest").counters(IngestCounters)
    if run.prepared.settings.speakers and ingest.rows_of_others and not ingest.utterances:
        column = run.prepared.sources["log"].columns.domain
        speakers = ", ".join(run.prepared.settings.speakers)
        raise SettingsError(
            f"--speaker: column {column} names none of {speakers} in {ingest.rows_of_others} rows: "
            "give values of that column, or another one with --speaker-column"
        )
    check_usable("log", "ingest")(run)
    distinct = run.workspace.stage("ingest").counters(IngestCounters).utterances
    config = run.prepared.config.intents
    if config.clustering == "density" and distinct > config.max_density_points:
        raise SettingsError(
            f"--input: the log has {distinct} distinct utterances, but HDBSCAN takes at most "
            f"{config.max_density_points} here: use --clustering linkage"
        )
    for line in notices.of_log(run).lines:
        _log.warning("%s", line)


def check_labeled(run: Run) -> None:
    """Check the labeled utterances."""
    check_usable("labeled", "ingest_labeled")(run)
    check_labels(run.workspace.stage("ingest_labeled").part(), run.prepared.config)


def check_model(run: Run) -> None:
    """Check that the model is the one that this run has fitted."""
    if fitted_on(run.model.folder) != run.workspace.fingerprint:
        raise SettingsError(
            f"the model in {run.model.folder} is not the one that this run has fitted: delete the "
            "output folder and start again"
        )
