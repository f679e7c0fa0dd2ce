"""An Arrow schema for each table that users read and for each file between stages.

Descriptions travel in the Parquet files: of a column in its field metadata, of a table in the
schema metadata, both under the key ``description``.

Schemas of files between stages are named after the stage that writes them.
"""

import pyarrow as pa

from advin.schemas.verdicts import KINDS

# Float16 takes half the bytes of float32. Sums of it in float64 are exact up to 5e8 rows, so they
# do not depend on the order of addition.
VECTOR_TYPE = pa.float16()
# Parquet calls list items "element"; other names do not survive it.
_ELEMENT = pa.field("element", VECTOR_TYPE)
_STRINGS = pa.list_(pa.field("element", pa.string()))
# Many readers of Parquet know no float16, so published tables hold float32.
_FLOATS = pa.list_(pa.field("element", pa.float32()))


def _field(name: str, kind: pa.DataType, description: str, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"description": description})


def _schema(description: str, *fields: pa.Field) -> pa.Schema:
    return pa.schema(list(fields), metadata={"description": description})


_UTTERANCE_ID = _field(
    "utterance_id",
    pa.string(),
    "BLAKE2b-128 hash of the normalized masked text, 32 hex digits; the same in every run.",
)
_TEXT = _field(
    "text",
    pa.string(),
    "The masked utterance. If it has several spellings, the one that sorts last.",
)
_COUNT = _field("count", pa.int64(), "Number of rows of the log with this text.")
_ORIGINAL = _field(
    "original",
    pa.string(),
    "The text as it stands in the input, before masking; null without --keep-original.",
    nullable=True,
)

ASSIGNMENTS = _schema(
    "One row for each distinct utterance of the log.",
    _UTTERANCE_ID,
    _TEXT,
    _COUNT,
    _field(
        "known_intent",
        pa.string(),
        "The best known intent by stage I, even if it fits badly; null without labels, and for "
        "other speakers.",
        nullable=True,
    ),
    _field(
        "known_intent_probability",
        pa.float32(),
        "Calibrated probability, 0 to 1, that the utterance belongs to known_intent; null where "
        "known_intent is.",
        nullable=True,
    ),
    _field(
        "novelty_score",
        pa.float32(),
        "Dissimilarity to all known intents, in spreads of known utterances; above "
        "0 the utterance is flagged as novel. Null where known_intent is.",
        nullable=True,
    ),
    _field("kind", pa.string(), f"The verdict: {', '.join(KINDS)}."),
    _field("reason", pa.string(), "Why the utterance has its kind: one of the documented reasons."),
    _field(
        "intent_id",
        pa.string(),
        "The utterance's intent in the table intents; null if it has none.",
        nullable=True,
    ),
    _field(
        "intent_distance",
        pa.float32(),
        "1 - cosine to the centroid of its intent in the learned space, 0 to 2; without an "
        "intent, to the nearest one. Null for other speakers, and if the run has no intents.",
        nullable=True,
    ),
    _field(
        "domain_id",
        pa.string(),
        "The intent's domain in the table domains; null if it has none.",
        nullable=True,
    ),
    _field(
        "dropped_id",
        pa.string(),
        "The utterance's cluster in the table dropped; null if it is in no such cluster.",
        nullable=True,
    ),
    _field(
        "several_requests",
        pa.bool_(),
        "True if the text seems to hold several requests. It is assigned as a whole.",
    ),
    _field("nearest_intents", _STRINGS, "The intent_id of the nearest intents, nearest first."),
    _field("nearest_distances", _FLOATS, "The distances to nearest_intents, 1 - cosine."),
    _ORIGINAL,
)

INTENTS = _schema(
    "One row for each intent, known or novel.",
    _field(
        "intent_id",
        pa.string(),
        "Hash of the intent's content: k-… for a known intent, n-… for a novel one.",
    ),
    _field(
        "name",
        pa.string(),
        "The label of a known intent; for a novel intent, a name made from its utterances.",
    ),
    _field("kind", pa.string(), "known if the intent was labeled, novel if it was discovered."),
    _field(
        "keywords",
        _STRINGS,
        "Characteristic words by class-based TF-IDF, the most characteristic first.",
    ),
    _field(
        "exemplars",
        _STRINGS,
        "Typical utterances: the one most central in the encoder's space, then varied others.",
    ),
    _field("size", pa.int64(), "Number of rows of the log in the intent."),
    _field("distinct_size", pa.int64(), "Number of distinct utterances in the intent."),
    _field(
        "confidence",
        pa.float32(),
        "0 to 1; ranks intents by how likely they are real. It is no probability, but the mean "
        "silhouette times the coherence. Null if the intent has no utterances.",
        nullable=True,
    ),
    _field(
        "radius",
        pa.float32(),
        "Largest distance, 1 - cosine to the centroid, at which an utterance is near the intent. "
        "A known intent may also hold farther utterances.",
    ),
    _field(
        "nearest_known_intent",
        pa.string(),
        "Label of the nearest known intent, other than itself; null if there is none.",
        nullable=True,
    ),
    _field(
        "domain_id",
        pa.string(),
        "The intent's domain; null for a known intent that is labeled without a domain.",
        nullable=True,
    ),
    _field("centroid", _FLOATS, "Centroid in the learned space, a unit vector."),
    _field(
        "languages",
        _STRINGS,
        "ISO 639 codes of the languages of its utterances, by a sample, largest share first.",
    ),
    _field(
        "language_shares",
        _FLOATS,
        "Share of the sampled rows in each of the languages, above 0 and at most 1.",
    ),
)

DOMAINS = _schema(
    "One row for each domain, known or novel.",
    _field(
        "domain_id",
        pa.string(),
        "Hash of the domain's content: k-… for a known domain, n-… for a novel one.",
    ),
    _field(
        "name",
        pa.string(),
        "The label of a known domain; for a novel domain, a name made from its utterances.",
    ),
    _field("kind", pa.string(), "known if the domain was labeled, novel if it was discovered."),
    _field("keywords", _STRINGS, "Characteristic words, the most characteristic first."),
    _field("intents", _STRINGS, "The intent_id of each of its intents, the largest first."),
    _field("size", pa.int64(), "Number of rows of the log in the domain."),
)

DROPPED = _schema(
    "One row for each cluster that is no intent.",
    _field("dropped_id", pa.string(), "Hash of the cluster's content: d-…"),
    _field("reason", pa.string(), "Why the cluster is no intent; its utterances have this reason."),
    _field("size", pa.int64(), "Number of rows of the log in the cluster."),
    _field("distinct_size", pa.int64(), "Number of distinct utterances in the cluster."),
    _field("exemplars", _STRINGS, "Typical utterances: the most central one, then varied others."),
    INTENTS.field("nearest_known_intent"),
)

REJECTS = _schema(
    "One row for each row of the log that cannot be used.",
    _field("source", pa.string(), "The input file."),
    _field(
        "position",
        pa.int64(),
        "Row number from 0 in Parquet, CSV, TSV and XLSX; byte offset of the row in JSON, JSONL "
        "and text. Each further text of the same row is 2^40 higher.",
    ),
    _field("stage", pa.string(), "The stage that rejected the row."),
    _field(
        "reason",
        pa.string(),
        "Such as empty, null, invalid_utf8, oversized, not_text, malformed.",
    ),
    _field(
        "payload", pa.string(), "The beginning of the row, masked, with unreadable bytes escaped."
    ),
)

TABLES = {
    "assignments": ASSIGNMENTS,
    "intents": INTENTS,
    "domains": DOMAINS,
    "dropped": DROPPED,
    "rejects": REJECTS,
}

# Files between stages. Files with the same number hold the same utterances in the same order.

INGEST = _schema(
    "Stage ingest: distinct utterances of the log.", _UTTERANCE_ID, _TEXT, _COUNT, _ORIGINAL
)

INGEST_LABELED = _schema(
    "Stage ingest: labeled utterances.",
    _UTTERANCE_ID,
    _TEXT,
    _COUNT,
    _field("intent", pa.string(), "Label of the utterance."),
    _field("domain", pa.string(), "Domain of that intent; null if it has none.", nullable=True),
)


def embed_schema(dimension: int) -> pa.Schema:
    """Return the schema of embedded utterances.

    Args:
        dimension: length of a vector.
    """
    return _schema(
        "Stage embed: a unit vector for each utterance.",
        _UTTERANCE_ID,
        _field(
            "vector",
            pa.list_(_ELEMENT, dimension),
            "The sentence vector, followed by the mean of a middle layer of the encoder.",
        ),
    )


SCORE = _schema(
    "Stage score: each utterance compared with the known intents.",
    _UTTERANCE_ID,
    *(ASSIGNMENTS.field(n) for n in ("known_intent", "known_intent_probability", "novelty_score")),
    _field(
        "conversational",
        pa.string(),
        "Category of an utterance that carries no request, else null; it becomes the reason.",
        nullable=True,
    ),
)

ASSIGN = _schema(
    "Stage assign: the cluster of each utterance, and the intents nearest to it.",
    _UTTERANCE_ID,
    _field("intent", pa.int32(), "Position of the cluster among the stage cluster's; -1 for none."),
    _field(
        "distance",
        pa.float32(),
        "1 - cosine to the cluster's centroid; without a cluster, to the nearest intent.",
    ),
    _field("nearest", pa.list_(pa.field("element", pa.int32())), "Positions of nearest intents."),
    _field("distances", _FLOATS, "Their distances, 1 - cosine."),
)


def link_clusters_schema(dimension: int) -> pa.Schema:
    """Return the schema of clusters between rounds of linkage.

    Args:
        dimension: length of a mean vector.
    """
    return _schema(
        "Stage link: clusters of the log's utterances, sorted by id.",
        _field("id", pa.string(), "The smallest utterance_id in the cluster."),
        _field("mean", pa.list_(_ELEMENT, dimension), "Mean vector in the learned space."),
        _field(
            "weight",
            pa.int64(),
            "Sum over its distinct utterances of floor(log2 n) + 1, n being the utterance's count.",
        ),
        _field("size", pa.int64(), "Number of distinct utterances."),
        _field("log_odds", pa.float64(), "Sum of the utterances' log-odds of being known."),
        _field("label_density", pa.float64(), "Sum of the densities of labels in known intents."),
    )


def link_cells_schema(dimension: int) -> pa.Schema:
    """Return the schema of the cells of a round of linkage.

    Args:
        dimension: length of a centroid.
    """
    return _schema(
        "Stage link: cells of the learned space.",
        _field(
            "centroid",
            pa.list_(pa.field("element", pa.float32()), dimension),
            "Center of the cell, a unit vector.",
        ),
        _field("parts", pa.int64(), "Number of parts that the cell's clusters are split into."),
    )


def link_visitors_schema(dimension: int) -> pa.Schema:
    """Return the schema of clusters that visit other cells than their own.

    Args:
        dimension: length of a mean vector.
    """
    return _schema(
        "Stage link: clusters that are compared with the clusters of another cell.",
        _field("id", pa.string(), "Id of the cluster."),
        _field("home", pa.int64(), "Number of the part that the cluster belongs to."),
        _field("codes", pa.binary(dimension), "Mean vector as int8."),
        _field("scale", pa.float32(), "Factor from the codes to the mean vector."),
    )


LINK_NEAREST = _schema(
    "Stage link: similarity of the nearest cluster elsewhere; one row for each visit.",
    _field("id", pa.string(), "Id of the cluster."),
    _field("similarity", pa.float32(), "Mean cosine to the nearest cluster."),
)


LINK_MERGED = _schema(
    "Stage link: clusters that were merged into others.",
    _field("id", pa.string(), "Id of the cluster."),
    _field("into", pa.string(), "Id of the cluster that it was merged into."),
)


def cluster_schema(dimension: int) -> pa.Schema:
    """Return the schema of the centroids that utterances are assigned to.

    Args:
        dimension: length of a centroid.
    """
    return _schema(
        "Stage cluster: centroids that utterances are assigned to.",
        _field("intent_id", pa.string(), "As in the table intents or dropped."),
        _field("known_intent", pa.string(), "Label of a known intent, else null.", nullable=True),
        _field(
            "kind",
            pa.int32(),
            "Position of the known intent in the model; -1 for a novel intent, -2 for junk, -3 for "
            "an unclear cluster, -4 for one that is too small.",
        ),
        INTENTS.field("radius"),
        _field("log_odds", pa.float32(), "Log-odds of being known, for its utterances."),
        _field(
            "centroid",
            pa.list_(_ELEMENT, dimension),
            "Centroid in the learned space, a unit vector.",
        ),
    )


DESCRIBE_SIZES = _schema(
    "Stage describe: the size of each intent.",
    _field("intent", pa.int32(), "Position of the intent among the stage cluster's."),
    _field("distinct_size", pa.int64(), "Number of distinct utterances."),
    _field("size", pa.int64(), "Number of rows of the log."),
    _field(
        "silhouette", pa.int64(), "Sum of the distinct utterances' silhouettes, in units of 2^-24."
    ),
)

DESCRIBE_DOCUMENTS = _schema(
    "Stage describe: sampled utterances, from which an intent is named.",
    _field("intent", pa.int32(), "Position of the intent among the stage cluster's."),
    _UTTERANCE_ID,
    _TEXT,
    _COUNT,
    _field("vector", pa.binary(), "The encoder's unit vector: float16, little-endian."),
)
