"""A coder that sends record batches between workers.

Beam's default coder pickles a batch. A pickled Arrow slice contains the whole buffer it was cut
from. Importing this module registers a coder that uses Arrow IPC instead.
"""

import pyarrow as pa
from apache_beam import coders

from advin.schemas.batches import from_ipc, to_ipc


class RecordBatchCoder(coders.Coder):
    """Encodes a `pa.RecordBatch` as an Arrow IPC stream."""

    def encode(self, value: pa.RecordBatch) -> bytes:
        """Encode one batch. Of a slice only its own rows are encoded."""
        return to_ipc(value)

    def decode(self, encoded: bytes) -> pa.RecordBatch:
        """Decode one batch."""
        return from_ipc(encoded)

    def is_deterministic(self) -> bool:
        """Return False: batches are used as values, never as keys."""
        return False

    def estimate_size(self, value: pa.RecordBatch) -> int:
        """Return the bytes of the batch's own rows."""
        return value.nbytes


coders.registry.register_coder(pa.RecordBatch, RecordBatchCoder)
