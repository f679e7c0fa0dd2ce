"""How fast rows of clean files are read, compared with another checkout and with pandas or Arrow.

    python -m benchmarks.reading --other ../advin-before --rows 300000 --encoded 2000

Writes one file in each format, with an id and a label beside each text. Each checkout reads each
file in a process of its own, in turns. The table shows the best of all turns, because other work
on the machine can only slow a turn down. A ratio above 1 means that this checkout is faster.

The last line shows which share of ingest and embed is spent on masking and on languages, for
texts of clinc150 on one thread. Word lists are loaded before the clock starts.
"""

import argparse
import csv
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from advin.discovery.encoding.encoder import load_encoder
from advin.discovery.text.config import LanguageConfig, MaskingConfig
from advin.discovery.text.language import detect, log_languages
from advin.discovery.text.preparation import prepare
from benchmarks.common import DATA

ROOT = Path(__file__).parent.parent
# Texts that are masked and encoded before the clock starts.
WARM_UP = 500
FORMATS = ("jsonl", "csv", "parquet", "txt")
WORDS = "where is my parcel please cancel the order refund, card was stolen yesterday café".split()
# Reads a file and prints (seconds, rows); the modules moved between versions.
READ = """
import sys, time
try:
    from advin.pipelines.reading.columns import Columns
    from advin.pipelines.reading.inputs import find_input
    from advin.pipelines.reading.read import read_piece, split_file
except ImportError:
    from advin.pipelines.inputs import Columns, find_input
    from advin.pipelines.readers import read_piece, split_file
start = time.perf_counter()
rows = 0
for file in find_input(sys.argv[1], Columns(), "--input"):
    for piece in split_file(file):
        for row in read_piece(piece, Columns()):
            rows += row.problem is None
print(time.perf_counter() - start, rows)
"""


def write_files(folder: Path, rows: int) -> None:
    """Write the same utterances in each format, with an id and a label beside each."""
    draw = random.Random(0)
    texts = [" ".join(draw.choices(WORDS, k=draw.randint(3, 15))) for _ in range(rows)]
    table = {"id": list(map(str, range(rows))), "text": texts, "label": ["parcel"] * rows}
    pq.write_table(pa.table(table), folder / "log.parquet")
    (folder / "log.txt").write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    lines = (dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True))
    with open(folder / "log.jsonl", "w", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    with open(folder / "log.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))


def seconds_of(checkout: Path, path: Path, rows: int) -> float:
    """Return how long a checkout takes to read a file, in a process of its own."""
    command = [sys.executable, "-c", READ, str(path)]
    environment = {"PYTHONPATH": str(checkout), "PATH": "/usr/bin"}
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, check=True)
    seconds, found = done.stdout.split()
    if int(found) != rows:
        raise RuntimeError(f"{checkout} read {int(found)} of {rows} rows of {path.name}")
    return float(seconds)


def library_seconds(path: Path) -> float:
    """Return how long pandas or Arrow takes to read a file into columns."""
    start = time.perf_counter()
    match path.suffix:
        case ".jsonl":
            pd.read_json(path, lines=True)
        case ".csv":
            pd.read_csv(path)
        case ".parquet":
            pq.read_table(path)
        case _:
            path.read_text(encoding="utf-8").splitlines()
    return time.perf_counter() - start


def checks_share(rows: int, seconds_per_row: float) -> str:
    """Return the share of masking and language checks in the time of ingest and embed.

    Args:
        rows: number of texts.
        seconds_per_row: time to read a row without masking.
    """
    texts = pq.read_table(DATA / "clinc150/utterances.parquet")["text"].to_pylist()
    texts = random.Random(0).sample(sorted({*texts}), rows + WARM_UP)
    encoder = load_encoder(None, threads=1)
    for _ in map(prepare, texts[rows:], [MaskingConfig()] * WARM_UP):
        pass
    encoder.encode(texts[rows:])
    detect(texts[rows:])
    texts = texts[:rows]
    clock = [time.perf_counter()]
    plain = [prepare(text, MaskingConfig(off=("all",))).text for text in texts]
    clock.append(time.perf_counter())
    masked = [prepare(text, MaskingConfig()).text for text in texts]
    clock.append(time.perf_counter())
    detect(masked, log_languages(masked, LanguageConfig()))
    clock.append(time.perf_counter())
    encoder.encode(plain)
    clock.append(time.perf_counter())
    off, on, languages, encoding = (b - a for a, b in itertools.pairwise(clock))
    checks = max(0, on - off) + languages
    share = checks / (seconds_per_row * rows + off + checks + encoding)
    return (
        f"masking {1e6 * on / rows:.0f} us, languages {1e6 * languages / rows:.0f} us,"
        f" encoding {1e6 * encoding / rows:.0f} us a text; masking and languages {share:.1%}"
    )


def main() -> None:
    """Print a row for each format, and the share of masking and languages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--other", type=Path, default=ROOT, help="another checkout of advin")
    parser.add_argument("--encoded", type=int, default=2000, help="texts to mask and to encode")
    flags = parser.parse_args()
    print("format  seconds  other  ratio  pandas or Arrow")
    slowest = 0.0
    with tempfile.TemporaryDirectory() as name:
        write_files(Path(name), flags.rows)
        for suffix in FORMATS:
            path = Path(name) / f"log.{suffix}"
            turns = [
                (
                    seconds_of(ROOT, path, flags.rows),
                    seconds_of(flags.other.resolve(), path, flags.rows),
                    library_seconds(path),
                )
                for _ in range(flags.turns)
            ]
            here, other, library = (min(column) for column in zip(*turns, strict=True))
            slowest = max(slowest, here / flags.rows)
            print(f"{suffix:7} {here:7.2f} {other:6.2f} {other / here:6.2f} {library:8.2f}")
    print(checks_share(flags.encoded, slowest))


if __name__ == "__main__":
    main()
