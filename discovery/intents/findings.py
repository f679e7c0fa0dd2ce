"""What a user should know of a result: how sure it is, and what would improve it most."""

from collections.abc import Mapping
from dataclasses import dataclass

from advin.discovery.config import Config
from advin.discovery.intents.levels import COARSE, FINE


@dataclass(frozen=True, slots=True)
class ResultFacts:
    """What a run has found.

    Attributes:
        novel: novel intents at each level.
        chosen: novel intents at the default level.
        stability: median stability of the novel intents at the default level; None if unknown.
        looks_known: utterances in clusters that look known, labels aside.
        with_labels: how many of them are in clusters that hold labels.
        has_labels: True if intents are known.
        has_out_of_domain: True if out-of-domain examples were given.
    """

    novel: Mapping[str, int]
    chosen: int
    stability: float | None
    looks_known: int
    with_labels: int
    has_labels: bool
    has_out_of_domain: bool


def result_findings(facts: ResultFacts, config: Config) -> list[str]:
    """Return one line for each finding, the most helpful step last.

    Args:
        facts: what the run has found.
        config: shares from which labels match a log, and the least stability.
    """
    lines = []
    coarse, fine = facts.novel[COARSE], facts.novel[FINE]
    if coarse < fine:
        lines.append(
            f"The number of novel intents is uncertain: {facts.chosen} here, {coarse} at the "
            f"coarse level and {fine} at the fine one."
        )
    match = facts.with_labels / max(1, facts.looks_known)
    if facts.has_labels and facts.looks_known:
        how = _in_words(match, config)
        lines.append(
            f"Labels and log match {how}: of {facts.looks_known:,} utterances that look known, "
            f"{match:.0%} are in clusters with labels."
        )
    step = _best_step(facts, match, config)
    return lines if step is None else [*lines, f"What would help most: {step}."]


def _in_words(match: float, config: Config) -> str:
    if match >= config.labels.good_match:
        return "well"
    return "in part" if match >= config.labels.poor_match else "poorly"


def _best_step(facts: ResultFacts, match: float, config: Config) -> str | None:
    if not facts.has_labels:
        return "give about 20 labeled utterances of each intent that you know (--labeled)"
    if facts.looks_known and match < config.labels.good_match:
        return "label utterances of this log for the known intents (see the table dropped)"
    if not facts.has_out_of_domain:
        return "give texts that no intent should cover with --ood"
    is_unstable = facts.stability is not None and facts.stability < config.levels.min_stability
    if is_unstable and facts.novel[COARSE] < facts.chosen:
        return "look at a coarser level with `advin regroup RUN --granularity coarse`"
    return None
