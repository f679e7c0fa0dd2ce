"""The findings of a run: how sure its result is, and which step would help most."""

from collections.abc import Mapping
from dataclasses import dataclass

from advin.discovery.config import Config
from advin.discovery.intents.levels import COARSE, LEVELS


@dataclass(frozen=True, slots=True)
class ResultFacts:
    """The figures of a run that its findings follow from.

    Attributes:
        novel: novel intents at each level.
        chosen: novel intents at the default level.
        stability: median stability of the novel intents at the default level; None if unknown.
        looks_known: utterances in clusters that look known to stage I; see `label_match`.
        with_labels: how many of these utterances are in a cluster with labels.
        has_labels: True if there are known intents.
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
        facts: the figures of the run.
        config: the shares at which labels match well or poorly, and the least stability.
    """
    lines = []
    coarse, auto, fine = (facts.novel[level] for level in LEVELS)
    if coarse < fine:
        lines.append(
            f"Novel intents by level: {coarse} coarse, {auto} auto and {fine} fine. The tables "
            f"hold {facts.chosen}."
        )
    match = facts.with_labels / max(1, facts.looks_known)
    if facts.has_labels and facts.looks_known:
        how = _in_words(match, config)
        lines.append(
            f"Labels and log match {how}: {match:.0%} of {facts.looks_known:,} utterances that "
            "look known are in clusters with labels."
        )
    step = _best_step(facts, match, config)
    return lines if step is None else [*lines, f"What would help most: {step}."]


def _in_words(match: float, config: Config) -> str:
    if match >= config.labels.good_match:
        return "well"
    return "in part" if match >= config.labels.poor_match else "poorly"


def _best_step(facts: ResultFacts, match: float, config: Config) -> str | None:
    if not facts.has_labels:
        return "give about 20 labeled utterances of each known intent (--labeled)"
    if facts.looks_known and match < config.labels.good_match:
        return (
            "label utterances of this log for the known intents, such as those of unclear "
            "clusters in the table dropped"
        )
    if not facts.has_out_of_domain:
        return "give out-of-domain texts, which belong to no intent (--ood)"
    is_unstable = facts.stability is not None and facts.stability < config.levels.min_stability
    if is_unstable and facts.novel[COARSE] < facts.chosen:
        return "look at a coarser level with `advin regroup RUN --granularity coarse`"
    return None
