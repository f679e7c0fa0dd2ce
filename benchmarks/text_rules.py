"""What masking and the conversation rule change in the measures of `end_to_end`.

All methods of a seed share one draw: the same rows, counts, known intents and labels. The rows are
distinct after masking. Only the texts and the rule differ.

    python -m benchmarks.text_rules --data clinc150 --data banking77 --data massive_en --seeds 3 \\
        --effort fast --out RESULT.json

Methods: `plain` takes the texts as they are. `masked` masks personal data, numbers and markup.
`as_run` also applies the conversation rule, as a run does.
"""

import time
from dataclasses import replace

import numpy as np

from advin.discovery.config import Config
from advin.discovery.conversation.config import ConversationConfig
from benchmarks.common import (
    Options,
    Results,
    Utterances,
    as_embedded,
    distinct_rows,
    encode,
    encode_out_of_domain,
    encoder_identity,
    load_utterances,
    parse_options,
    view_encoder,
)
from benchmarks.end_to_end import draw_task, learn, load_noise, log_of, run

SETS = ("clinc150", "banking77", "massive_en")
PLAIN, MASKED, AS_RUN = METHODS = ("plain", "masked", "as_run")


Rows = tuple[Utterances, np.ndarray]


def embedded(utterances: Utterances, options: Options) -> dict[str, Rows]:
    """Return utterances and their vectors, with plain texts and with masked texts."""
    versions = {PLAIN: utterances, MASKED: as_embedded(utterances)}
    return {name: (rows, encode(rows, options)) for name, rows in versions.items()}


def main() -> None:
    """Run the benchmark."""
    options = parse_options(__doc__, SETS, (0.75,), methods=METHODS, efforts=("full", "fast"))
    ood = encode_out_of_domain(options)
    encoder, encode_views = encoder_identity(options), view_encoder(options)
    results = Results(options)
    noise = embedded(load_noise(), options)
    for path in options.data:
        plain = load_utterances(path)
        log = embedded(plain.take(distinct_rows(as_embedded(plain))), options)
        for share, seed in ((k, s) for k in options.known for s in range(options.seeds)):
            for method in options.asked(METHODS):
                started = time.perf_counter()
                texts = PLAIN if method == PLAIN else MASKED
                task = draw_task(*log[texts], noise[texts], (share, seed))
                config = replace(Config.preset(options.effort), seed=seed)
                if method != AS_RUN:
                    config = replace(config, conversation=ConversationConfig(rules="none"))
                model = learn(task, ood, config, encoder, encode_views)
                measured = run(*log_of(task), task, model, None)
                seconds = time.perf_counter() - started
                results.add((plain.name, share, method), measured, seconds)
    results.finish()


if __name__ == "__main__":
    main()
