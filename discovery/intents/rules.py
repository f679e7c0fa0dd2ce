"""The learned values that turn clusters into intents."""

from dataclasses import dataclass

from advin.discovery.config import Config
from advin.discovery.selection.distance import LEARNED, IntentDistance, automatic_min_size


@dataclass(frozen=True, slots=True)
class IntentRules:
    """The learned values that turn clusters into intents.

    Attributes:
        distance: average 1 - cosine up to which clusters are merged.
        radius: largest 1 - cosine to its centroid at which an intent takes an utterance.
        min_size: fewest distinct utterances of a novel intent.
        fine: distance at which novel intents are split for the level fine.
        coarse: distance up to which novel intents are merged for the level coarse.
        from_labels: whether the distance was learned from labels, rather than from the log.
    """

    distance: float
    radius: float
    min_size: int
    fine: float
    coarse: float
    from_labels: bool = False


def intent_rules(distance: IntentDistance, config: Config) -> IntentRules:
    """Return the rules that follow from a learned distance; resolves ``intents.min_size``.

    Args:
        distance: distance, radius and size of a leftover cluster, as learned.
        config: `intents.min_size`, or the share of a leftover cluster that replaces "auto"; and the
            tolerance that gives the distances of the other levels.
    """
    given = config.intents.min_size
    least = given if isinstance(given, int) else automatic_min_size(distance.small, config)
    fine, coarse = distance.ends(config.levels.tolerance)
    from_labels = distance.origin == LEARNED
    return IntentRules(distance.value, distance.radius, least, fine, coarse, from_labels)
