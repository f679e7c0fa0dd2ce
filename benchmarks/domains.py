"""Stage III: link gold intents to domains, where some domains are known and others are held out.

The distance is learned on the known domains, which are anchors. Only intents of held-out domains
are scored. The method `default` uses the default distance, and `best` the best one of each draw.
The default distance is the median of the best ones over draws and data sets.

    python -m benchmarks.domains --data clinc150 --data massive_en --known 0.5 --seeds 10 \\
        --out RESULT.json
"""

import time
from bisect import bisect_left

import numpy as np

from advin.discovery.compute.classes import class_means
from advin.discovery.config import DomainsConfig
from advin.discovery.domains.linking import learn_domain_distance, link_domains
from advin.discovery.evaluation.agreement import ari, contingency, nmi
from benchmarks.common import (
    Results,
    encode,
    encoder_identity,
    load_utterances,
    parse_options,
)

SETS = ("clinc150", "massive_en")
_GRID = np.round(np.arange(0.6, 1.61, 0.02), 2)


def intent_means(utterances, vectors: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return the means (k, d) of the intents with a domain, and their domains."""
    rows = np.flatnonzero((utterances.intents != "") & (utterances.domains != ""))
    pairs = list(zip(utterances.domains[rows], utterances.intents[rows], strict=True))
    names = sorted(set(pairs))
    index = np.array([bisect_left(names, pair) for pair in pairs])
    return class_means(vectors[rows], index, len(names)), [domain for domain, _ in names]


def measure(means: np.ndarray, domains: list[str], share: float, seed: int) -> dict[str, dict]:
    """Hold domains out and score their intents; return percentages by method."""
    names = sorted(set(domains))
    drawn = np.random.RandomState(seed).choice(names, round(share * len(names)), replace=False)
    known = [d if d in drawn else None for d in domains]
    held = [i for i, d in enumerate(known) if d is None]
    is_known = [d is not None for d in known]
    config = DomainsConfig()
    given = [d for d in known if d is not None]
    learned = learn_domain_distance(means[is_known], given, config, seed)

    def score(distance: float) -> dict[str, float]:
        found = link_domains(means, known, distance, config)
        pairs = contingency([domains[i] for i in held], [str(found[i]) for i in held])
        return {"distance": distance, "nmi": 100 * nmi(pairs), "ari": 100 * ari(pairs)}

    return {
        "learned": score(learned.value),
        "default": score(config.default),
        "best": max((score(float(d)) for d in _GRID), key=lambda s: s["ari"]),
    }


def main() -> None:
    """Run the benchmark."""
    options = parse_options(__doc__, SETS, known=(0.5,))
    results = Results(options)
    for path in options.data:
        utterances = load_utterances(path, options.distinct)
        vectors = encoder_identity(options).sentence_part(encode(utterances, options))
        means, domains = intent_means(utterances, vectors)
        for share in options.known:
            for seed in range(options.seeds):
                started = time.perf_counter()
                for method, measures in measure(means, domains, share, seed).items():
                    seconds = time.perf_counter() - started
                    results.add((utterances.name, share, method), measures, seconds)
    results.finish()


if __name__ == "__main__":
    main()
