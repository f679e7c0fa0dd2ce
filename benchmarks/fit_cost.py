"""Seconds and memory of the fit, on as many utterances as one worker takes.

    python -m benchmarks.fit_cost --data ../shared/data/sgd/intent_turns.parquet --known 0 0.75 \\
        --seeds 1 --out RESULT.json

The log is 20,000 distinct utterances of a data set. With known intents, a tenth of their utterances
is labeled (`default`, `fast`), or as many more as the fit takes (`default_most`, `fast_most`). Each
fit has a process of its own and uses all processors, so run nothing else. Measures: seconds to
encode the utterances once; seconds of everything after that, which encodes views and learns stages
I to III; processor seconds of both; peak memory of the process, with its libraries.
"""

import time
from dataclasses import replace

import numpy as np

from advin.discovery.config import Config, SampleConfig
from benchmarks.common import (
    Options,
    Results,
    Utterances,
    encode,
    encode_out_of_domain,
    encoder_identity,
    load_utterances,
    parse_options,
    view_encoder,
)
from benchmarks.end_to_end import Task, learn
from benchmarks.intent_discovery import LABELED
from benchmarks.processes import measured

SETS = ("sgd/intent_turns",)
# By name: the effort, and whether as many utterances are labeled as the fit takes.
METHODS: dict[str, tuple[str, bool]] = {
    "default": ("full", False),
    "fast": ("fast", False),
    "default_most": ("full", True),
    "fast_most": ("fast", True),
}


def draw(
    utterances: Utterances, share: float, seed: int, most: bool
) -> tuple[Utterances, Utterances]:
    """Draw the labeled utterances and a log without any of them.

    Args:
        utterances: distinct utterances.
        share: share of known intents.
        seed: seed of the draw.
        most: label as many utterances as the fit takes, not a tenth of a bounded sample.
    """
    sample = SampleConfig()
    random = np.random.default_rng(seed)
    rows = random.permutation(len(utterances.texts))
    known = np.isin(utterances.intents[rows], utterances.known_intents(share, seed))
    if not most:
        rows, known = rows[: sample.max_log], known[: sample.max_log]
        labeled = rows[known][: round(LABELED * np.count_nonzero(known))]
    else:
        labeled = rows[known][: sample.max_labeled]
    log = rows[~np.isin(rows, labeled)][: sample.max_log]
    return utterances.take(labeled), utterances.take(log)


def fit(labeled: Utterances, log: Utterances, config: Config, options: Options) -> dict[str, float]:
    """Encode and fit; return the seconds of each, and the numbers of utterances."""
    start = time.monotonic()
    task = Task(
        labeled=labeled,
        labeled_vectors=encode(labeled, options),
        log=log,
        log_vectors=encode(log, options),
        counts=np.ones(len(log.texts), np.int64),
    )
    encoded = time.monotonic()
    ood, encoder = encode_out_of_domain(options), encoder_identity(options)
    learn(task, ood, config, encoder, view_encoder(options))
    return {
        "fit seconds": time.monotonic() - encoded,
        "encoder seconds": encoded - start,
        "log": len(log.texts),
        "labeled": len(labeled.texts),
    }


def main() -> None:
    """Run the benchmark."""
    options = parse_options(__doc__, SETS, known=(0.0, 0.75), methods=tuple(METHODS))
    results = Results(options)
    for path in options.data:
        utterances = load_utterances(path, distinct=True)
        utterances = utterances.take(np.flatnonzero(utterances.intents != ""))
        for share in options.known:
            for seed in range(options.seeds):
                for method in options.asked(METHODS):
                    effort, most = METHODS[method]
                    if most and not share:
                        continue
                    labeled, log = draw(utterances, share, seed, most)
                    config = replace(Config.preset(effort), seed=seed)
                    found = measured(fit, labeled, log, config, options)
                    seconds = found.pop("seconds")
                    results.add((utterances.name, share, method), found, seconds)
    results.finish()


if __name__ == "__main__":
    main()
