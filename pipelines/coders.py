"""How record batches cross from worker to worker.

Beam's fallback coder pickles a batch, and a pickled Arrow slice drags its whole parent buffer
along. Importing this module registers an Arrow IPC coder instead.
"""

import pyarrow as pa
from apache_beam import coders

from advin.schemas.batches import from_ipc, to_ipc


class RecordBatchCoder(coders.Coder):
    """Encodes a `pa.RecordBatch` as an Arrow IPC stream."""

    def encode(self, value: pa.RecordBatch) -> bytes:
        """Serialize one batch, without what it is a slice of."""
        return to_ipc(value)

    def decode(self, encoded: bytes) -> pa.RecordBatch:
        """Read one batch back."""
        return from_ipc(encoded)

    def is_deterministic(self) -> bool:
        """Batches are values, never keys."""
        return False

    def estimate_size(self, value: pa.RecordBatch) -> int:
        """Bytes of the batch's own rows."""
        return value.nbytes


coders.registry.register_coder(pa.RecordBatch, RecordBatchCoder)
