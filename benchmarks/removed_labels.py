"""Run `advin discover` and `advin evaluate` on data whose labels are partly removed.

The labels of whole domains and of other single intents are removed, as in `end_to_end`, but the log
is neither thinned nor mixed with noise. The train split of the known intents is labeled. All other
rows form the log, with the out-of-scope ones. All labels are the truth.

    python -m benchmarks.removed_labels --data clinc150 --known 0.6 --seeds 1 --out RESULT.json

Methods: `default` and `fast`, by `--effort`. Measures are those of `advin evaluate --json`, with
shares in per cent. Seconds are those of the whole command `advin discover`.
"""

import json
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from advin.runners.cli import main as advin
from benchmarks.common import TRAIN, Results, Utterances, load_utterances, parse_options
from benchmarks.end_to_end import known_intents

SETS = ("clinc150",)
METHODS = {"default": "full", "fast": "fast"}
_SHARES = (
    "nmi", "ari", "accuracy", "known_accuracy", "novel_accuracy", "novel_intents_recovered",
    "novel_in_novel", "known_in_novel", "junk_in_novel", "auroc", "domain_ari", "domain_accuracy",
)  # fmt: skip
_NUMBERS = ("novel_intents_true", "novel_intents_found", "junk_intents")


def remove_labels(utterances: Utterances, share: float, seed: int) -> tuple[Utterances, Utterances]:
    """Return the utterances that stay labeled, and all others as the log."""
    known = known_intents(utterances, share, np.random.default_rng(seed))
    is_known = np.array([intent in known for intent in utterances.intents], bool)
    labeled = is_known & (utterances.splits == TRAIN)
    return utterances.take(np.flatnonzero(labeled)), utterances.take(np.flatnonzero(~labeled))


def discover_and_evaluate(labeled: Utterances, log: Utterances, flags: list[str]) -> dict:
    """Run both commands in a new folder; return the measures and the seconds.

    Raises:
        SystemExit: if a command failed, with its exit code.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        columns = ("text", "intent", "domain")
        for part, rows, kept in (("known", labeled, 3), ("truth", log, 3), ("log", log, 1)):
            values = (rows.texts, rows.intents, rows.domains)
            arrays = [pa.array([v or None for v in column], pa.string()) for column in values]
            table = pa.table(dict(zip(columns, arrays, strict=True))).select(columns[:kept])
            pq.write_table(table, folder / f"{part}.parquet")
        run, truth, out = folder / "run", folder / "truth.parquet", folder / "metrics.json"
        files = ["--input", folder / "log.parquet", "--labeled", folder / "known.parquet"]
        start = time.perf_counter()
        _command("discover", *files, "--output", run, *flags)
        seconds = time.perf_counter() - start
        _command("evaluate", "--run", run, "--truth", truth, "--json", out)
        return json.loads(out.read_text()) | {"seconds": seconds}


def _command(*arguments: str | Path) -> None:
    if code := advin([str(a) for a in arguments]):
        raise SystemExit(code)


def main() -> None:
    """Run the benchmark."""
    options = parse_options(__doc__, SETS, known=(0.6,), methods=tuple(METHODS))
    given = {"--encoder": options.encoder, "--encoder-precision": options.precision}
    encoder = [part for flag, value in given.items() if value for part in (flag, value)]
    results = Results(options)
    for path in options.data:
        utterances = load_utterances(path, options.distinct)
        for share in options.known:
            for seed in range(options.seeds):
                labeled, log = remove_labels(utterances, share, seed)
                for method in options.asked(METHODS):
                    flags = ["--seed", str(seed), "--effort", METHODS[method], *encoder]
                    found = discover_and_evaluate(labeled, log, flags)
                    measured = {m: 100 * found[m] for m in _SHARES if m in found}
                    measured |= {m: found[m] for m in _NUMBERS}
                    results.add((utterances.name, share, method), measured, found["seconds"])
    results.finish()


if __name__ == "__main__":
    main()
