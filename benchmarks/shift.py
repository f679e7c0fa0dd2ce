"""Logs that differ from their labels, drawn from any labeled set.

Each case draws labels and a log, fits a model, and compares stage I with the final verdict. The
truth is the gold intent of each utterance. The utterances of unlabeled intents are open.

    python -m benchmarks.shift --data hint3_powerplay11 --methods builders --known 1 0.75 \\
        --effort fast --seeds 2 --out RESULT.json
    python -m benchmarks.shift --data banking77 --methods corner few --effort fast --seeds 1

The share --known of the intents keeps its labels. Methods (the cases):
  builders  labels are the train split (HINT3: of bot builders), the log is the test split (of
            customers), with its repeated and out-of-scope rows
  skew_50, skew_80, skew_95  the largest known intent is 50, 80 or 95 % of the log's distinct
            utterances; 20 labels an intent
  corner    the labels of each intent are a random utterance and its nearest neighbors, 20 in all
  few       5 labels an intent
  foreign   the log has other domains than the labels, so none of it is known; 20 labels an intent;
            --known is the share of labeled domains

Except for `builders`, a log has at most 3,000 distinct utterances, all with an intent. No
out-of-domain examples are given.

Measures are in per cent of the log's rows. `stage_` marks stage I alone: the best known intent if
its probability is above one half, otherwise open. In the final verdict, all kinds but known are
open. `mcc` is Matthews' correlation over the known intents and the open class, with the bounds of
its 95 % bootstrap interval. `known_right` is the share of known utterances that end in their true
intent; `stage_best_right` is the same for the best known intent at any probability.
`open_as_known` is the share of open utterances that end in a known intent. `ari_unlabeled` is ARI
of a model that was fitted without the labels. The other measures are those of `evaluate_discovery`.
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from sklearn.metrics import matthews_corrcoef

from advin.discovery.config import PRESETS, Config
from advin.discovery.discover import discover
from advin.discovery.encoding.texts import EmbeddedTexts
from advin.discovery.evaluation.measures import evaluate_discovery
from advin.discovery.model import Model
from advin.discovery.text.cleaning import normalize
from advin.schemas.ids import known_id
from advin.schemas.verdicts import KNOWN
from benchmarks.common import (
    OPEN,
    TEST,
    TRAIN,
    Options,
    Results,
    Utterances,
    encode,
    encoder_identity,
    load_utterances,
    parse_options,
    view_encoder,
)
from benchmarks.end_to_end import Measures, Task, learn, log_of, truth_and_answer

SETS = ("hint3_powerplay11", "clinc150", "banking77", "massive_en")
BUILDERS, CORNER, FEW, FOREIGN = "builders", "corner", "few", "foreign"
SKEWS = {"skew_50": 0.5, "skew_80": 0.8, "skew_95": 0.95}
METHODS = (BUILDERS, *SKEWS, CORNER, FEW, FOREIGN)
# ARI without labels needs a second fit. A skewed log has hardly any other intent to find.
_ALSO_UNLABELED = (CORNER, FEW, FOREIGN)
_LABELS, _FEW_LABELS, _MOST_LOG = 20, 5, 3000
_RESAMPLES, _INTERVAL = 1000, (0.025, 0.975)
_MEASURES = ("ari", "known_in_novel", "novel_in_novel")
_NUMBERS = ("intents_true", "intents_found", "novel_intents_true", "novel_intents_found")
Pick = Callable[[np.ndarray], np.ndarray]


def draw_case(
    case: str, utterances: Utterances, vectors: np.ndarray, share: float, seed: int
) -> Task | None:
    """Draw the labels and the log of a case.

    Args:
        case: one of METHODS.
        utterances: a labeled set; distinct texts, except for `builders`.
        vectors: (n, d) vectors of the texts.
        share: share of known intents, 0 to 1; for `foreign`, of labeled domains.
        seed: of all random choices.

    Returns:
        the task; None if the set has fewer than two domains, which `foreign` needs.
    """
    random = np.random.default_rng(seed)
    known = utterances.known_intents(share, seed)
    if case == BUILDERS:
        labeled = np.flatnonzero(np.isin(utterances.intents, known) & (utterances.splits == TRAIN))
        return task_of(utterances, vectors, labeled, np.flatnonzero(utterances.splits == TEST))
    if case == FOREIGN:
        return _draw_foreign(utterances, vectors, share, random)
    if case == CORNER:
        labeled = draw_labels(utterances, known, lambda rows: corner(rows, vectors, random))
    else:
        each = _FEW_LABELS if case == FEW else _LABELS
        labeled = draw_labels(utterances, known, lambda rows: random.permutation(rows)[:each])
    is_left = utterances.intents != ""
    is_left[labeled] = False
    log = random.permutation(np.flatnonzero(is_left))
    if case in SKEWS:
        log = skewed(log, utterances.intents, known, SKEWS[case])
    return task_of(utterances, vectors, labeled, np.sort(log[:_MOST_LOG]))


def draw_labels(utterances: Utterances, known: np.ndarray, pick: Pick) -> np.ndarray:
    """Return the sorted rows that `pick` chooses from the train split of each known intent."""
    is_train = utterances.splits == TRAIN
    rows = [np.flatnonzero((utterances.intents == name) & is_train) for name in known]
    return np.sort(np.concatenate([pick(r) for r in rows if len(r)]))


def corner(rows: np.ndarray, vectors: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return a random one of the rows with its nearest neighbors among them."""
    near = vectors[rows].astype(np.float32) @ vectors[random.choice(rows)].astype(np.float32)
    return rows[np.argsort(-near, kind="stable")[:_LABELS]]


def skewed(log: np.ndarray, intents: np.ndarray, known: np.ndarray, share: float) -> np.ndarray:
    """Keep rows of a log so that its largest known intent has the given share of them.

    Args:
        log: rows in random order.
        intents: (n,) intents of all rows of the set.
        known: known intents.
        share: above 0 and below 1.
    """
    names, sizes = np.unique(intents[log], return_counts=True)
    sizes[~np.isin(names, known)] = 0
    is_main = intents[log] == names[sizes.argmax()]
    main, others = log[is_main], log[~is_main]
    size = min(_MOST_LOG, len(main) / share, len(others) / (1 - share))
    return np.concatenate([main[: round(share * size)], others[: round((1 - share) * size)]])


def _draw_foreign(
    utterances: Utterances, vectors: np.ndarray, share: float, random: np.random.Generator
) -> Task | None:
    """Draw labels of some domains; the log is of other domains, without the labeled intents."""
    domains = np.unique(utterances.domains[utterances.domains != ""])
    if len(domains) < 2:
        return None
    n = min(max(1, round(share * len(domains))), len(domains) - 1)
    is_foreign = np.isin(utterances.domains, random.choice(domains, n, replace=False))
    names = np.unique(utterances.intents[is_foreign & (utterances.intents != "")])
    own = utterances.take(np.flatnonzero(is_foreign))
    picked = draw_labels(own, names, lambda rows: random.permutation(rows)[:_LABELS])
    labeled = np.flatnonzero(is_foreign)[picked]
    has_own_intent = ~np.isin(utterances.intents, [*names, ""])
    log = random.permutation(np.flatnonzero(~is_foreign & has_own_intent))
    return task_of(utterances, vectors, labeled, np.sort(log[:_MOST_LOG]))


def task_of(
    utterances: Utterances, vectors: np.ndarray, labeled: np.ndarray, log: np.ndarray
) -> Task:
    """Return the task of labeled rows and log rows; equal texts of the log are counted."""
    texts = np.array([normalize(str(text)) for text in utterances.texts[log]])
    _, first, counts = np.unique(texts, return_index=True, return_counts=True)
    rows = log[first]
    return Task(
        utterances.take(labeled), vectors[labeled], utterances.take(rows), vectors[rows], counts
    )


def measure(task: Task, model: Model, seed: int) -> Measures:
    """Compare stage I and the final verdict with the truth; the seed is for the bootstrap."""
    assert model.novelty is not None
    log, rows = log_of(task)
    scores = model.novelty.score(EmbeddedTexts(log.texts, model.neutral(log.vectors)))
    found = discover(log, model, scores).assignments
    measures = evaluate_discovery(*truth_and_answer(log, task.log.take(rows), model, found))

    true = task.log.take(rows).labels(np.array(model.intents, object))
    stage = np.where(scores.probability > 0.5, scores.best_class, OPEN)
    intent_of = {known_id(name): i for i, name in enumerate(model.intents)}
    verdicts = zip(found.kind, found.intent_id, strict=True)
    final = np.array([intent_of[str(i)] if kind == KNOWN else OPEN for kind, i in verdicts])

    def share(flags: np.ndarray, of: np.ndarray) -> float:
        """Return the share of rows in per cent; nan without any."""
        return 100 * float(np.average(flags[of], weights=log.counts[of])) if of.any() else np.nan

    is_known, everything = true != OPEN, np.ones(len(true), bool)
    result = {
        **_correlations(true, {"stage_mcc": stage, "mcc": final}, log.counts, seed),
        "stage_accuracy": share(stage == true, everything),
        "accuracy": share(final == true, everything),
        "stage_best_right": share(scores.best_class == true, is_known),
        "known_right": share(final == true, is_known),
        "stage_open_as_known": share(stage != OPEN, ~is_known),
        "open_as_known": share(final != OPEN, ~is_known),
        **{name: 100 * measures[name] for name in _MEASURES if name in measures},
        **{name: measures[name] for name in _NUMBERS},
    }
    return {name: value for name, value in result.items() if not np.isnan(value)}


def _correlations(
    true: np.ndarray, given: dict[str, np.ndarray], counts: np.ndarray, seed: int
) -> Measures:
    """Return Matthews' correlation of each given verdict, and its bootstrap interval over rows.

    All verdicts are measured on the same resamples. The result is empty if the truth has a single
    class, for which the correlation is undefined.
    """
    if len(np.unique(true)) < 2:
        return {}
    random = np.random.default_rng(seed)
    rows = np.repeat(np.arange(len(true)), counts)
    drawn = [random.choice(rows, len(rows)) for _ in range(_RESAMPLES)]
    measures: Measures = {}
    for name, verdict in given.items():
        measures[name] = 100 * matthews_corrcoef(true[rows], verdict[rows])
        values = [matthews_corrcoef(true[sample], verdict[sample]) for sample in drawn]
        low, high = np.quantile(values, _INTERVAL)
        measures |= {f"{name}_low": 100 * low, f"{name}_high": 100 * high}
    return measures


def ari_unlabeled(task: Task, model: Model) -> float:
    """Return ARI, in per cent, of a model that was fitted without the task's labels."""
    log, rows = log_of(task)
    found = discover(log, model).assignments
    truth, answer = truth_and_answer(log, task.log.take(rows), model, found)
    return 100 * evaluate_discovery(truth, answer)["ari"]


def draw_tasks(options: Options) -> Iterator[tuple[tuple[str, float, str], int, Task]]:
    """Yield the key of the results, the seed and the task of each draw."""
    for path in options.data:
        for case in options.asked(METHODS):
            utterances = load_utterances(path, distinct=case != BUILDERS, masked=True)
            vectors = encode(utterances, options)
            for share in options.known:
                for seed in range(options.seeds):
                    task = draw_case(case, utterances, vectors, share, seed)
                    if task is None:
                        sys.stderr.write(f"{utterances.name} has no two domains: no {case}\n")
                        break
                    yield (utterances.name, share, case), seed, task


def main() -> None:
    """Run the benchmark."""
    options = parse_options(__doc__, SETS, known=(0.75,), methods=METHODS, efforts=tuple(PRESETS))
    if 0 in options.known:
        sys.stderr.write("--known 0: stage I needs known intents, give a share above 0\n")
        sys.exit(2)
    encoder, encode_views = encoder_identity(options), view_encoder(options)
    nothing = EmbeddedTexts([], np.zeros((0, encoder.dimension), np.float16))
    results = Results(options)
    for key, seed, task in draw_tasks(options):
        config = replace(Config.preset(options.effort), seed=seed)
        started = time.perf_counter()
        model = learn(task, nothing, config, encoder, encode_views)
        measured = measure(task, model, seed)
        seconds = time.perf_counter() - started
        if key[-1] in _ALSO_UNLABELED:
            none = np.zeros(0, np.int64)
            bare = replace(
                task, labeled=task.labeled.take(none), labeled_vectors=task.labeled_vectors[none]
            )
            without = learn(bare, nothing, config, encoder, encode_views)
            measured["ari_unlabeled"] = ari_unlabeled(bare, without)
        results.add(key, measured, seconds)
    results.finish()


if __name__ == "__main__":
    main()
