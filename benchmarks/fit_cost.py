"""Seconds and memory of the fit, on as many utterances as one worker learns from.

    python -m benchmarks.fit_cost --data ../shared/data/sgd/intent_turns.parquet --known 0 0.75 \\
        --seeds 1 --out RESULT.json

20,000 distinct utterances of a set are the log; all of them are new to the fit, views among them.
Without known intents that is all; with them, a tenth of the known intents' utterances is labeled
(`default`, `fast`), or as many again as the fit takes are labeled, and the log is whole
(`default_most`, `fast_most`). Each fit has a process of its own and all processors: run it alone.
Measures: seconds of encoding the utterances once, seconds of all that comes after, views encoded
and stages I to III learned, processor seconds of both, and the peak memory of the process,
libraries included.
"""

import time

import numpy as np

from advin.discovery.fit import (
    MAX_LABELED,
    MAX_LOG,
    Effort,
    EmbeddedTexts,
    FitSettings,
    TrainingData,
    fit_model,
    needs_views,
)
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
from benchmarks.intent_discovery import LABELED
from benchmarks.processes import measured

SETS = ("sgd/intent_turns",)
# By its effort, and whether as many are labeled as the fit takes.
METHODS: dict[str, tuple[Effort, bool]] = {
    "default": ("full", False),
    "fast": ("fast", False),
    "default_most": ("full", True),
    "fast_most": ("fast", True),
}


def draw(
    utterances: Utterances, share: float, seed: int, most: bool
) -> tuple[Utterances, Utterances]:
    """Draw what is labeled, and the log, of which no utterance is labeled.

    Args:
        utterances: distinct ones.
        share: of the intents that are known.
        seed: of the draw.
        most: whether as many are labeled as the fit takes, or a tenth of a bounded whole.
    """
    random = np.random.default_rng(seed)
    rows = random.permutation(len(utterances.texts))
    known = np.isin(utterances.intents[rows], utterances.known_intents(share, seed))
    if not most:
        rows, known = rows[:MAX_LOG], known[:MAX_LOG]
        labeled = rows[known][: round(LABELED * np.count_nonzero(known))]
    else:
        labeled = rows[known][:MAX_LABELED]
    log = rows[~np.isin(rows, labeled)][:MAX_LOG]
    return utterances.take(labeled), utterances.take(log)


def fit(labeled: Utterances, log: Utterances, settings: FitSettings, options: Options) -> dict:
    """Encode and fit; return the seconds of each, and how many utterances there were."""
    start = time.monotonic()
    vectors = [encode(part, options) for part in (log, labeled)]
    encoded = time.monotonic()
    intents, labels = np.unique(labeled.intents.astype(str), return_inverse=True)
    domain_of = dict(zip(labeled.intents, labeled.domains, strict=True))
    data = TrainingData(
        log=EmbeddedTexts(log.texts, vectors[0]),
        labeled=EmbeddedTexts(labeled.texts, vectors[1]),
        labels=labels.astype(np.int64),
        intents=tuple(intents),
        domains=tuple(domain_of[i] or None for i in intents),
        out_of_domain=encode_out_of_domain(options),
    )
    if needs_views(data.labels, settings):
        data = data.with_views(view_encoder(options))
    fit_model(data, encoder_identity(options), settings)
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
                    settings = FitSettings(seed=seed, effort=effort)
                    found = measured(fit, labeled, log, settings, options)
                    results.add((utterances.name, share, method), found, found.pop("seconds"))
    results.finish()


if __name__ == "__main__":
    main()
