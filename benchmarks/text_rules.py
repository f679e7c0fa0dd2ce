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
from advin.discovery.text.config import MaskingConfig
from advin.discovery.text.preparation import prepare
from benchmarks.common import (
    Options,
    Results,
    Utterances,
    distinct_rows,
    encode,
    encode_out_of_domain,
    encoder_identity,
    load_utterances,
    parse_options,
    view_encoder,
)
from benchmarks.end_to_end import Task, draw_task, learn, load_noise, log_of, run

SETS = ("clinc150", "banking77", "massive_en")
PLAIN, MASKED, AS_RUN = METHODS = ("plain", "masked", "as_run")


def masked(utterances: Utterances) -> Utterances:
    """Return the same rows with the texts that a run embeds."""
    texts = [prepare(text, MaskingConfig()).text for text in utterances.texts]
    return replace(utterances, texts=np.array(texts, object))


def tasks_of(plain: Utterances, options: Options, draw: tuple[float, int]) -> dict[str, Task]:
    """Return one draw with plain texts and with masked texts.

    Args:
        plain: distinct after masking.
        options: the encoder and the cache.
        draw: the known share and the seed.
    """
    noise, _ = load_noise(options)
    found = {}
    for method, rows, lines in ((PLAIN, plain, noise), (MASKED, masked(plain), masked(noise))):
        vectors, line_vectors = encode(rows, options), encode(lines, options)
        found[method] = draw_task(rows, vectors, (lines, line_vectors), draw)
    return found | {AS_RUN: found[MASKED]}


def main() -> None:
    """Run the benchmark."""
    options = parse_options(__doc__, SETS, (0.75,), methods=METHODS, efforts=("full", "fast"))
    ood = encode_out_of_domain(options)
    encoder, encode_views = encoder_identity(options), view_encoder(options)
    results = Results(options)
    for path in options.data:
        plain = load_utterances(path)
        plain = plain.take(distinct_rows(masked(plain)))
        for share, seed in ((k, s) for k in options.known for s in range(options.seeds)):
            tasks = tasks_of(plain, options, (share, seed))
            for method in options.asked(METHODS):
                started = time.perf_counter()
                config = replace(Config.preset(options.effort), seed=seed)
                if method != AS_RUN:
                    config = replace(config, conversation=ConversationConfig(rules="none"))
                model = learn(tasks[method], ood, config, encoder, encode_views)
                log, rows = log_of(tasks[method])
                measured = run(log, rows, tasks[method], model, None)
                seconds = time.perf_counter() - started
                results.add((plain.name, share, method), measured, seconds)
    results.finish()


if __name__ == "__main__":
    main()
