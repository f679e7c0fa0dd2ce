"""The tunables of this package, which `advin.discovery.config` includes."""

from dataclasses import dataclass
from typing import Literal

from advin.discovery.compute.tunables import Section, fraction, tunable


@dataclass(frozen=True, slots=True)
class LinkageConfig(Section):
    """Rounds of linkage across workers, for logs that one worker cannot link."""

    max_clusters: int = tunable(
        100_000, "most clusters linked on one worker", "clusters", 1, 100_000
    )
    cell_rows: int = tunable(4_096, "clusters per cell", "clusters", 1)
    max_cell_rows: int = tunable(16_384, "clusters per cell in the last rounds", "clusters", 1)
    visits: int = tunable(4, "cells in which a cluster is compared, including its own", low=1)
    learned_per_cell: int = tunable(256, "clusters sampled per cell", "clusters", 1)
    max_learned: int = tunable(262_144, "most clusters sampled in total", "clusters", 1)
    iterations: int = tunable(10, "k-means iterations to learn the cells", low=1)
    crowded: float = tunable(
        4, "cells over this multiple of the target size are split by id", low=1
    )
    slow: float = fraction(0.85, "cells grow if a round leaves more than this share")
    max_rounds: int = tunable(20, "most rounds", low=1, high=99)
    wave_clusters: int = tunable(
        250_000, "clusters per wave of an in-memory shuffle", "clusters", 1
    )


@dataclass(frozen=True, slots=True)
class LevelsConfig(Section):
    """Levels of novel intents: coarse, auto and fine (docs/explanation/method.md, *Levels*)."""

    granularity: Literal["coarse", "auto", "fine"] = tunable(
        "auto", "the default level, which the tables intents and assignments hold"
    )
    max_intents: int = tunable(
        10_000, "most novel intents at the default level; if more, similar ones are merged", low=1
    )
    tolerance: float = fraction(
        0.2, "share of the best F1 or separation that the coarse and the fine distance may lack"
    )
    min_stability: float = fraction(0.5, "below this median stability, a coarser level is advised")
    stability_rows: int = tunable(
        3_000, "most utterances clustered again to measure the stability", "utterances", 1
    )
