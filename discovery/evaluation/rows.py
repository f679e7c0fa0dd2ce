"""The rows that an evaluation compares: their true labels, and the results of a run."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from advin.discovery.evaluation.agreement import checked_counts
from advin.schemas.verdicts import NOVEL


@dataclass(frozen=True, slots=True)
class Truth:
    """The true labels of n rows.

    Attributes:
        intent: (n,) intents, None for rows without an intent (out of scope).
        domain: (n,) domains, None for rows without a domain.
        known: the intents that labels were given for; all others are novel.
        counts: (n,) int, number of utterances of each row; None for one each.
    """

    intent: Sequence[str | None]
    domain: Sequence[str | None]
    known: Collection[str]
    counts: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The results of a run for the same n rows.

    Attributes:
        intent_id: (n,) intent that a row was assigned to, or None.
        kind: (n,) verdict on each row, a kind of `schemas.verdicts.KINDS`.
        known_intent: (n,) known intent that fits best; read for rows of kind known.
        novelty_score: (n,) float, higher is more novel; nan or None without scores.
        domain: (n,) domain that a row was assigned to, or None.
    """

    intent_id: Sequence[str | None]
    kind: Sequence[str]
    known_intent: Sequence[str | None]
    novelty_score: Sequence[float | None] | np.ndarray
    domain: Sequence[str | None]


def novel_ids(found: Found) -> list[str | None]:
    """Return (n,) the intent of each row if it is novel, else None."""
    return [i if k == NOVEL else None for i, k in zip(found.intent_id, found.kind, strict=True)]


def aligned_counts(truth: Truth, found: Found) -> np.ndarray:
    """Return the (n,) counts; raise ValueError if columns differ in length."""
    n = len(truth.intent)
    columns = {"truth.domain": truth.domain} | {
        f"found.{name}": getattr(found, name) for name in Found.__dataclass_fields__
    }
    for name, column in columns.items():
        if len(column) != n:
            raise ValueError(
                f"truth.intent has {n} rows, but {name} has {len(column)}: give one value per row"
            )
    return checked_counts(truth.counts, n)
