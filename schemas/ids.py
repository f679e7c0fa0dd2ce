"""Ids that depend on content alone: the same in every run, on every engine."""

import hashlib


def utterance_id(normalized: str) -> str:
    """Return the id of a normalized text: BLAKE2b-128, 32 hex digits."""
    return hashlib.blake2b(normalized.encode(), digest_size=16).hexdigest()


def shard_of(utterance: str, shards: int) -> int:
    """Return the shard of an utterance id, 0 to shards - 1, by the top bits of its hash.

    Shards are ranges of ids, so rows sorted by (shard, id) are sorted by id.
    """
    return int(utterance[:8], 16) * shards >> 32


def content_id(*parts: bytes) -> str:
    """Return a short id (16 hex digits) of some content; lengths keep the parts apart."""
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def known_id(label: str) -> str:
    """Return the id of a known intent or domain: ``k-`` and the `content_id` of its label."""
    return f"k-{content_id(label.encode())}"


def novel_id(content: bytes) -> str:
    """Return the id of a novel intent or domain: ``n-`` and the `content_id` of its content."""
    return f"n-{content_id(content)}"


def dropped_id(content: bytes) -> str:
    """Return the id of a cluster that is no intent: ``d-`` and the `content_id` of its content."""
    return f"d-{content_id(content)}"
