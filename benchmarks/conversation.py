"""Tell conversational utterances from requests, without labels.

multidogo labels greetings, thanks, confirmations, rejections and bare answers (`contentonly`). The
phrases were written against its domains airline, fastfood and finance. The others are reported
apart, but their errors were read, too: benchmarks/history.md, *Conversational utterances*, has
cross-validated figures. In the other sets nearly all utterances are requests:

    python -m benchmarks.conversation --out RESULT.json

Methods:
  phrases   the phrase set alone
  all       phrases, then the learned rule, which is the default

All measures are in per cent of rows. A text counts for the label that most of its rows have: rows
such as "ok" and "yes" carry the label of any intent. `own_label` takes each row's own label, and
`distinct` counts each text once. `content_4` are bare answers of up to four words. Rare texts that
phrases leave open are sampled.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from advin.discovery.config import Config
from advin.discovery.conversation.rule import ConversationRule, LabeledTexts
from advin.discovery.text.preparation import prepare
from benchmarks.common import Options, Results, encode_texts, parse_options

SETS = (
    "multidogo", "banking77", "clinc150", "massive_en", "mcid/en", "mcid/es",
    "snips", "hint3_powerplay11", "sgd/intent_turns", "dstc11_insurance",
)  # fmt: skip
METHODS = ("phrases", "all")
TUNED = ("airline", "fastfood", "finance")
REQUEST = "requests"
# Labels of utterances that carry no request, or none that the set names.
_KINDS = {
    "openinggreeting": "greetings",
    "closinggreeting": "goodbyes",
    "thankyou": "thanks",
    "confirmation": "confirmations",
    "rejection": "rejections",
    "contentonly": "content",
    "outofdomain": "other",
    **dict.fromkeys(("greeting", "goodbye", "thank_you", "yes", "no", "maybe"), "conversational"),
    **dict.fromkeys(("repeat", "cancel"), "conversational"),
    **dict.fromkeys(("hi", "okay_thanks", "general_greet"), "conversational"),
    **dict.fromkeys(("GREETINGS_DAY", "THANKS", "APPRECIATION", "PRESENCE"), "conversational"),
}
_SHORT_WORDS = 4
# Texts of so many rows are all encoded; of the rarer texts of a kind, so many are.
_FREQUENT, _SAMPLED = 3, 300


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of a set that are measured together.

    Attributes:
        name: name of the set, with the group's name.
        texts: (n,) distinct masked texts.
        words: (n,) words before masking.
        counts: (n,) rows of each kind, by name.
    """

    name: str
    texts: list[str]
    words: np.ndarray
    counts: list[Counter[str]]


def load_groups(path: Path) -> list[Group]:
    """Read a set; multidogo in two groups of domains."""
    table = pq.read_table(path, columns=["text", "intent", "domain", "is_oos"])
    name = path.parent.name if path.stem == "utterances" else f"{path.parent.name}_{path.stem}"
    rows = [r for r in table.to_pylist() if r["text"] and r["intent"] and not r["is_oos"]]
    if name != "multidogo":
        return [_group(name, rows)]
    return [
        _group(f"{name}_tuned", [r for r in rows if r["domain"] in TUNED]),
        _group(f"{name}_others", [r for r in rows if r["domain"] not in TUNED]),
    ]


def _group(name: str, rows: Sequence[dict]) -> Group:
    masking = Config().masking
    counts: dict[str, Counter[str]] = {}
    words: dict[str, int] = {}
    prepared = {text: prepare(text, masking).text for text in {row["text"] for row in rows}}
    for row in rows:
        text = prepared[row["text"]]
        if not text:
            continue
        counts.setdefault(text, Counter())[_KINDS.get(row["intent"], REQUEST)] += 1
        words[text] = max(words.get(text, 0), len(row["text"].split()))
    texts = sorted(counts)
    return Group(name, texts, np.array([words[t] for t in texts]), [counts[t] for t in texts])


def measure(group: Group, rule: ConversationRule, options: Options) -> dict[str, float]:
    """Return the share of each kind that the rule marks, in per cent."""
    phrases = replace(rule, learned=None)
    none = np.zeros((len(group.texts), 0))
    found = phrases.categories(group.texts, none)
    is_marked = np.array([category is not None for category in found], float)
    weights = np.ones(len(group.texts))
    if rule.learned is not None:
        _add_learned(group, rule, is_marked, weights, options)
    majority = [max(sorted(c), key=lambda kind, c=c: c[kind]) for c in group.counts]
    rows = np.array([c.total() for c in group.counts])
    measures = {}
    for kind in sorted(set(majority)):
        of_kind = np.array([m == kind for m in majority])
        own = np.array([c[kind] for c in group.counts])
        measures[kind] = np.average(is_marked, weights=weights * rows * of_kind)
        measures[f"{kind}_distinct"] = np.average(is_marked, weights=weights * of_kind)
        measures[f"{kind}_own_label"] = np.average(is_marked, weights=weights * own)
        if kind == "content":
            short = of_kind & (group.words <= _SHORT_WORDS)
            measures["content_4"] = np.average(is_marked, weights=weights * rows * short)
            measures["content_4_distinct"] = np.average(is_marked, weights=weights * short)
    return {name: 100 * float(value) for name, value in measures.items()}


def _add_learned(
    group: Group,
    rule: ConversationRule,
    is_marked: np.ndarray,
    weights: np.ndarray,
    options: Options,
) -> None:
    """Apply the learned rule to a sample of what phrases leave; the sample stands for all."""
    random = np.random.default_rng(0)
    rows_of = np.array([c.total() for c in group.counts])
    kinds = np.array([c.most_common(1)[0][0] for c in group.counts])
    chosen = []
    for kind in np.unique(kinds):
        for short in (True, False):
            is_left = (is_marked == 0) & (kinds == kind) & ((group.words <= _SHORT_WORDS) == short)
            rare = np.flatnonzero(is_left & (rows_of < _FREQUENT))
            drawn = random.permutation(rare)[:_SAMPLED]
            weights[rare] = 0
            weights[drawn] = len(rare) / max(len(drawn), 1)
            chosen += [drawn, np.flatnonzero(is_left & (rows_of >= _FREQUENT))]
    rows = np.sort(np.concatenate(chosen))
    texts = [group.texts[i] for i in rows]
    found = rule.categories(texts, encode_texts(group.name, texts, options))
    is_marked[rows] = [category is not None for category in found]


def main() -> None:
    """Run the benchmark."""
    options = parse_options(__doc__, SETS, methods=METHODS)
    results = Results(options)
    nothing = LabeledTexts([], np.zeros((0, 0)), np.zeros(0, np.int64))
    groups = [group for path in options.data for group in load_groups(path)]
    for method in options.asked(METHODS):
        config = replace(Config().conversation, rules=method)
        rule = ConversationRule.fit(
            lambda texts: encode_texts("phrases", texts, options), nothing, config, seed=0
        )
        assert rule is not None
        for group in groups:
            started = time.perf_counter()
            measured = measure(group, rule, options)
            results.add((group.name, 0.0, method), measured, time.perf_counter() - started)
    results.finish()


if __name__ == "__main__":
    main()
