"""Compare the stage embed with the bare encoder, in float32 and bfloat16, on the same texts.

    python -m benchmarks.encoding --data FILE.parquet --rows 20000 --out RESULT.json

The bare encoder is one call of `SentenceTransformer.encode` on all texts. Each measurement runs in
a process of its own, and they take turns.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from advin.discovery.compute.precision import BF16, FP32
from advin.discovery.encoding.encoder import load_encoder
from advin.discovery.text.cleaning import normalize
from advin.discovery.text.config import TextConfig
from advin.pipelines import storage
from advin.pipelines.embed import Embed, EncoderSettings
from advin.pipelines.shards import Shard, WriteShards, read_shard, shards_for
from advin.pipelines.stages import Part
from advin.schemas.ids import utterance_id
from advin.schemas.manifest import MANIFEST, StageManifest
from advin.schemas.stage_files import INGEST
from benchmarks.common import Options, Results, load_utterances
from benchmarks.processes import measured

_THREADS = 2


def write_texts(folder: str, texts: list[str]) -> dict[str, float]:
    """Write shards of utterances like the stage ingest."""
    rows = [(utterance_id(t), (utterance_id(t), t, 1, None)) for t in texts]
    part = _part(folder)
    with beam.Pipeline("FnApiRunner") as pipeline:
        pipeline | beam.Create(rows) | WriteShards(part.folder, INGEST)
    manifest = StageManifest(
        part.stage, "", {part.name: storage.list_files(part.folder, ".parquet")}
    )
    storage.write_text(storage.join(part.stage, MANIFEST), manifest.to_json())
    return {}


def stage(folder: str, shards: int, precision: str) -> dict[str, float]:
    """Run the stage embed on the in-process engine."""
    target = tempfile.mkdtemp()
    with beam.Pipeline("FnApiRunner") as pipeline:
        settings = EncoderSettings(None, _THREADS, precision, TextConfig().piece_words)
        pipeline | Embed(_part(folder), target, settings)
    return {}


def _part(folder: str) -> Part:
    return Part(*os.path.split(folder))


def bare(folder: str, shards: int, precision: str) -> dict[str, float]:
    """Encode the same texts with one call."""
    texts = _texts(folder, shards)
    load_encoder(None, _THREADS, precision).encode(texts)
    return {}


def least_cosine(folder: str, shards: int) -> dict[str, float]:
    """Compare bfloat16 vectors with float32 ones, and measure file sizes of four encodings."""
    texts = _texts(folder, shards)
    full, half = (load_encoder(None, _THREADS, p).encode(texts) for p in (FP32, BF16))
    found = {"least cosine": 100 * float((full * half).sum(axis=1).min())}
    for name, values, split in (
        ("float32", full, False),
        ("float32, split", full, True),
        ("float16", half.astype(np.float16), False),
        ("float16, split", half.astype(np.float16), True),
    ):
        flat = pa.array(np.ascontiguousarray(values).reshape(-1))
        column = pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
        sink = pa.BufferOutputStream()
        splits = ["vector.list.element"] if split else False
        pq.write_table(
            pa.table({"vector": column}), sink, compression="zstd", use_dictionary=False,
            use_byte_stream_split=splits,
        )  # fmt: skip
        found[f"bytes a vector, {name}"] = sink.getvalue().size / len(texts)
    return found


def _texts(folder: str, shards: int) -> list[str]:
    batches = [read_shard(folder, Shard(n, shards), ["text"]) for n in range(shards)]
    return [t for b in batches for t in b.column("text").to_pylist()]


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, metavar="FILE.parquet")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, metavar="RESULT.json")
    given = parser.parse_args()
    texts = sorted({normalize(str(t)) for t in load_utterances(given.data).texts} - {""})
    texts = list(np.random.default_rng(0).permutation(texts)[: given.rows].tolist())
    results = Results(Options(data=(), known=(), seeds=given.repeats, out=given.out))
    name = f"{given.data.parent.name}, {len(texts):,} texts"
    with tempfile.TemporaryDirectory() as folder:
        measured(write_texts, folder, texts)
        shards = shards_for(len(texts))
        for _ in range(given.repeats):
            for precision in (FP32, BF16):
                for function in (bare, stage):
                    found = measured(function, folder, shards, precision)
                    found["texts per CPU second"] = len(texts) / found["CPU seconds"]
                    key = (name, 0.0, f"{function.__name__} {precision}")
                    results.add(key, found, found["seconds"])
        found = measured(least_cosine, folder, shards)
        results.add((name, 0.0, "vectors"), found, found["seconds"])
    results.finish()
    return 0


if __name__ == "__main__":
    sys.exit(main())
