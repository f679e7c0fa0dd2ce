"""Record batches and vectors as they travel between workers."""

import numpy as np
import pyarrow as pa


def to_ipc(batch: pa.RecordBatch) -> bytes:
    """Return a batch as an Arrow IPC stream; of a slice, only its own rows."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def from_ipc(data: bytes) -> pa.RecordBatch:
    """Return the batch that `to_ipc` serialized."""
    with pa.ipc.open_stream(data) as reader:
        return reader.read_next_batch()


def vectors_to_arrow(vectors: np.ndarray) -> pa.FixedSizeListArray:
    """Return (n, d) vectors as n fixed-size lists of float16."""
    halves = np.ascontiguousarray(vectors, dtype=np.float16)
    kind = pa.list_(pa.field("element", pa.float16()), halves.shape[1])
    return pa.FixedSizeListArray.from_arrays(pa.array(halves.reshape(-1)), type=kind)


def vectors_from_arrow(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return n fixed-size lists of float16 as an (n, d) float16 array."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return column.flatten().to_numpy(zero_copy_only=False).reshape(-1, column.type.list_size)
