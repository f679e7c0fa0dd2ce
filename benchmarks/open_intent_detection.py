"""Detect open intents by the protocol of TEXTOIR: which utterances belong to no known intent?

A share of the intents is known, with all their utterances in the train split. The other intents and
the out-of-scope text of the test split are open:

    python -m benchmarks.open_intent_detection --seeds 10 --out RESULT.json

Methods:
  default            all scores, as `advin fit` combines them without out-of-domain text
  default_ood        the same with the sample's out-of-domain text
  mahalanobis        one score with its own learned threshold, as all below
  neighbors          distance to the nearest labeled utterances
  ratio              distance to the nearest intent, relative to the second nearest
  learned_neighbors  distance to the nearest labeled utterances in the space of the known intents
  learned_center     distance to the center of the nearest intent in that space
  characters         character distance to the nearest labeled utterances of the best known intent
  open_set           a (K+1)-way classifier, trained with the sample's out-of-domain text

All measures are in per cent. `fpr95` is the share of known utterances flagged when 95 % of the open
ones are. Seconds are those of fitting all scores.
"""

import time
from dataclasses import dataclass

import numpy as np

from advin.discovery.config import NoveltyConfig
from advin.discovery.encoding.texts import EmbeddedTexts
from advin.discovery.evaluation.measures import auroc, fpr_at_recall, open_intent_scores
from advin.discovery.novelty.calibration import calibrate
from advin.discovery.novelty.held_out import HeldOut, hold_out
from advin.discovery.novelty.scores import SCORE_NAMES
from benchmarks.common import (
    OPEN,
    TEST,
    TRAIN,
    Results,
    Utterances,
    encode,
    encode_out_of_domain,
    load_utterances,
    parse_options,
)

SETS = ("textoir_banking", "textoir_oos")
_CONFIG = NoveltyConfig()
# Methods with out-of-domain text, and the scores that they use.
_WITH_OOD = {"default_ood": SCORE_NAMES, "open_set": ("open_set",)}
_WITHOUT = {"default": SCORE_NAMES} | {name: (name,) for name in SCORE_NAMES if name != "open_set"}
# A larger labeled set is sampled.
MAX_TRAIN = 20_000


@dataclass(frozen=True, slots=True)
class Task:
    """One draw of known intents: labeled train utterances, and test utterances with labels."""

    train: EmbeddedTexts
    labels: np.ndarray
    test: EmbeddedTexts
    truth: np.ndarray


def draw_task(utterances: Utterances, vectors: np.ndarray, share: float, seed: int) -> Task:
    """Draw the known intents. An intent without a train utterance is open."""
    train = utterances.splits == TRAIN
    names = utterances.known_intents(share, seed)
    known = np.intersect1d(names, utterances.intents[train])
    labels = utterances.labels(known)
    rows = np.flatnonzero(train & (labels != OPEN))
    rng = np.random.default_rng(seed)
    first = np.unique(labels[rows], return_index=True)[1]
    rest = np.setdiff1d(np.arange(len(rows)), first)
    more = rng.permutation(rest)[: max(0, MAX_TRAIN - len(first))]
    rows = np.sort(rows[np.concatenate([first, more])])
    test = np.flatnonzero(utterances.splits == TEST)
    embedded = EmbeddedTexts(utterances.texts, vectors)
    return Task(embedded.take(rows), labels[rows], embedded.take(test), labels[test])


def measure(task: Task, held: HeldOut, scores: tuple[str, ...]) -> dict[str, float]:
    """Calibrate the scores and score the test split; return percentages."""
    found_scores = calibrate(held, _CONFIG, scores).score(task.test)
    score = found_scores.score
    found = np.where(score > 0, OPEN, found_scores.best_class)
    named = [[None if c == OPEN else int(c) for c in column] for column in (task.truth, found)]
    is_open = task.truth == OPEN
    measures = open_intent_scores(*named) | {
        "auroc": auroc(is_open, score),
        "fpr95": fpr_at_recall(is_open, score, 0.95),
        "known_kept": float((score[~is_open] <= 0).mean()),
        "open_flagged": float((score[is_open] > 0).mean()),
    }
    return {name: 100 * value for name, value in measures.items()}


def main() -> None:
    """Run the benchmark."""
    options = parse_options(__doc__, SETS, methods=(*_WITHOUT, *_WITH_OOD))
    ood = encode_out_of_domain(options)
    results = Results(options)
    for path in options.data:
        utterances = load_utterances(path, options.distinct)
        vectors = encode(utterances, options)
        for share in options.known:
            for seed in range(options.seeds):
                task = draw_task(utterances, vectors, share, seed)
                for given, methods in ((None, _WITHOUT), (ood, _WITH_OOD)):
                    asked = options.asked(methods)
                    if not asked:
                        continue
                    started = time.perf_counter()
                    intents = int(task.labels.max()) + 1
                    held = hold_out(task.train, task.labels, intents, _CONFIG, given, seed)
                    seconds = time.perf_counter() - started
                    for method in asked:
                        measured = measure(task, held, methods[method])
                        results.add((utterances.name, share, method), measured, seconds)
    results.finish()


if __name__ == "__main__":
    main()
