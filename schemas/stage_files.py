"""An Arrow schema for each file between stages, named after the stage that writes it.

Files with the same number hold the same utterances in the same order.
"""

import pyarrow as pa

from advin.schemas.fields import (
    COUNT,
    ELEMENT,
    FLOATS,
    ORIGINAL,
    TEXT,
    UTTERANCE_ID,
    field,
    schema,
)
from advin.schemas.tables import ASSIGNMENTS, INTENTS

INGEST = schema(
    "Stage ingest: distinct utterances of the log.", UTTERANCE_ID, TEXT, COUNT, ORIGINAL
)

INGEST_LABELED = schema(
    "Stage ingest: labeled utterances.",
    UTTERANCE_ID,
    TEXT,
    COUNT,
    field("intent", pa.string(), "Label of the utterance."),
    field("domain", pa.string(), "Domain of that intent; null if it has none.", nullable=True),
)

# The columns of the files of rows that every run has. The columns of the log follow, as c0, c1, …
INGEST_ROWS = schema(
    "Stage ingest: rows of a piece of a file of the log, in their order.",
    field("source", pa.string(), "The input file."),
    field("position", pa.int64(), "As in the table rows."),
    field("utterance_id", pa.binary(16), "The 16 bytes of the utterance's id."),
    field("is_other", pa.bool_(), "True if another speaker than those of --speaker says it."),
)


def embed_schema(dimension: int) -> pa.Schema:
    """Return the schema of embedded utterances.

    Args:
        dimension: length of a vector.
    """
    return schema(
        "Stage embed: a unit vector for each utterance.",
        UTTERANCE_ID,
        field(
            "vector",
            pa.list_(ELEMENT, dimension),
            "The sentence vector, followed by the mean of a middle layer of the encoder.",
        ),
    )


SCORE = schema(
    "Stage score: each utterance compared with the known intents.",
    UTTERANCE_ID,
    *(ASSIGNMENTS.field(n) for n in ("known_intent", "known_intent_probability", "novelty_score")),
    field(
        "conversational",
        pa.string(),
        "Category of an utterance that carries no request, else null; it becomes the reason.",
        nullable=True,
    ),
)

ASSIGN = schema(
    "Stage assign: the cluster and the leaf of each utterance, and the intents nearest to it. "
    "Leaves are the clusters, followed by the parts of novel intents.",
    UTTERANCE_ID,
    field("intent", pa.int32(), "Position of the cluster among the stage cluster's; -1 for none."),
    field(
        "distance",
        pa.float32(),
        "1 - cosine to the cluster's centroid; without a cluster, to the nearest intent.",
    ),
    field("nearest", pa.list_(pa.field("element", pa.int32())), "Positions of nearest intents."),
    field("distances", FLOATS, "Their distances, 1 - cosine."),
    field("leaf", pa.int32(), "Position of its leaf; -1 for none."),
    field(
        "leaf_distance",
        pa.float32(),
        "1 - cosine to the leaf's centroid; without a leaf, to the nearest leaf of an intent.",
    ),
    field(
        "nearest_leaves",
        pa.list_(pa.field("element", pa.int32())),
        "Positions of the nearest leaves of intents.",
    ),
    field("leaf_distances", FLOATS, "Their distances, 1 - cosine."),
)


def link_clusters_schema(dimension: int) -> pa.Schema:
    """Return the schema of clusters between rounds of linkage.

    Args:
        dimension: length of a mean vector.
    """
    return schema(
        "Stage link: clusters of the log's utterances, sorted by id.",
        field("id", pa.string(), "The smallest utterance_id in the cluster."),
        field("mean", pa.list_(ELEMENT, dimension), "Mean vector in the learned space."),
        field(
            "weight",
            pa.int64(),
            "Sum over its distinct utterances of floor(log2 n) + 1, n being the utterance's count.",
        ),
        field("size", pa.int64(), "Number of distinct utterances."),
        field("log_odds", pa.float64(), "Sum of the utterances' log-odds of being known."),
        field("label_density", pa.float64(), "Sum of the densities of labels in known intents."),
        field("intent", pa.int64(), "Best known intent of its largest cluster; -1 without labels."),
    )


def link_cells_schema(dimension: int) -> pa.Schema:
    """Return the schema of the cells of a round of linkage.

    Args:
        dimension: length of a centroid.
    """
    return schema(
        "Stage link: cells of the learned space.",
        field(
            "centroid",
            pa.list_(pa.field("element", pa.float32()), dimension),
            "Center of the cell, a unit vector.",
        ),
        field("parts", pa.int64(), "Number of parts that the cell's clusters are split into."),
    )


def link_visitors_schema(dimension: int) -> pa.Schema:
    """Return the schema of clusters that visit other cells than their own.

    Args:
        dimension: length of a mean vector.
    """
    return schema(
        "Stage link: clusters that are compared with the clusters of another cell.",
        field("id", pa.string(), "Id of the cluster."),
        field("home", pa.int64(), "Number of the part that the cluster belongs to."),
        field("codes", pa.binary(dimension), "Mean vector as int8."),
        field("scale", pa.float32(), "Factor from the codes to the mean vector."),
    )


LINK_NEAREST = schema(
    "Stage link: similarity of the nearest cluster elsewhere; one row for each visit.",
    field("id", pa.string(), "Id of the cluster."),
    field("similarity", pa.float32(), "Mean cosine to the nearest cluster."),
)


LINK_MERGED = schema(
    "Stage link: clusters that were merged into others.",
    field("id", pa.string(), "Id of the cluster."),
    field("into", pa.string(), "Id of the cluster that it was merged into."),
)


def cluster_schema(dimension: int) -> pa.Schema:
    """Return the schema of the centroids that utterances are assigned to.

    Args:
        dimension: length of a centroid.
    """
    return schema(
        "Stage cluster: centroids that utterances are assigned to.",
        field("intent_id", pa.string(), "As in the table intents or dropped."),
        field("known_intent", pa.string(), "Label of a known intent, else null.", nullable=True),
        field(
            "kind",
            pa.int32(),
            "Position of the known intent in the model; -1 for a novel intent, -2 for junk, -3 for "
            "an unclear cluster, -4 for one that is too small.",
        ),
        INTENTS.field("radius"),
        field("log_odds", pa.float32(), "Log-odds of being known, for its utterances."),
        field("norm", pa.float32(), "Norm of the mean vector; the centroid is its direction."),
        field("auto", pa.float64(), "Distance up to which novel intents merge for the level auto."),
        field("coarse", pa.float64(), "The same for the level coarse."),
        field(
            "centroid",
            pa.list_(ELEMENT, dimension),
            "Centroid in the learned space, a unit vector.",
        ),
    )


def cluster_parts_schema(dimension: int) -> pa.Schema:
    """Return the schema of the parts that novel intents split into.

    Args:
        dimension: length of a centroid.
    """
    return schema(
        "Stage cluster: parts of novel intents at the level fine.",
        field("cluster", pa.int32(), "Position of the intent among the centroids."),
        field("centroid", pa.list_(ELEMENT, dimension), "Centroid of the part, a unit vector."),
    )


DESCRIBE_SIZES = schema(
    "Stage describe: the size of each leaf.",
    field("intent", pa.int32(), "Position of the leaf: a cluster or a part."),
    field("distinct_size", pa.int64(), "Number of distinct utterances."),
    field("size", pa.int64(), "Number of rows of the log."),
    field(
        "silhouette", pa.int64(), "Sum of the distinct utterances' silhouettes, in units of 2^-24."
    ),
)

DESCRIBE_DOCUMENTS = schema(
    "Stage describe: sampled utterances of each leaf, from which intents are named.",
    field("intent", pa.int32(), "Position of the leaf: a cluster or a part."),
    UTTERANCE_ID,
    TEXT,
    COUNT,
    field("vector", pa.binary(), "The encoder's unit vector: float16, little-endian."),
)
