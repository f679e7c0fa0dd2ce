"""Counters: one record for each stage, one field for each counter.

A worker reports ``ScoreCounters(scored=5, flagged=1).add()``. The engine adds up what all workers
report, the stage's manifest stores the sums, and ``ScoreCounters.read`` returns them as the same
record. A misspelled counter is an error in all three places.
"""

import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import ClassVar, Self

from apache_beam.metrics import Metrics
from apache_beam.metrics.metric import MetricResults
from apache_beam.metrics.metricbase import Counter
from apache_beam.runners.runner import PipelineResult

from advin.pipelines.errors import SettingsError
from advin.schemas.verdicts import REASONS

# Prefixes of the counters of masking rules and of reasons.
_MASKED = "masked_"
_ROWS = "rows_"


class CounterError(SettingsError):
    """A stage's stored counters do not match this version of the stage."""


@dataclass(frozen=True, slots=True)
class Counters:
    """Base of all records; the class attribute `stage` names the counters' namespace."""

    stage: ClassVar[str]

    def add(self) -> None:
        """Add these numbers to the counters of the stage that runs here."""
        for field in fields(self):
            if count := getattr(self, field.name):
                _beam_counter(self.stage, field.name).inc(count)

    @classmethod
    def read(cls, counters: Mapping[str, int]) -> Self:
        """Return stored counters as a record; a missing one is 0.

        Raises:
            CounterError: if a name is not a counter of this stage.
        """
        unknown = sorted(counters.keys() - {field.name for field in fields(cls)})
        if unknown:
            raise CounterError(
                f"stage {cls.stage} has no counter {unknown[0]!r}: its files are from another "
                "version; delete the output folder and start again"
            )
        return cls(**counters)

    @classmethod
    def of_result(cls, result: PipelineResult) -> Self:
        """Return the sums over all workers of a finished pipeline."""
        found: dict[str, int] = {}
        for metric in result.metrics().query()[MetricResults.COUNTERS]:
            if metric.key.metric.namespace != cls.stage:
                continue
            # Some engines report attempted values only.
            value = metric.committed if metric.committed is not None else metric.attempted
            name = metric.key.metric.name
            found[name] = found.get(name, 0) + value
        return cls.read(found)

    def to_dict(self) -> dict[str, int]:
        """Return the counters by name."""
        return asdict(self)


@functools.cache
def _beam_counter(stage: str, name: str) -> Counter:
    return Metrics.counter(stage, name)


@dataclass(frozen=True, slots=True)
class IngestCounters(Counters):
    """Rows of the input, and the distinct utterances they hold.

    Attributes:
        rows_read: rows of the input.
        rows_rejected: rows that cannot be used.
        rows_kept: all other rows.
        utterances: distinct utterances; labeled ones count once for each of their labels.
        rows_of_others: rows of speakers that are left out.
        rows_of_both: those of them whose utterance another row of the log says, too.
        utterances_of_others: distinct utterances that only such speakers say.
        times_unreadable: values of --time-column that are no time.
        masked_html: rows that the rule html of `discovery.text.preparation` changed.
        masked_quote: rows that the rule quote changed.
        masked_url: rows that the rule url changed.
        masked_email: rows that the rule email changed.
        masked_handle: rows that the rule handle changed.
        masked_account: rows that the rule account changed.
        masked_card: rows that the rule card changed.
        masked_address: rows that the rule address changed.
        masked_date: rows that the rule date changed.
        masked_phone: rows that the rule phone changed.
        masked_time: rows that the rule time changed.
        masked_amount: rows that the rule amount changed.
        masked_id: rows that the rule id changed.
        masked_number: rows that the rule number changed.
        masked_name: rows that the rule name changed.
    """

    stage: ClassVar[str] = "ingest"
    rows_read: int = 0
    rows_rejected: int = 0
    rows_kept: int = 0
    utterances: int = 0
    rows_of_others: int = 0
    rows_of_both: int = 0
    utterances_of_others: int = 0
    times_unreadable: int = 0
    masked_html: int = 0
    masked_quote: int = 0
    masked_url: int = 0
    masked_email: int = 0
    masked_handle: int = 0
    masked_account: int = 0
    masked_card: int = 0
    masked_address: int = 0
    masked_date: int = 0
    masked_phone: int = 0
    masked_time: int = 0
    masked_amount: int = 0
    masked_id: int = 0
    masked_number: int = 0
    masked_name: int = 0

    @classmethod
    def of_rules(cls, rows: Mapping[str, int]) -> Self:
        """Return a record of the rows that each masking rule changed, by the rule's name."""
        return cls.read({_MASKED + rule: count for rule, count in rows.items()})

    @property
    def by_rule(self) -> dict[str, int]:
        """Rows that each masking rule changed, by the rule's name; rules without rows left out."""
        counts = self.to_dict().items()
        return {k.removeprefix(_MASKED): n for k, n in counts if k.startswith(_MASKED) and n}


@dataclass(frozen=True, slots=True)
class EmbedCounters(Counters):
    """Encoded utterances.

    Attributes:
        vectors: vectors written.
        encoder_msecs: milliseconds in the encoder, summed over workers.
        long_texts: texts longer than the encoder reads, which are encoded in pieces.
    """

    stage: ClassVar[str] = "embed"
    vectors: int = 0
    encoder_msecs: int = 0
    long_texts: int = 0


@dataclass(frozen=True, slots=True)
class FitCounters(Counters):
    """The data of a fit.

    Attributes:
        fitted_on_log: sampled utterances of the log.
        fitted_on_labeled: labeled utterances.
        known_intents: labeled intents.
        labels_overruled: labels dropped because the utterance has another, more frequent label.
        labels_respelled: labels that differ from another one only in spelling.
        intents_of_domains: intents with several domains; the most frequent one counts.
    """

    stage: ClassVar[str] = "fit"
    fitted_on_log: int = 0
    fitted_on_labeled: int = 0
    known_intents: int = 0
    labels_overruled: int = 0
    labels_respelled: int = 0
    intents_of_domains: int = 0


@dataclass(frozen=True, slots=True)
class ScoreCounters(Counters):
    """Utterances scored in stage I.

    Attributes:
        scored: all of them.
        flagged: utterances with a novelty score above 0.
        conversational: utterances that carry no request.
    """

    stage: ClassVar[str] = "score"
    scored: int = 0
    flagged: int = 0
    conversational: int = 0


@dataclass(frozen=True, slots=True)
class LinkCounters(Counters):
    """One round of linkage.

    Attributes:
        cells: parts of the learned space.
        bytes_sent: bytes sent to the cells.
        clusters_left: clusters that the next round takes.
        clusters_finished: clusters with no other cluster near enough.
        utterances_left_out: utterances in finished clusters that are too small for an intent.
    """

    stage: ClassVar[str] = "link"
    cells: int = 0
    bytes_sent: int = 0
    clusters_left: int = 0
    clusters_finished: int = 0
    utterances_left_out: int = 0


@dataclass(frozen=True, slots=True)
class ClusterCounters(Counters):
    """Clusters found in stage II.

    Attributes:
        points_of_log: clusters or single utterances of the log that were clustered.
        points_of_labels_and_ood: labeled utterances and out-of-domain texts clustered with them.
        known_intents: centroids of known intents.
        novel_intents: centroids of novel intents.
        junk_clusters: centroids of out-of-domain clusters.
        unclear_clusters: centroids of clusters that look known but hold no labels.
        small_clusters: centroids of clusters of several utterances that are too small.
        utterances_left_out: utterances in clusters beyond the limit of one worker.
        looks_known: utterances in clusters that look known to stage I.
        looks_known_with_labels: how many of these utterances are in a cluster with labels.
    """

    stage: ClassVar[str] = "cluster"
    points_of_log: int = 0
    points_of_labels_and_ood: int = 0
    known_intents: int = 0
    novel_intents: int = 0
    junk_clusters: int = 0
    unclear_clusters: int = 0
    small_clusters: int = 0
    utterances_left_out: int = 0
    looks_known: int = 0
    looks_known_with_labels: int = 0


@dataclass(frozen=True, slots=True)
class AssignCounters(Counters):
    """Utterances assigned to clusters.

    Attributes:
        in_a_cluster: utterances in an intent or in a dropped cluster.
        in_no_cluster: all others, such as conversational ones.
    """

    stage: ClassVar[str] = "assign"
    in_a_cluster: int = 0
    in_no_cluster: int = 0


@dataclass(frozen=True, slots=True)
class DescribeCounters(Counters):
    """Utterances from which intents are described.

    Attributes:
        described: utterances read.
    """

    stage: ClassVar[str] = "describe"
    described: int = 0


@dataclass(frozen=True, slots=True)
class TaxonomyCounters(Counters):
    """Rows of the tables intents, domains and dropped.

    Attributes:
        known_intents_named: known intents.
        novel_intents_named: novel intents.
        known_domains_named: known domains.
        novel_domains_named: novel domains.
        clusters_dropped: rows of the table dropped.
    """

    stage: ClassVar[str] = "taxonomy"
    known_intents_named: int = 0
    novel_intents_named: int = 0
    known_domains_named: int = 0
    novel_domains_named: int = 0
    clusters_dropped: int = 0


@dataclass(frozen=True, slots=True)
class AssembleCounters(Counters):
    """Rows of the table assignments, for each reason of `schemas.verdicts.REASONS`.

    Attributes:
        rows_accounted: rows of the log that the table covers.
        in_an_intent: utterances with an intent.
        several_requests: rows of the log that hold several requests.
        rows_in_known_intent: rows of the log with the reason in_known_intent.
        rows_in_novel_intent: rows of the log with the reason in_novel_intent.
        rows_out_of_domain: rows of the log with the reason out_of_domain.
        rows_incoherent: rows of the log with the reason incoherent.
        rows_leftover: rows of the log with the reason leftover.
        rows_unclear: rows of the log with the reason unclear.
        rows_too_small: rows of the log with the reason too_small.
        rows_too_far: rows of the log with the reason too_far.
        rows_empty: rows of the log with the reason empty.
        rows_other_speaker: rows of the log with the reason other_speaker.
        rows_greeting: rows of the log with the reason greeting.
        rows_thanks: rows of the log with the reason thanks.
        rows_goodbye: rows of the log with the reason goodbye.
        rows_confirmation: rows of the log with the reason confirmation.
        rows_refusal: rows of the log with the reason refusal.
        rows_uncertainty: rows of the log with the reason uncertainty.
        rows_hold: rows of the log with the reason hold.
        rows_small_talk: rows of the log with the reason small_talk.
        rows_slot_value: rows of the log with the reason slot_value.
        rows_symbols: rows of the log with the reason symbols.
    """

    stage: ClassVar[str] = "assemble"
    rows_accounted: int = 0
    in_an_intent: int = 0
    several_requests: int = 0
    rows_in_known_intent: int = 0
    rows_in_novel_intent: int = 0
    rows_out_of_domain: int = 0
    rows_incoherent: int = 0
    rows_leftover: int = 0
    rows_unclear: int = 0
    rows_too_small: int = 0
    rows_too_far: int = 0
    rows_empty: int = 0
    rows_other_speaker: int = 0
    rows_greeting: int = 0
    rows_thanks: int = 0
    rows_goodbye: int = 0
    rows_confirmation: int = 0
    rows_refusal: int = 0
    rows_uncertainty: int = 0
    rows_hold: int = 0
    rows_small_talk: int = 0
    rows_slot_value: int = 0
    rows_symbols: int = 0

    @classmethod
    def of_reasons(cls, in_an_intent: int, several_requests: int, rows: Mapping[str, int]) -> Self:
        """Return a record of utterances with an intent, and of rows of the log by reason."""
        total = {
            "rows_accounted": sum(rows.values()),
            "in_an_intent": in_an_intent,
            "several_requests": several_requests,
        }
        return cls.read(total | {_ROWS + reason: count for reason, count in rows.items()})

    @property
    def by_reason(self) -> dict[str, int]:
        """Rows of the log by reason; reasons without rows are left out."""
        counts = self.to_dict()
        return {reason: n for reason in REASONS if (n := counts[_ROWS + reason])}


@dataclass(frozen=True, slots=True)
class RowsCounters(Counters):
    """Rows of the table rows.

    Attributes:
        rows_written: rows of the table.
        rows_in_an_intent: rows with an intent.
    """

    stage: ClassVar[str] = "rows"
    rows_written: int = 0
    rows_in_an_intent: int = 0


@dataclass(frozen=True, slots=True)
class ConversationsCounters(Counters):
    """Rows of the table conversations.

    Attributes:
        conversations: rows of the table.
        without_a_request: conversations that hold no request.
    """

    stage: ClassVar[str] = "conversations"
    conversations: int = 0
    without_a_request: int = 0
