"""What became of each leaf, and the columns that its utterances get in the table assignments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from advin.discovery.intents.assignment import Assigned, Intents
from advin.discovery.intents.levels import AUTO, COARSE, FINE
from advin.schemas.verdicts import IN_KNOWN_INTENT, IN_NOVEL_INTENT, TOO_FAR, kind_of


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of each of n leaves: m clusters, then p parts; see `Intents`.

    Attributes:
        reason: (n,) reason of its utterances.
        intent_id: (n,) id of the intent at the default level, None for a dropped cluster.
        fine_id: (n,) id of the novel intent at the level fine, else None.
        domain_id: (n,) domain of the intent, None if there is none.
        dropped_id: (n,) id of the dropped cluster, None for an intent.
        is_fine: True if the default level is the finest one.
    """

    reason: list[str]
    intent_id: list[str | None]
    fine_id: list[str | None]
    domain_id: list[str | None]
    dropped_id: list[str | None]
    is_fine: bool

    @classmethod
    def of(
        cls,
        intents: Intents,
        ids: Sequence[str],
        domain_of: Mapping[str, str | None],
        reason_of: Mapping[str, str],
        parents: Mapping[str, Mapping[str, str | None]],
    ) -> Self:
        """Look up the leaves in the tables intents, dropped and levels.

        Args:
            intents: all clusters, with parts.
            ids: (m,) ids of the clusters.
            domain_of: domain of each intent of the table intents.
            reason_of: reason of each cluster of the table dropped.
            parents: for each level, the parent of each novel intent of that level.
        """
        own = [*ids, *intents.part_ids()]
        clusters, dropped = intents.leaf_clusters.tolist(), intents.dropped_ids()
        # A cluster with parts is not at the level fine, so its first part stands for it.
        lowest = list(own)
        for leaf in range(len(clusters) - 1, len(intents.kinds) - 1, -1):
            lowest[clusters[leaf]] = own[leaf]
        found = [_default_id(leaf, domain_of, parents) for leaf in lowest]
        return cls(
            reason=[
                reason_of[dropped[cluster]]
                if intent is None
                else IN_KNOWN_INTENT
                if intents.kinds[cluster] >= 0
                else IN_NOVEL_INTENT
                for intent, cluster in zip(found, clusters, strict=True)
            ],
            intent_id=found,
            fine_id=[leaf if leaf in parents[FINE] else None for leaf in own],
            domain_id=[None if intent is None else domain_of[intent] for intent in found],
            dropped_id=[
                dropped[cluster] if intent is None else None
                for intent, cluster in zip(found, clusters, strict=True)
            ],
            is_fine=all(intent in domain_of for intent in parents[FINE]),
        )


def _default_id(
    leaf: str, domain_of: Mapping[str, str | None], parents: Mapping[str, Mapping[str, str | None]]
) -> str | None:
    """Return the id of a leaf's intent in the table intents, or None if it has none there."""
    intent: str | None = leaf
    for level in (FINE, AUTO, COARSE):
        if intent in domain_of:
            return intent
        intent = None if intent is None else parents[level].get(intent)
    return None


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Columns of n utterances; `schemas.tables.ASSIGNMENTS` describes them."""

    kind: list[str]
    reason: list[str]
    intent_id: list[str | None]
    fine_intent_id: list[str | None]
    domain_id: list[str | None]
    dropped_id: list[str | None]
    intent_distance: list[float | None]
    nearest_intents: list[list[str]]
    nearest_distances: list[list[float]]


def verdicts_on(
    assigned: Assigned,
    leaves: Assigned,
    outcomes: Outcomes,
    conversational: Sequence[str | None],
    most: int,
) -> Verdicts:
    """Return the verdict on each utterance.

    Args:
        assigned: clusters and nearest intents of n utterances.
        leaves: their leaves, by `assign_leaves`.
        outcomes: of the leaves.
        conversational: (n,) category of an utterance that carries no request, else None.
        most: nearest intents to list.
    """
    finest = leaves.cluster.tolist()
    assigned = leaves if outcomes.is_fine else assigned
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
        fine_intent_id=[[*outcomes.fine_id, None][leaf] for leaf in finest],
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
    """Return ids and distances of the nearest intents that were not dropped, each once."""
    ids = [*outcomes.intent_id, None]
    names: list[list[str]] = []
    distances: list[list[float]] = []
    for rows, values in zip(assigned.nearest.tolist(), assigned.distances.tolist(), strict=True):
        nearest: dict[str, float] = {}
        for row, value in zip(rows, values, strict=True):
            name = ids[row]
            if name is not None and len(nearest) < most:
                nearest.setdefault(name, value)
        names.append(list(nearest))
        distances.append(list(nearest.values()))
    return names, distances
