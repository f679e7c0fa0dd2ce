"""What is reported of the inputs, before the log is embedded and again at the end of a run."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from advin.discovery.text.language import LanguageShare, detect, log_languages, shares
from advin.discovery.text.notices import LogFacts, log_notices
from advin.pipelines.counters import IngestCounters
from advin.pipelines.entry import Run
from advin.pipelines.errors import one_line
from advin.pipelines.fit import label_lines
from advin.pipelines.shards import read_first_rows


@dataclass(frozen=True, slots=True)
class Notices:
    """What was found in the inputs.

    Attributes:
        languages: languages of the log with their shares of its distinct utterances.
        lines: one line for each warning.
    """

    languages: list[LanguageShare]
    lines: list[str]

    def language_values(self) -> list[dict[str, Any]]:
        """Return the languages as JSON values."""
        return [asdict(language) for language in self.languages]


def of_log(run: Run) -> Notices:
    """Return what a sample of the log shows; needs the stage ingest."""
    prepared, stage = run.prepared, run.workspace.stage("ingest")
    config = prepared.config
    batches = read_first_rows(stage.part(), config.language.sample, ["text"])
    texts = [text for batch in batches for text in batch.column("text").to_pylist()]
    found = log_languages(texts, config.language)
    languages = shares(detect(texts, found), np.ones(len(texts))) if found else []
    facts = LogFacts(
        utterances=stage.counters(IngestCounters).utterances,
        languages=languages,
        unread=[one.code for one in languages if not prepared.identity.reads(one.code)],
        unknown=prepared.encoder.load().unknown_share(texts),
    )
    lines = log_notices(facts, config.sample.min_log, config.language)
    if unreadable := stage.counters(IngestCounters).times_unreadable:
        lines.append(f"{unreadable:,} values of --time-column are no times: null in the table rows")
    return Notices(languages, [one_line(line) for line in lines])


def of_inputs(run: Run) -> Notices:
    """Return what the log and the labels show; needs the stages that read them."""
    log, prepared = of_log(run), run.prepared
    if not (prepared.settings.fits and "labeled" in prepared.sources):
        return log
    labeled = run.workspace.stage("ingest_labeled").part()
    return Notices(log.languages, log.lines + label_lines(labeled, prepared.config))
