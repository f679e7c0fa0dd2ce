"""Record batches as they travel between workers, and ids that depend on content alone."""

import hashlib

import numpy as np
import pyarrow as pa


def utterance_id(normalized: str) -> str:
    """Return the id of a normalized text: BLAKE2b-128, 32 hex digits."""
    return hashlib.blake2b(normalized.encode(), digest_size=16).hexdigest()


def shard_of(utterance: str, shards: int) -> int:
    """Return the shard of an utterance id, 0 to shards - 1, by the top bits of its hash.

    Shards are ranges of ids, so rows sorted by (shard, id) are sorted by id.
    """
    return int(utterance[:8], 16) * shards >> 32


def content_id(*parts: bytes) -> str:
    """Return a short id (16 hex digits) of some content; parts are kept apart by their lengths."""
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def to_ipc(batch: pa.RecordBatch) -> bytes:
    """Serialize a batch as an Arrow IPC stream; a slice takes only its own rows along."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def from_ipc(data: bytes) -> pa.RecordBatch:
    """Read back the one batch of `to_ipc`."""
    with pa.ipc.open_stream(data) as reader:
        return reader.read_next_batch()


def vectors_to_arrow(vectors: np.ndarray) -> pa.FixedSizeListArray:
    """Wrap (n, d) vectors as n fixed-size lists of float16."""
    halves = np.ascontiguousarray(vectors, dtype=np.float16)
    kind = pa.list_(pa.field("element", pa.float16()), halves.shape[1])
    return pa.FixedSizeListArray.from_arrays(pa.array(halves.reshape(-1)), type=kind)


def vectors_from_arrow(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return n fixed-size lists of float16 as an (n, d) float16 array."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return column.flatten().to_numpy(zero_copy_only=False).reshape(-1, column.type.list_size)
