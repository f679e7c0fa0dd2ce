"""Shared parts of the benchmarks: flags, data, vectors, known intents by seed, results.

A benchmark reads Parquet files with the columns text, intent, domain, split and is_oos. It returns
flat rows (data, known, method, metric, mean, std, seeds, seconds) as JSON and as a table.
"""

import argparse
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from advin.discovery.compute.precision import BF16, FP32, best_precision
from advin.discovery.encoding.encoder import Encoder, batches_by_length, load_encoder
from advin.discovery.encoding.identity import EncoderIdentity
from advin.discovery.encoding.texts import EmbeddedTexts
from advin.discovery.evaluation.measures import ari, contingency, hungarian_accuracy, nmi
from advin.discovery.text.cleaning import normalize
from advin.discovery.text.config import MaskingConfig
from advin.discovery.text.preparation import prepare

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
_OUT_OF_DOMAIN = Path(__file__).resolve().parents[1] / "examples" / "ood.txt"
TRAIN, DEV, TEST = "train", "dev", "test"
# HINT3 names its splits by their origin.
_SPLITS = {"labeled": TRAIN, "log": TEST}
OPEN = -1
_LIBRARIES = ("numpy", "torch", "scikit-learn", "scipy", "faiss-cpu", "sentence-transformers")
_TEST_PER_CENT = 25


@dataclass(frozen=True, slots=True)
class Options:
    """The flags of a benchmark.

    Attributes:
        data: Parquet files.
        known: shares of intents that are known, 0 to 1.
        seeds: number of repetitions, with seeds 0, 1, …
        out: JSON file for the results, or None.
        cache: folder for vectors, or None.
        encoder: hub id or folder; None for the default encoder.
        precision: precision of the encoder; None for the fastest one of this machine.
        distinct: keep one row of each normalized text, preferably a test row.
        methods: names of the methods to run; empty for all.
        effort: preset of the configuration.
    """

    data: tuple[Path, ...]
    known: tuple[float, ...]
    seeds: int = 10
    out: Path | None = None
    cache: Path | None = None
    encoder: str | None = None
    precision: str | None = None
    distinct: bool = False
    methods: tuple[str, ...] = ()
    effort: str = "full"

    def asked(self, methods: Iterable[str]) -> list[str]:
        """Return the methods to run: the chosen ones, or all if none was chosen."""
        return [m for m in methods if not self.methods or m in self.methods]


def parse_options(
    description: str,
    sets: Sequence[str],
    known: Sequence[float] = (0.25, 0.5, 0.75),
    arguments: Sequence[str] | None = None,
    methods: Sequence[str] = (),
    efforts: Sequence[str] = (),
) -> Options:
    """Parse the flags that all benchmarks share.

    Args:
        description: text for --help.
        sets: names of the default data sets.
        known: default shares of known intents.
        arguments: the flags; None for the command line.
        methods: names of all methods of the benchmark.
        efforts: presets for a flag --effort; without any, there is no such flag.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", action="append", type=_data_file, metavar="FILE.parquet",
        help=f"a data set, repeatable (default: {', '.join(sets)} in {os.path.relpath(DATA)})",
    )  # fmt: skip
    parser.add_argument("--known", nargs="+", type=_share, default=list(known), metavar="SHARE")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--out", type=Path, metavar="RESULT.json")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="folder to keep vectors in")
    parser.add_argument("--encoder", help="hub id or folder of a SentenceTransformer")
    parser.add_argument("--encoder-precision", choices=(FP32, BF16), help="(automatic)")
    parser.add_argument("--distinct", action="store_true", help="keep one row of each text")
    parser.add_argument(
        "--methods", nargs="+", default=[], choices=methods, metavar="NAME",
        help=f"some of {', '.join(methods)}" if methods else "this benchmark has one method",
    )  # fmt: skip
    parser.set_defaults(effort="full")
    if efforts:
        parser.add_argument("--effort", choices=efforts, help="preset (default: full)")
    found = parser.parse_args(arguments)
    if found.seeds < 1:
        parser.error(f"--seeds {found.seeds}: give at least 1")
    return Options(
        data=tuple(found.data or (_data_file(name) for name in sets)),
        known=tuple(found.known),
        seeds=found.seeds,
        out=found.out,
        cache=found.cache,
        encoder=found.encoder,
        precision=found.encoder_precision,
        distinct=found.distinct,
        methods=tuple(found.methods),
        effort=found.effort,
    )


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share between 0 and 1")
    return share


def _data_file(text: str) -> Path:
    """Find a Parquet file by its path, or a data set beside the repository by its name."""
    for path in (Path(text), DATA / text / "utterances.parquet", DATA / f"{text}.parquet"):
        if path.is_file():
            return path
    raise argparse.ArgumentTypeError(
        f"{text} is neither a Parquet file nor one of the sets in {os.path.relpath(DATA)}"
    )


@dataclass(frozen=True, slots=True)
class Utterances:
    """A data set.

    Attributes:
        name: name of the data set.
        texts: (n,) texts.
        intents: (n,) intents; "" for an utterance without one.
        domains: (n,) domains, or "".
        splits: (n,) TRAIN, DEV or TEST.
    """

    name: str
    texts: np.ndarray
    intents: np.ndarray
    domains: np.ndarray
    splits: np.ndarray

    def take(self, rows: np.ndarray) -> "Utterances":
        """Return some of the rows."""
        columns = (self.texts, self.intents, self.domains, self.splits)
        return Utterances(self.name, *(c[rows] for c in columns))

    @property
    def names(self) -> np.ndarray:
        """All intents, sorted."""
        return np.unique(self.intents[self.intents != ""])

    def known_intents(self, share: float, seed: int) -> np.ndarray:
        """Draw round(K × share) of the intents as TEXTOIR does; return them sorted."""
        names = self.names
        drawn = np.random.RandomState(seed).choice(names, round(len(names) * share), replace=False)
        return np.sort(drawn)

    def labels(self, known: np.ndarray) -> np.ndarray:
        """Return (n,) int64 indices into the sorted known intents, OPEN for all others."""
        at = np.searchsorted(known, self.intents)
        at = np.minimum(at, max(len(known) - 1, 0))
        same = known[at] == self.intents if len(known) else np.zeros(len(self.intents), bool)
        return np.where(same, at, OPEN).astype(np.int64)


def load_utterances(path: Path, distinct: bool = False, masked: bool = False) -> Utterances:
    """Read a data set. Without the splits train and test, the hash of each text decides.

    Args:
        path: a Parquet file.
        distinct: keep one row of each normalized text, preferably a test row.
        masked: prepare the texts as a run does.
    """
    table = pq.read_table(path)
    wanted = ["text", "intent", "domain", "split", "is_oos"]
    missing = sorted(set(wanted) - set(table.column_names))
    if missing:
        raise ValueError(f"{path} lacks {missing}: it has {table.column_names}, not {wanted}")
    text, intent, domain, split, oos = (table[c].to_pylist() for c in wanted)
    name = path.stem if path.stem != "utterances" else path.parent.name
    found = Utterances(
        name=name,
        texts=np.array([t or "" for t in text], object),
        intents=np.array(["" if o else i or "" for i, o in zip(intent, oos, strict=True)], object),
        domains=np.array([d or "" for d in domain], object),
        splits=np.array([_split(s or "") for s in split], object),
    )
    if not {TRAIN, TEST} <= set(found.splits):
        found.splits[:] = [_hashed_split(t) for t in found.texts]
    if masked:
        found = as_embedded(found)
    return found.take(distinct_rows(found)) if distinct else found


def as_embedded(utterances: Utterances) -> Utterances:
    """Return the same rows with the texts that a run embeds: clean and masked."""
    texts = [prepare(text, MaskingConfig()).text for text in utterances.texts]
    return replace(utterances, texts=np.array(texts, object))


def _split(name: str) -> str:
    """Return the split of a name: "oos_test" and "log" are test, "labeled" train, "valid" dev."""
    parts = {_SPLITS.get(part, part) for part in name.lower().split("_")}
    return TEST if TEST in parts else TRAIN if TRAIN in parts else DEV


def _hashed_split(text: str) -> str:
    number = int.from_bytes(hashlib.sha256(normalize(text).encode()).digest()[:8])
    return TEST if number % 100 < _TEST_PER_CENT else TRAIN


def distinct_rows(utterances: Utterances) -> np.ndarray:
    """Return the rows to keep: one of each normalized text, preferably a test row."""
    rank = {TEST: 0, DEV: 1, TRAIN: 2}
    order = np.argsort([rank[s] for s in utterances.splits], kind="stable")
    first: dict[str, int] = {}
    for row in order:
        first.setdefault(normalize(str(utterances.texts[row])), int(row))
    return np.array(sorted(first.values()), np.int64)


def _encoder(options: Options) -> Encoder:
    """Load the encoder that the flags choose."""
    return load_encoder(options.encoder, precision=options.precision)


def encoder_identity(options: Options) -> EncoderIdentity:
    """Return the identity of the encoder that the flags choose."""
    return EncoderIdentity.of(_encoder(options))


def encode_out_of_domain(options: Options) -> EmbeddedTexts:
    """Encode the out-of-domain texts of the sample."""
    texts = _OUT_OF_DOMAIN.read_text().splitlines()
    return EmbeddedTexts(texts, _encoder(options).encode(texts))


def encode(utterances: Utterances, options: Options) -> np.ndarray:
    """Return unit vectors (n, d) float16 of the texts, from the cache if possible."""
    return encode_texts(utterances.name, utterances.texts, options)


def encode_texts(name: str, texts: Sequence[str], options: Options) -> np.ndarray:
    """Return unit vectors (n, d) float16 of texts, from the cache if possible."""
    texts, inverse = np.unique(np.array(texts, str), return_inverse=True)
    encoder = _encoder(options)
    kept = None
    if options.cache is not None:
        content = hashlib.sha256("\0".join(texts).encode()).hexdigest()
        kept = options.cache / f"{name}-{encoder.digest[:12]}-{content[:12]}.npy"
        if kept.exists():
            return np.load(kept)[inverse]
    vectors = np.empty((len(texts), encoder.dimension), np.float16)
    for rows in batches_by_length(texts, texts):
        vectors[rows] = encoder.encode([str(t) for t in texts[rows]])
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.save(kept, vectors)
    return vectors[inverse]


def view_encoder(options: Options) -> Callable[[list[str]], np.ndarray]:
    """Return a function that encodes views and remembers texts: seeds share most of them."""
    encoder = _encoder(options)
    kept: dict[str, np.ndarray] = {}

    def encode_once(texts: list[str]) -> np.ndarray:
        missing = [text for text in texts if text not in kept]
        kept.update(zip(missing, encoder.encode(missing).astype(np.float16), strict=True))
        return np.stack([kept[text] for text in texts])

    return encode_once


def clustering_scores(truth: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """Return NMI, ARI and ACC of found clusters (n,) against true intents (n,), in per cent."""
    pairs = contingency(truth, found)
    scores = {"NMI": nmi(pairs), "ARI": ari(pairs), "ACC": hungarian_accuracy(pairs)}
    return {name: 100 * value for name, value in scores.items()}


@dataclass(slots=True)
class Results:
    """Measurements of all seeds, and the flat rows that summarize them."""

    options: Options
    _values: defaultdict = field(default_factory=functools.partial(defaultdict, list))

    def add(self, key: tuple[str, float, str], metrics: Mapping[str, float], seconds: float):
        """Add the metrics of one seed; the key is data, known share, method.

        The file is written each time, so an interrupted run keeps its measurements.
        """
        for metric, value in metrics.items():
            self._values[(*key, metric)].append((float(value), seconds))
        if self.options.out is not None:
            self._write(self.options.out)

    def rows(self) -> list[dict]:
        """Return one row for each data set, known share, method and metric."""
        rows = []
        for (data, known, method, metric), measured in self._values.items():
            values, seconds = np.array(measured).T
            row = {"data": data, "known": known, "method": method, "metric": metric}
            row |= {"mean": round(float(values.mean()), 4), "std": round(float(values.std()), 4)}
            rows.append(row | {"seeds": len(values), "seconds": round(float(seconds.mean()), 2)})
        return rows

    def finish(self) -> None:
        """Print the table."""
        print(table(self.rows()), flush=True)

    def _write(self, out: Path) -> None:
        """Write the rows, the versions and the command."""
        options = asdict(self.options)
        options["precision"] = self.options.precision or best_precision()
        # The cache folder is a detail of one machine.
        flags = re.sub(r" --cache \S+", "", "".join(f" {a}" for a in sys.argv[1:]))
        result = {
            "command": f"python -m benchmarks.{Path(sys.argv[0]).stem}{flags}",
            "versions": versions(),
            "options": {
                k: options[k] for k in ("known", "seeds", "encoder", "precision", "distinct")
            },
            "results": self.rows(),
        }
        out.write_text(json.dumps(result, indent=1) + "\n")


def table(rows: Sequence[Mapping]) -> str:
    """Format rows as a Markdown table with one line for each (data, known, method)."""
    metrics = list(dict.fromkeys(r["metric"] for r in rows))
    lines: dict[tuple, dict] = defaultdict(dict)
    for row in rows:
        key = (row["data"], row["known"], row["method"])
        lines[key][row["metric"]] = f"{row['mean']:.1f} ± {row['std']:.1f}"
        lines[key]["seconds"] = f"{row['seconds']:.1f}"
    header = ["data", "known", "method", *metrics, "seconds"]
    body = [header, ["---"] * len(header)]
    for key, line in lines.items():
        body.append([*map(str, key), *(line.get(m, "") for m in header[3:])])
    return "\n".join("| " + " | ".join(line) + " |" for line in body)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries, and the machine."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for library in _LIBRARIES:
        found[library] = importlib.metadata.version(library)
    return found
