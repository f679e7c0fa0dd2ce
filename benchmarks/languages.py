"""Find the intents of a log that is not in English, and of a log in two languages.

The log holds all rows of a set in one language, or of the same set in two languages. No intent is
labeled. Vectors, the language bias, the learned space and clusters are computed as in `advin fit`
and `advin discover`:

    python -m benchmarks.languages --data mcid/en --data mcid/es --mixed --encoder multilingual \\
        --seeds 5 --out RESULT.json

Methods:
  discover   the intents of `advin discover`; an utterance without an intent is an intent of its own
  k_given    k-means in the learned space with the true number of intents

Measures in per cent: NMI, ARI and ACC. For a log in two languages, `joint` is the share of true
intents whose most frequent found intent is the same in both languages. `intents` is the number of
found intents.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans

from advin.discovery.config import Config
from advin.discovery.discover import Log, discover
from advin.discovery.encoding.texts import EmbeddedTexts
from advin.discovery.fit import TrainingData, fit_model, needs_views
from advin.discovery.text.cleaning import normalize
from advin.schemas.ids import utterance_id
from benchmarks.common import (
    Options,
    Results,
    Utterances,
    clustering_scores,
    encode,
    encoder_identity,
    load_utterances,
    parse_options,
    view_encoder,
)

SETS = ("mcid/en", "mcid/es")
METHODS = ("discover", "k_given")
_RESTARTS = 10


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--mixed", action="store_true", help="all data sets are one log")
    own, rest = parser.parse_known_args(arguments if arguments is not None else sys.argv[1:])
    options = parse_options(
        "Intents of logs in other languages; --mixed makes one log of all data sets",
        SETS,
        (0.0,),
        rest,
        METHODS,
        ("full", "fast"),
    )
    results = Results(options)
    logs = [(path.stem, (path,)) for path in options.data]
    if own.mixed:
        logs = [(" + ".join(path.stem for path in options.data), options.data)]
    encode_views = view_encoder(options)
    for name, paths in logs:
        utterances, vectors, language = _read(name, paths, options)
        for seed in range(options.seeds):
            start = time.perf_counter()
            found = _found(utterances, vectors, seed, options, encode_views)
            seconds = time.perf_counter() - start
            for method in options.asked(METHODS):
                scores = _scores(utterances.intents, found[method], language)
                results.add((name, 0.0, method), scores, seconds)
                print(name, seed, method, scores, flush=True)
    results.finish()


def _read(
    name: str, paths: Sequence[Path], options: Options
) -> tuple[Utterances, np.ndarray, np.ndarray]:
    """Return the distinct utterances of a log, their vectors, and the number of their file."""
    parts = [load_utterances(path, distinct=True) for path in paths]
    vectors = [encode(part, options) for part in parts]
    language = np.repeat(np.arange(len(parts)), [len(part.texts) for part in parts])
    columns = (
        np.concatenate([getattr(part, column) for part in parts])
        for column in ("texts", "intents", "domains", "splits")
    )
    whole, stacked = Utterances(name, *columns), np.concatenate(vectors)
    ids = [utterance_id(normalize(str(text))) for text in whole.texts]
    # As in a run, utterances are in the order of their ids. A text of two languages counts once.
    rows = np.unique(ids, return_index=True)[1]
    return whole.take(rows), stacked[rows], language[rows]


def _found(
    utterances: Utterances, vectors: np.ndarray, seed: int, options: Options, encode_views
) -> dict[str, np.ndarray]:
    """Fit a model without labels, and return the found intent of each utterance by method."""
    config = replace(Config.preset(options.effort), seed=seed)
    texts = [str(text) for text in utterances.texts]
    none = EmbeddedTexts((), vectors[:0])
    data = TrainingData(EmbeddedTexts(texts, vectors), none, np.zeros(0, np.int64), (), (), none)
    if needs_views(data.labels, config):
        data = data.with_views(encode_views, config)
    model = fit_model(data, encoder_identity(options), config)
    log = Log.of(texts, np.ones(len(texts), np.int64), vectors)
    intents = discover(log, model).assignments.intent_id
    alone = [intent or f"none {i}" for i, intent in enumerate(intents)]
    k = len(np.unique(utterances.intents))
    means = KMeans(k, n_init=_RESTARTS, random_state=seed).fit(model.learned(vectors))
    return {"discover": np.array(alone), "k_given": means.labels_}


def _scores(truth: np.ndarray, found: np.ndarray, language: np.ndarray) -> dict[str, float]:
    scores = clustering_scores(truth.astype(str), found)
    scores["intents"] = len({f for f in found.astype(str) if not f.startswith("none")})
    if len(np.unique(language)) > 1:
        scores["joint"] = 100 * joint_share(truth, found, language)
    return scores


def joint_share(truth: np.ndarray, found: np.ndarray, language: np.ndarray) -> float:
    """Return the share of true intents with one most frequent found intent in all languages."""
    same = []
    for intent in np.unique(truth.astype(str)):
        most = set()
        for code in np.unique(language):
            names, counts = np.unique(
                found[(truth == intent) & (language == code)].astype(str), return_counts=True
            )
            most.add(str(names[counts.argmax()]))
        same.append(len(most) == 1)
    return float(np.mean(same))


if __name__ == "__main__":
    main()
