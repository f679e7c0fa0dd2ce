"""What became of each cluster, and the columns that its utterances get in the table assignments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from advin.discovery.intents.assignment import Assigned, Intents
from advin.schemas.verdicts import IN_KNOWN_INTENT, IN_NOVEL_INTENT, TOO_FAR, kind_of


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of each of m clusters.

    Attributes:
        reason: (m,) reason of its utterances.
        intent_id: (m,) id of the intent, None for a dropped cluster.
        domain_id: (m,) domain of the intent, None if there is none.
        dropped_id: (m,) id of the dropped cluster, None for an intent.
    """

    reason: list[str]
    intent_id: list[str | None]
    domain_id: list[str | None]
    dropped_id: list[str | None]

    @classmethod
    def of(
        cls,
        intents: Intents,
        ids: Sequence[str],
        domain_of: Mapping[str, str | None],
        reason_of: Mapping[str, str],
    ) -> Self:
        """Look up the clusters in the tables intents and dropped.

        Args:
            intents: all clusters.
            ids: (m,) their ids.
            domain_of: domain of each intent of the table intents.
            reason_of: reason of each cluster of the table dropped.
        """
        rows = list(zip(ids, intents.dropped_ids(), intents.kinds >= 0, strict=True))
        return cls(
            reason=[
                (IN_KNOWN_INTENT if known else IN_NOVEL_INTENT)
                if intent in domain_of
                else reason_of[dropped]
                for intent, dropped, known in rows
            ],
            intent_id=[intent if intent in domain_of else None for intent, _, _ in rows],
            domain_id=[domain_of.get(intent) for intent, _, _ in rows],
            dropped_id=[None if intent in domain_of else dropped for intent, dropped, _ in rows],
        )


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Columns of n utterances; `schemas.tables.ASSIGNMENTS` describes them."""

    kind: list[str]
    reason: list[str]
    intent_id: list[str | None]
    domain_id: list[str | None]
    dropped_id: list[str | None]
    intent_distance: list[float | None]
    nearest_intents: list[list[str]]
    nearest_distances: list[list[float]]


def verdicts_on(
    assigned: Assigned, outcomes: Outcomes, conversational: Sequence[str | None], most: int
) -> Verdicts:
    """Return the verdict on each utterance.

    Args:
        assigned: clusters and nearest intents of n utterances.
        outcomes: of the clusters.
        conversational: (n,) category of an utterance that carries no request, else None.
        most: nearest intents to list.
    """
    cluster = assigned.cluster.tolist()
    # The last entry stands for -1, no cluster.
    of_cluster = [*outcomes.reason, TOO_FAR]
    reasons = [
        of_cluster[row] if category is None else category
        for row, category in zip(cluster, conversational, strict=True)
    ]
    intent_id, domain_id, dropped_id = (
        [column[row] for row in cluster]
        for column in (
            [*outcomes.intent_id, None],
            [*outcomes.domain_id, None],
            [*outcomes.dropped_id, None],
        )
    )
    names, distances = _listed(assigned, outcomes, most)
    return Verdicts(
        kind=[kind_of(reason) for reason in reasons],
        reason=reasons,
        intent_id=intent_id,
        domain_id=domain_id,
        dropped_id=dropped_id,
        intent_distance=[
            own if intent is not None else row[0] if row else None
            for own, intent, row in zip(
                assigned.distance.tolist(), intent_id, distances, strict=True
            )
        ],
        nearest_intents=names,
        nearest_distances=distances,
    )


def _listed(
    assigned: Assigned, outcomes: Outcomes, most: int
) -> tuple[list[list[str]], list[list[float]]]:
    """Return ids and distances of the nearest intents that were not dropped."""
    ids = [*outcomes.intent_id, None]
    names: list[list[str]] = []
    distances: list[list[float]] = []
    for rows, values in zip(assigned.nearest.tolist(), assigned.distances.tolist(), strict=True):
        near = [(ids[row], value) for row, value in zip(rows, values, strict=True)]
        kept = [(name, value) for name, value in near if name is not None][:most]
        names.append([name for name, _ in kept])
        distances.append([value for _, value in kept])
    return names, distances
