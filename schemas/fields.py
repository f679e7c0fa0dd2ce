"""Fields and types that the tables and the files between stages share.

Descriptions travel in the Parquet files: of a column in its field metadata, of a table in the
schema metadata, both under the key ``description``.
"""

import pyarrow as pa

# Float16 takes half the bytes of float32. Sums of it in float64 are exact up to 5e8 rows, so they
# do not depend on the order of addition.
VECTOR_TYPE = pa.float16()
# Parquet calls list items "element"; other names do not survive it.
ELEMENT = pa.field("element", VECTOR_TYPE)
STRINGS = pa.list_(pa.field("element", pa.string()))
# Many readers of Parquet know no float16, so published tables hold float32.
FLOATS = pa.list_(pa.field("element", pa.float32()))


def field(name: str, kind: pa.DataType, description: str, nullable: bool = False) -> pa.Field:
    """Return a field with a description."""
    return pa.field(name, kind, nullable=nullable, metadata={"description": description})


def schema(description: str, *fields: pa.Field) -> pa.Schema:
    """Return a schema with a description."""
    return pa.schema(list(fields), metadata={"description": description})


UTTERANCE_ID = field(
    "utterance_id",
    pa.string(),
    "BLAKE2b-128 hash of the normalized masked text, 32 hex digits; the same in every run.",
)
TEXT = field(
    "text",
    pa.string(),
    "The masked utterance. If it has several spellings, the one that sorts last.",
)
COUNT = field("count", pa.int64(), "Number of rows of the log with this text.")
ORIGINAL = field(
    "original",
    pa.string(),
    "The text as it stands in the input, before masking; null without --keep-original.",
    nullable=True,
)
