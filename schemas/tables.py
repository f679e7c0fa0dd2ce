"""One documented Arrow schema for every table that users read and every file between stages.

A column's description travels in its field metadata (key ``description``), a table's in the schema
metadata, so that they are in the Parquet files too.
"""

import pyarrow as pa

# Vectors are float16: half the bytes, and their float64 sums are exact up to 5e8 rows, hence the
# same in any order of addition.
VECTOR_TYPE = pa.float16()
# List items are named as Parquet names them, so that schemas survive it.
_ELEMENT = pa.field("element", VECTOR_TYPE)
_STRINGS = pa.list_(pa.field("element", pa.string()))


def _field(name: str, kind: pa.DataType, description: str, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"description": description})


def _schema(description: str, *fields: pa.Field) -> pa.Schema:
    return pa.schema(list(fields), metadata={"description": description})


_UTTERANCE_ID = _field(
    "utterance_id", pa.string(), "BLAKE2b-128 (hex) of the normalized text: the same on every run."
)
_TEXT = _field("text", pa.string(), "The utterance; of several spellings, the one that sorts last.")
_COUNT = _field("count", pa.int64(), "Rows of the log with this text.")

ASSIGNMENTS = _schema(
    "One row for each distinct utterance of the log.",
    _UTTERANCE_ID,
    _TEXT,
    _COUNT,
    _field(
        "known_intent",
        pa.string(),
        "The known intent that fits best, whether or not it fits well; null without labels.",
        nullable=True,
    ),
    _field(
        "known_intent_probability",
        pa.float32(),
        "Calibrated probability, 0 to 1, that the utterance belongs to known_intent.",
        nullable=True,
    ),
    _field(
        "novelty_score",
        pa.float32(),
        "How unlike all known intents the utterance is on its own; above 0 it is flagged.",
        nullable=True,
    ),
    _field(
        "is_novel",
        pa.bool_(),
        "The verdict: true in a novel intent, false in a known one; without an intent, whether "
        "the utterance alone is flagged. Null without labels and without an intent.",
        nullable=True,
    ),
    _field("intent_id", pa.string(), "Its intent in the table intents, or null: none.", True),
    _field(
        "intent_distance",
        pa.float32(),
        "1 - cosine to the nearest centroid in the learned space, 0 to 2, assigned or not.",
        nullable=True,
    ),
    _field("domain_id", pa.string(), "The domain of that intent in the table domains.", True),
)

INTENTS = _schema(
    "One row for each intent, known or novel.",
    _field(
        "intent_id", pa.string(), "Content-derived: k-… for a known intent, n-… for a novel one."
    ),
    _field("name", pa.string(), "A known intent's label; a novel one's name, from its utterances."),
    _field("is_novel", pa.bool_(), "Whether this intent was discovered."),
    _field("keywords", _STRINGS, "Most characteristic words first (class-based TF-IDF)."),
    _field("exemplars", _STRINGS, "The most central utterance, then a spread of others."),
    _field("size", pa.int64(), "Rows of the log in it."),
    _field("distinct_size", pa.int64(), "Distinct utterances in it."),
    _field(
        "cohesion",
        pa.float32(),
        "Mean cosine of its utterances to its centroid; null when none was assigned.",
        nullable=True,
    ),
    _field(
        "radius", pa.float32(), "Largest 1 - cosine to the centroid at which it takes utterances."
    ),
    _field(
        "nearest_known_intent",
        pa.string(),
        "The label of the nearest (other) known intent; null when there is none.",
        nullable=True,
    ),
    _field("domain_id", pa.string(), "Its domain; null for a known intent without one.", True),
    _field("centroid", pa.list_(_ELEMENT), "Unit vector in the learned space."),
)

DOMAINS = _schema(
    "One row for each domain, known or novel.",
    _field(
        "domain_id", pa.string(), "Content-derived: k-… for a known domain, n-… for a novel one."
    ),
    _field("name", pa.string(), "A known domain's label; a novel one's name, from its utterances."),
    _field("is_novel", pa.bool_(), "Whether this domain was discovered."),
    _field("keywords", _STRINGS, "Most characteristic words first."),
    _field("intents", _STRINGS, "The intent_id of its intents, largest first."),
    _field("size", pa.int64(), "Rows of the log in it."),
)

REJECTS = _schema(
    "One row for each row of the input that could not be used.",
    _field("source", pa.string(), "The input file."),
    _field(
        "position",
        pa.int64(),
        "Row number from 0 in Parquet and CSV/TSV; byte offset of the line in JSONL and text.",
    ),
    _field("stage", pa.string(), "The stage that rejected it."),
    _field("reason", pa.string(), "empty, null, invalid_utf8, oversized, not_text, malformed, …"),
    _field("payload", pa.string(), "The beginning of the row, unreadable bytes escaped."),
)

TABLES = {
    "assignments": ASSIGNMENTS,
    "intents": INTENTS,
    "domains": DOMAINS,
    "rejects": REJECTS,
}

# Between stages. Files of the same number hold the same utterances in the same order.

INGEST = _schema("Stage ingest: the log's distinct utterances.", _UTTERANCE_ID, _TEXT, _COUNT)

INGEST_LABELED = _schema(
    "Stage ingest: labeled utterances.",
    _UTTERANCE_ID,
    _TEXT,
    _COUNT,
    _field("intent", pa.string(), "Its known intent."),
    _field("domain", pa.string(), "The domain of that intent.", nullable=True),
)


def embed_schema(dimension: int) -> pa.Schema:
    """Return the schema of embedded utterances, whose vectors have the given length."""
    return _schema(
        "Stage embed: one unit vector for each utterance.",
        _UTTERANCE_ID,
        _field("vector", pa.list_(_ELEMENT, dimension), "Sentence vector, then the middle layer."),
    )


SCORE = _schema(
    "Stage score: each utterance held against the known intents.",
    _UTTERANCE_ID,
    *(ASSIGNMENTS.field(n) for n in ("known_intent", "known_intent_probability", "novelty_score")),
)

ASSIGN = _schema(
    "Stage assign: the intent of each utterance.",
    _UTTERANCE_ID,
    _field("intent", pa.int32(), "Index of its intent in the stage cluster, or -1: none."),
    ASSIGNMENTS.field("intent_distance"),
)


def link_clusters_schema(dimension: int) -> pa.Schema:
    """Return the schema of clusters between rounds of linkage."""
    return _schema(
        "Stages link_NN: clusters of the log's utterances, sorted by id.",
        _field("id", pa.string(), "The smallest utterance_id in it."),
        _field("mean", pa.list_(_ELEMENT, dimension), "Mean vector in the learned space."),
        _field("weight", pa.int64(), "Rows of the log."),
        _field("size", pa.int64(), "Distinct utterances."),
        _field("novelty", pa.float64(), "Sum of their novelty scores."),
        _field("kept", pa.int64(), "How many of them are not flagged as novel."),
    )


def link_cells_schema(dimension: int) -> pa.Schema:
    """Return the schema of the cells that a round of linkage shares out."""
    return _schema(
        "Stages link_NN: cells of the learned space.",
        _field("centroid", pa.list_(pa.field("element", pa.float32()), dimension), "Unit vector."),
        _field("parts", pa.int64(), "Into how many parts its clusters are dealt."),
    )


def link_visitors_schema(dimension: int) -> pa.Schema:
    """Return the schema of clusters that visit cells other than their own."""
    return _schema(
        "Stages link_NN: clusters that ask how near those of another cell are.",
        _field("id", pa.string(), "As of the cluster."),
        _field("home", pa.int64(), "Number of the part where it lives."),
        _field("codes", pa.binary(dimension), "Mean vector, as int8."),
        _field("scale", pa.float32(), "What the codes are to be multiplied by."),
    )


LINK_NEAREST = _schema(
    "Stages link_NN: how near the nearest cluster elsewhere is; one row for each visit.",
    _field("id", pa.string(), "As of the cluster."),
    _field("similarity", pa.float32(), "Mean cosine."),
)


LINK_MERGED = _schema(
    "Stages link_NN: the clusters that became part of others.",
    _field("id", pa.string(), "As of the cluster."),
    _field("into", pa.string(), "The id of what it became part of."),
)


def cluster_schema(dimension: int) -> pa.Schema:
    """Return the schema of the centroids that utterances are assigned to."""
    return _schema(
        "Stage cluster: what utterances are assigned to.",
        _field("intent_id", pa.string(), "As in the table intents."),
        _field("known_intent", pa.string(), "Its label, if it is known.", nullable=True),
        _field("kind", pa.int32(), "Index of the known intent; -1 novel; -2 out of domain (junk)."),
        INTENTS.field("radius"),
        _field("centroid", pa.list_(_ELEMENT, dimension), "Unit vector in the learned space."),
    )


DESCRIBE_SIZES = _schema(
    "Stage describe: how much of the log each intent holds.",
    _field("intent", pa.int32(), "Index of the intent in the stage cluster."),
    _field("distinct_size", pa.int64(), "Distinct utterances."),
    _field("size", pa.int64(), "Rows of the log."),
    _field("distance", pa.int64(), "Sum of 1 - cosine to the centroid, in units of 2^-24."),
)

DESCRIBE_DOCUMENTS = _schema(
    "Stage describe: utterances that an intent is named from.",
    _field("intent", pa.int32(), "Index of the intent in the stage cluster."),
    _UTTERANCE_ID,
    _TEXT,
    _COUNT,
    _field("vector", pa.binary(), "Unit vector of the encoder: float16, little-endian."),
)
