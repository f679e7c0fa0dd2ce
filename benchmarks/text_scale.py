"""Whole runs on real text, compared with BERTopic's default pipeline, each in a process of its own.

Neither gets labels. If the data have labels, both are scored with them. Utterances without an
intent count as one cluster.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.metrics import adjusted_rand_score

from advin.discovery.compute.precision import FP32
from advin.discovery.encoding.encoder import load_encoder
from advin.discovery.text.cleaning import normalize
from benchmarks.common import Results
from benchmarks.processes import measured

_FIT, _EMBED = "fit", "embed"


def draw_texts(files: Sequence[Path], rows: int) -> pa.Table:
    """Return `rows` distinct texts of all files, in the order of their hash, with their intents.

    An intent is named by its domain and its name. It is null for a text without one.
    """
    found: dict[str, str | None] = {}
    for path in files:
        table = pq.read_table(path)
        given = [c for c in ("text", "domain", "intent") if c in table.schema.names]
        for text, *labels in zip(*(table[c].to_pylist() for c in given), strict=True):
            key = normalize(text or "")
            if key and found.get(key) is None:
                intent = labels[-1] if labels else None
                found[key] = f"{path.parent.name}/{'/'.join(map(str, labels))}" if intent else None
    chosen = sorted(found, key=lambda t: hashlib.sha256(t.encode()).digest())[:rows]
    return pa.table({"text": chosen, "intent": pa.array([found[t] for t in chosen], pa.string())})


def advin(folder: Path, at_most: int) -> dict[str, float]:
    """Run `advin discover` without labels."""
    from advin.runners.cli import main

    out = folder / "run"
    arguments = ["discover", "--input", str(folder / "texts.parquet"), "--output", str(out)]
    if main([*arguments, "--max-linked", str(at_most)]):
        raise RuntimeError("advin discover failed")
    manifest = json.loads((out / "manifest.json").read_text())
    seconds = {name: stage["seconds"] for name, stage in manifest["stages"].items()}
    rows = pq.read_table(out / "assignments").to_pydict()
    intent_of = dict(zip(rows["text"], rows["intent_id"], strict=True))
    given = pq.read_table(folder / "texts.parquet")["text"].to_pylist()
    labels = [intent_of[t] or "" for t in given]
    return {
        "encoder seconds": seconds[_EMBED],
        "fit seconds": seconds[_FIT],
        "rounds": sum(name.startswith("link_") for name in seconds),
        "Beam seconds": _overhead(manifest),
    } | _quality(folder, np.unique(labels, return_inverse=True)[1] - ("" in labels))


def _overhead(manifest: dict) -> float:
    """Return the seconds of the stage embed in which the encoder did not run."""
    stage = manifest["stages"][_EMBED]
    return stage["seconds"] - stage["counters"]["encoder_msecs"] / 1000


def bertopic(folder: Path, at_most: int) -> dict[str, float]:
    """Run BERTopic with its defaults on the vectors of the same encoder."""
    from bertopic import BERTopic

    texts = pq.read_table(folder / "texts.parquet")["text"].to_pylist()
    start = time.monotonic()
    vectors = load_encoder(None, 2, FP32).encode(texts)
    seconds = time.monotonic() - start
    topics, _ = BERTopic().fit_transform(texts, embeddings=vectors)
    return {"encoder seconds": seconds} | _quality(folder, np.array(topics))


def _quality(folder: Path, labels: np.ndarray) -> dict[str, float]:
    intents = np.array(
        [i or "" for i in pq.read_table(folder / "texts.parquet")["intent"].to_pylist()]
    )
    has = intents != ""
    found = {
        "clusters": len(np.unique(labels[labels >= 0])),
        "in none": 100 * float(np.mean(labels < 0)),
        "labeled": int(has.sum()),
    }
    if has.any():
        found["ARI"] = 100 * adjusted_rand_score(intents[has], labels[has])
    return found


METHODS = {"advin": advin, "bertopic": bertopic}


def measure_texts(
    folder: Path, files: Sequence[Path], rows: int, at_most: int, results: Results
) -> None:
    """Draw the texts, run both tools and add the results."""
    texts = draw_texts(files, rows)
    pq.write_table(texts, folder / "texts.parquet")
    name = f"{'+'.join(f.parent.name for f in files)}, {len(texts):,} texts"
    for method, function in METHODS.items():
        found = measured(function, folder, at_most)
        found["seconds without encoder"] = found["seconds"] - found["encoder seconds"]
        results.add((name, 0.0, method), found, found["seconds"])
        print(method, {k: round(v, 2) for k, v in found.items()}, flush=True)
