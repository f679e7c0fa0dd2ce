"""An Arrow schema for each table that users read."""

import pyarrow as pa

from advin.schemas.fields import (
    COUNT,
    FLOATS,
    ORIGINAL,
    STRINGS,
    TEXT,
    UTTERANCE_ID,
    field,
    schema,
)
from advin.schemas.verdicts import KINDS

ASSIGNMENTS = schema(
    "One row for each distinct utterance of the log.",
    UTTERANCE_ID,
    TEXT,
    COUNT,
    field(
        "known_intent",
        pa.string(),
        "The best known intent by stage I, even if it fits badly; null without labels, and for "
        "other speakers.",
        nullable=True,
    ),
    field(
        "known_intent_probability",
        pa.float32(),
        "Calibrated probability, 0 to 1, that the utterance belongs to known_intent; null where "
        "known_intent is.",
        nullable=True,
    ),
    field(
        "novelty_score",
        pa.float32(),
        "Dissimilarity to all known intents, in spreads of known utterances; above "
        "0 the utterance is flagged as novel. Null where known_intent is.",
        nullable=True,
    ),
    field("kind", pa.string(), f"The verdict: {', '.join(KINDS)}."),
    field("reason", pa.string(), "Why the utterance has its kind: one of the documented reasons."),
    field(
        "intent_id",
        pa.string(),
        "The utterance's intent in the table intents; null if it has none.",
        nullable=True,
    ),
    field(
        "fine_intent_id",
        pa.string(),
        "The utterance's intent in the table levels, at the level fine; null if it has no novel "
        "intent.",
        nullable=True,
    ),
    field(
        "intent_distance",
        pa.float32(),
        "1 - cosine to the centroid of its intent in the learned space, 0 to 2; without an "
        "intent, to the nearest one. If several intents were merged into its intent, to the "
        "centroid of the nearest of them. Null for other speakers, and if the run has no intents.",
        nullable=True,
    ),
    field(
        "domain_id",
        pa.string(),
        "The intent's domain in the table domains; null if it has none.",
        nullable=True,
    ),
    field(
        "dropped_id",
        pa.string(),
        "The utterance's cluster in the table dropped; null if it is in no such cluster.",
        nullable=True,
    ),
    field(
        "several_requests",
        pa.bool_(),
        "True if the text seems to hold several requests. It is assigned as a whole.",
    ),
    field("nearest_intents", STRINGS, "The intent_id of the nearest intents, nearest first."),
    field("nearest_distances", FLOATS, "The distances to nearest_intents, 1 - cosine."),
    ORIGINAL,
)

INTENTS = schema(
    "One row for each intent, known or novel.",
    field(
        "intent_id",
        pa.string(),
        "Hash of the intent's content: k-… for a known intent, n-… for a novel one.",
    ),
    field(
        "name",
        pa.string(),
        "The label of a known intent; for a novel intent, a name made from its utterances.",
    ),
    field("kind", pa.string(), "known if the intent was labeled, novel if it was discovered."),
    field(
        "keywords",
        STRINGS,
        "Characteristic words by class-based TF-IDF, the most characteristic first.",
    ),
    field(
        "exemplars",
        STRINGS,
        "Typical utterances: the one most central in the encoder's space, then varied others.",
    ),
    field("size", pa.int64(), "Number of rows of the log in the intent."),
    field("distinct_size", pa.int64(), "Number of distinct utterances in the intent."),
    field(
        "confidence",
        pa.float32(),
        "0 to 1; ranks intents by how likely they are real. It is no probability, but the mean "
        "silhouette times the coherence. Null if the intent has no utterances.",
        nullable=True,
    ),
    field(
        "stability",
        pa.float32(),
        "0 to 1; how much of a novel intent returns when half of a sample of the utterances is "
        "clustered again in other learned spaces: the mean of the best Jaccard overlaps. Null for "
        "a known intent, and if the model has fewer than two such spaces.",
        nullable=True,
    ),
    field(
        "radius",
        pa.float32(),
        "Largest distance, 1 - cosine to the centroid, at which an utterance is near the intent. "
        "If the intent was merged or split, the centroid is that of the intent at the level auto. "
        "A known intent may also hold farther utterances.",
    ),
    field(
        "nearest_known_intent",
        pa.string(),
        "Label of the nearest known intent, other than itself; null if there is none.",
        nullable=True,
    ),
    field(
        "domain_id",
        pa.string(),
        "The intent's domain; null for a known intent that is labeled without a domain.",
        nullable=True,
    ),
    field(
        "parent_intent",
        pa.string(),
        "The intent in the table levels, at the next coarser level, that contains this novel "
        "intent; null for a known intent, and if the intent is at the level coarse.",
        nullable=True,
    ),
    field("centroid", FLOATS, "Centroid in the learned space, a unit vector."),
    field(
        "languages",
        STRINGS,
        "ISO 639 codes of the languages of its utterances, by a sample, largest share first.",
    ),
    field(
        "language_shares",
        FLOATS,
        "Share of the sampled rows in each of the languages, above 0 and at most 1.",
    ),
)

DOMAINS = schema(
    "One row for each domain, known or novel.",
    field(
        "domain_id",
        pa.string(),
        "Hash of the domain's content: k-… for a known domain, n-… for a novel one.",
    ),
    field(
        "name",
        pa.string(),
        "The label of a known domain; for a novel domain, a name made from its utterances.",
    ),
    field("kind", pa.string(), "known if the domain was labeled, novel if it was discovered."),
    field("keywords", STRINGS, "Characteristic words, the most characteristic first."),
    field("intents", STRINGS, "The intent_id of each of its intents, the largest first."),
    field("size", pa.int64(), "Number of rows of the log in the domain."),
)

DROPPED = schema(
    "One row for each cluster that is no intent.",
    field("dropped_id", pa.string(), "Hash of the cluster's content: d-…"),
    field("reason", pa.string(), "Why the cluster is no intent; its utterances have this reason."),
    field("size", pa.int64(), "Number of rows of the log in the cluster."),
    field("distinct_size", pa.int64(), "Number of distinct utterances in the cluster."),
    field("exemplars", STRINGS, "Typical utterances: the most central one, then varied others."),
    field(
        "nearest_known_intent",
        pa.string(),
        "Label of the nearest known intent; null if there is none.",
        nullable=True,
    ),
)

LEVELS = schema(
    "One row for each novel intent at each of three levels: coarse, auto and fine.",
    field("level", pa.string(), "coarse, auto or fine. The table intents holds one level."),
    field(
        "intent_id",
        pa.string(),
        "Hash of the intent's content: n-…. An intent that is the same at two levels has one id.",
    ),
    field(
        "parent_id",
        pa.string(),
        "The intent_id of the intent at the next coarser level that contains it; null at the level "
        "coarse.",
        nullable=True,
    ),
    field("name", pa.string(), "A name made from the utterances of the intent."),
    *(INTENTS.field(name) for name in ("keywords", "exemplars", "size", "distinct_size")),
    INTENTS.field("stability"),
)

REJECTS = schema(
    "One row for each row of the log that cannot be used.",
    field("source", pa.string(), "The input file."),
    field(
        "position",
        pa.int64(),
        "Row number from 0 in Parquet, CSV, TSV and XLSX; byte offset of the row in JSON, JSONL "
        "and text. Each further text of the same row is 2^40 higher.",
    ),
    field("stage", pa.string(), "The stage that rejected the row."),
    field(
        "reason",
        pa.string(),
        "Such as empty, null, invalid_utf8, oversized, not_text, malformed.",
    ),
    field(
        "payload", pa.string(), "The beginning of the row, masked, with unreadable bytes escaped."
    ),
)

ROWS = schema(
    "One row for each row of the log that was used, in the order of the log; more columns with "
    "--keep-columns.",
    REJECTS.field("source"),
    REJECTS.field("position"),
    field(
        "row_id",
        pa.string(),
        "Value of --id-column, in its own type; null without one.",
        nullable=True,
    ),
    field(
        "time",
        pa.timestamp("us", tz="UTC"),
        "Value of --time-column; null without one, and if it cannot be read.",
        nullable=True,
    ),
    field(
        "conversation_id",
        pa.string(),
        "Value of --conversation-column as text; null without one.",
        nullable=True,
    ),
    UTTERANCE_ID,
    *(ASSIGNMENTS.field(name) for name in ("kind", "reason")),
    field(
        "intent_id",
        pa.string(),
        "The row's intent in the table intents; null if it has none.",
        nullable=True,
    ),
    ASSIGNMENTS.field("domain_id"),
)
# Columns of the table rows whose types follow from the log.
ROWS_OPEN = ("row_id",)

CONVERSATIONS = schema(
    "With --conversation-column: one row for each conversation. Its first request is its earliest "
    "row that is neither conversational nor of another speaker; rows without a time come last.",
    field("conversation_id", pa.string(), "Id of the conversation."),
    field("rows", pa.int64(), "Number of rows of the log."),
    field("intents", STRINGS, "The intent_id of each intent of its rows, sorted."),
    *(
        field(f"first_{f.name}", f.type, f"The first request: {f.name}.", nullable=True)
        for f in (
            ROWS.field(name)
            for name in ("source", "position", "time", "utterance_id", "kind", "intent_id")
        )
    ),
)

INTENT_CONVERSATIONS = schema(
    "With --conversation-column: one row for each intent that occurs in a conversation.",
    field("intent_id", pa.string(), "The intent in the table intents."),
    field("conversations", pa.int64(), "Number of conversations with a row of the intent."),
    field("first_requests", pa.int64(), "Number of conversations whose first request it is."),
)

TABLES = {
    "assignments": ASSIGNMENTS,
    "rows": ROWS,
    "intents": INTENTS,
    "domains": DOMAINS,
    "dropped": DROPPED,
    "levels": LEVELS,
    "conversations": CONVERSATIONS,
    "intent_conversations": INTENT_CONVERSATIONS,
    "rejects": REJECTS,
}
