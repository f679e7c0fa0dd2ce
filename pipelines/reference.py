"""What the utterances of a log are held against for their isolation, on any Beam file system."""

import functools

import numpy as np

from discovery.isolation import reference_rows
from discovery.model import Model
from pipelines.models import load_model
from pipelines.shards import read_first_rows
from schemas.batches import vectors_from_arrow


def sample_log(vectors: str, shards: int, rows: int, model: Model) -> np.ndarray:
    """Take the first shards into the learned space: as ids are hashes, a random sample.

    Args:
        vectors: folder of the shards.
        shards: how many there are.
        rows: how many rows to take at most.
        model: whose space it is.

    Returns:
        (r, e) float16.
    """
    batches = read_first_rows(vectors, shards, rows, ["vector"])
    parts = [model.head.transform(vectors_from_arrow(b.column("vector"))) for b in batches]
    return np.concatenate(parts).astype(np.float16)


@functools.lru_cache(maxsize=2)
def load_reference(vectors: str, shards: int, model: str) -> np.ndarray:
    """Read the reference of a log and of the labelled utterances of a model, once a process.

    Args:
        vectors: folder of the log's shards.
        shards: how many there are.
        model: its folder.

    Returns:
        (r, e) float32, in the learned space; none where the model's distance is not scaled.
    """
    loaded = load_model(model)
    if not loaded.rules.scaled:
        return np.zeros((0, len(loaded.head.bias_out)), np.float32)
    known = np.flatnonzero(loaded.anchor_labels >= 0)
    rows, most = reference_rows(loaded.anchor_labels[known])
    anchors = loaded.head.transform(loaded.anchors[known[rows]]).astype(np.float16)
    log = sample_log(vectors, shards, most, loaded)
    return np.concatenate([log, anchors]).astype(np.float32)
