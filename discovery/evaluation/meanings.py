"""One sentence for each measure, in words, for readers of `advin evaluate` and of the reference."""

_CLUSTERING = {
    "nmi": "information that found and true {} share, from 0 (none) to 1 (same groups)",
    "ari": "agreement of found and true {} on pairs of utterances, from about 0 (chance) to 1",
    "accuracy": "share of utterances in the found group that is matched with their true one, when "
    "found and true {} are matched one to one",
    "b_cubed_precision": "mean share of an assigned utterance's found group that has its true "
    "label, over {}",
    "b_cubed_recall": "mean share of an utterance's true group that is in its found group, over {}",
    "b_cubed_f1": "harmonic mean of b-cubed precision and recall of {}",
    "pairwise_precision": "share of the pairs in one found group that belong together, over {}",
    "pairwise_recall": "share of the pairs that belong together and are in one found group, "
    "over {}",
    "pairwise_f1": "harmonic mean of pairwise precision and recall of {}",
    "known_accuracy": "accuracy on the utterances of known {}",
    "novel_accuracy": "accuracy on the utterances of novel {}",
    "h_score": "harmonic mean of the accuracies on known and novel {}",
}

_OTHERS = {
    "rows": "rows of the log that were compared",
    "distinct_texts": "distinct texts that were compared",
    "coverage": "share of the utterances of true intents that were assigned to some intent",
    "intents_true": "true intents",
    "intents_found": "found intents that hold at least one compared utterance",
    "novel_intents_true": "true intents without labels",
    "novel_intents_found": "novel intents found that hold at least one compared utterance",
    "novel_intents_recovered": "share of the true novel intents of which one found novel intent "
    "holds more than half and consists of it by more than half",
    "novel_intents_precision": "share of the novel intents found that recover a true novel intent",
    "novel_in_novel": "share of the utterances of novel intents that are in a novel intent",
    "known_in_novel": "share of the utterances of known intents that are in a novel intent",
    "junk_in_novel": "share of the utterances without a true intent that are in a novel intent",
    "junk_intents": "novel intents found of which more than half has no true intent",
    "open_accuracy": "share of utterances with the right verdict: their known intent, or "
    "no known intent",
    "open_f1": "mean F1 of the verdicts over the known intents and the class novel or no intent",
    "f1_known": "mean F1 of the verdicts over the known intents",
    "f1_open": "F1 of the verdict novel or no intent",
    "auroc": "probability that an utterance that is novel or has no intent has a higher novelty "
    "score than a known one",
    "fpr95": "share of known utterances flagged at the threshold that flags 95 % of the utterances "
    "that are novel or have no intent",
    "domains_true": "true domains",
    "domains_found": "found domains that hold at least one compared utterance",
}

MEANINGS: dict[str, str] = {
    **{name: text.format("intents") for name, text in _CLUSTERING.items()},
    **_OTHERS,
    **{f"domain_{name}": text.format("domains") for name, text in _CLUSTERING.items()},
}
"""From the name of each measure to its meaning."""

WEIGHTS = (
    "Shares, means and agreements count an utterance once for each of its rows in the log. "
    "The numbers of intents, domains and distinct texts do not."
)
"""Which measures depend on the counts of the utterances."""
