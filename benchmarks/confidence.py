"""How well the column `confidence` ranks the novel intents of a log of `end_to_end`.

A novel intent is real if more than half of its utterances belong to one unlabeled intent. `auroc`
says how well the confidence separates real intents from others. The purity of a novel intent is the
share of its utterances that belong to that one intent. `correlation` is the rank correlation of
confidence and purity. Both measures are in per cent.

    python -m benchmarks.confidence --data banking77 --known 0.5 --seeds 1
"""

import time
from collections import Counter
from dataclasses import replace

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from advin.discovery.config import Config
from advin.discovery.discover import Discovery, discover
from advin.schemas.verdicts import NOVEL
from benchmarks.common import (
    Results,
    encode_out_of_domain,
    encoder_identity,
    parse_options,
    view_encoder,
)
from benchmarks.end_to_end import draw_tasks, learn, log_of

SETS = ("banking77", "clinc150")


def measure(found: Discovery, truth: np.ndarray, known: set[str]) -> dict[str, float]:
    """Return how well confidence ranks novel intents; "" in `truth` stands for no intent."""
    held: dict[str | None, Counter[str]] = {}
    for intent, label in zip(found.assignments.intent_id, truth.tolist(), strict=True):
        held.setdefault(intent, Counter())[label] += 1
    novel = [row for row in found.intents if row.kind == NOVEL and row.intent_id in held]
    purity = []
    for row in novel:
        (label, most), *_ = held[row.intent_id].most_common(1)
        is_other = label == "" or label in known
        purity.append(0.0 if is_other else most / held[row.intent_id].total())
    confidences = np.array([row.confidence for row in novel])
    is_real = np.array(purity) > 0.5
    return {
        "novel_intents": len(novel),
        "real": int(is_real.sum()),
        "auroc": 100 * roc_auc_score(is_real, confidences),
        "correlation": 100 * spearmanr(confidences, purity).statistic,
    }


def main() -> None:
    """Run the benchmark."""
    options = parse_options(__doc__, SETS, known=(0.5,))
    ood = encode_out_of_domain(options)
    encoder, encode_views = encoder_identity(options), view_encoder(options)
    results = Results(options)
    for name, share, seed, task in draw_tasks(options):
        started = time.perf_counter()
        log, rows = log_of(task)
        config = replace(Config.preset("fast"), seed=seed)
        model = learn(task, ood, config, encoder, encode_views)
        measured = measure(discover(log, model), task.log.intents[rows], set(model.intents))
        results.add((name, share, "fast"), measured, time.perf_counter() - started)
    results.finish()


if __name__ == "__main__":
    main()
