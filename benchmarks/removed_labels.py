"""End to end on data whose labels are partly removed: `advin discover`, then `advin evaluate`.

The labels of whole domains and of a share of the other intents are removed. The training utterances
of the intents that are left are the labelled set; everything else, out-of-scope rows among it, is
the log. The truth is all labels.

    python -m benchmarks.removed_labels --data ../shared/data/clinc150/utterances.parquet \\
        --domains 2 --intents 0.25 --seed 0 --out RESULT.json
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from runners.cli import main as advin

DEFAULT_DATA = "../shared/data/clinc150/utterances.parquet"


def remove_labels(
    table: pa.Table, domains: int, intents: float, seed: int
) -> tuple[pa.Table, pa.Table]:
    """Return the labelled rows that are left, and the log: all other rows.

    Args:
        table: columns text, intent, domain, split.
        domains: number of domains whose labels are all removed.
        intents: share of the other domains' intents whose labels are removed.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    names = sorted(set(table["domain"].drop_null().to_pylist()))
    removed_domains = set(rng.choice(names, domains, replace=False))
    pairs = {*zip(table["intent"].to_pylist(), table["domain"].to_pylist(), strict=True)}
    others = sorted(i for i, d in pairs if i is not None and d not in removed_domains)
    removed = set(rng.choice(others, round(intents * len(others)), replace=False))
    known = pa.array(sorted(set(others) - removed))
    is_labeled = pc.and_(
        pc.is_in(table["intent"], value_set=known), pc.equal(table["split"], "train")
    )
    is_labeled = pc.fill_null(is_labeled, False)
    return table.filter(is_labeled), table.filter(pc.invert(is_labeled))


def run(arguments: argparse.Namespace, folder: Path) -> int:
    """Write the files, discover and evaluate; return the exit code."""
    columns = ["text", "intent", "domain", "split"]
    labeled, log = remove_labels(
        pq.read_table(arguments.data, columns=columns),
        arguments.domains,
        arguments.intents,
        arguments.seed,
    )
    for name, table in (("known", labeled), ("truth", log), ("log", log.select(["text"]))):
        pq.write_table(table, folder / f"{name}.parquet")
    print(f"{labeled.num_rows} labelled rows, {log.num_rows} rows in the log")
    code = advin(
        ["discover", "--labeled", f"{folder}/known.parquet", "--input", f"{folder}/log.parquet"]
        + ["--output", f"{folder}/run", "--seed", str(arguments.seed)]
    )
    if code:
        return code
    evaluate = ["evaluate", "--run", f"{folder}/run", "--truth", f"{folder}/truth.parquet"]
    return advin(evaluate + (["--json", arguments.out] if arguments.out else []))


def main() -> int:
    """Parse the flags and run in a temporary folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=DEFAULT_DATA, help="Parquet (%(default)s)")
    parser.add_argument("--domains", type=int, default=2, help="removed (%(default)s)")
    parser.add_argument("--intents", type=float, default=0.25, help="share removed (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    parser.add_argument("--out", help="flat JSON of the metrics")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return run(arguments, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
