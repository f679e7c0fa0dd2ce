"""The configuration: every tunable of the method, with its default, unit, range and meaning.

Sections follow the stages. A section is frozen and checks its values when it is made. ``"auto"``
means that a value is learned from the data; each such value is resolved in one place, named in its
meaning. ``advin config`` prints this module as a table, and the reference page is made from it.

Numerical tolerances and block sizes are not tunables; they stay beside their code.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from advin.discovery.compute.tunables import ConfigError, Section, fraction, grid, tunable

__all__ = ["Config", "ConfigError", "grid"]

Auto = Literal["auto"]
# First and last value, and the step.
Grid = tuple[float, float, float]
Numbers = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class TextConfig(Section):
    """Which texts count as utterances."""

    max_characters: int = tunable(2000, "longer texts are rejected", "characters", 1)


@dataclass(frozen=True, slots=True)
class SampleConfig(Section):
    """How much data one worker learns a model from."""

    max_log: int = tunable(20_000, "sampled utterances of the log", "utterances", 1)
    max_labeled: int = tunable(20_000, "sampled labeled utterances", "utterances", 1)
    max_out_of_domain: int = tunable(5_000, "sampled other texts", "utterances", 1)


@dataclass(frozen=True, slots=True)
class LexicalConfig(Section):
    """Lexical vectors, which help to find neighbors by their words."""

    dimensions: int = tunable(128, "length of a lexical vector", low=1)
    max_word_ngram: int = tunable(2, "longest run of words", "words", 1)
    min_character_ngram: int = tunable(3, "shortest part of a word", "characters", 1)
    max_character_ngram: int = tunable(4, "longest part of a word", "characters", 1)
    max_characters: int = tunable(1_000, "the beginning of a text that is read", "characters", 1)


@dataclass(frozen=True, slots=True)
class ViewsConfig(Section):
    """Views of an utterance with words left out, which the head learns from without labels."""

    count: int = tunable(4, "views of each utterance; 0 switches views off", low=0)
    word_dropout: float = fraction(0.1, "share of the words that a view leaves out")


@dataclass(frozen=True, slots=True)
class ScoreWeights(Section):
    """Weights that are tried for each novelty score; the first one is the default."""

    learned_neighbors: Numbers = tunable(
        (1.0, 0.0), "distance to the nearest labels in the learned space", low=0
    )
    learned_center: Numbers = tunable(
        (1.0, 0.0), "distance to the nearest intent in the learned space", low=0
    )
    neighbors: Numbers = tunable(
        (0.3, 1.0, 0.0), "distance to the nearest labels in the encoder's space", low=0
    )
    ratio: Numbers = tunable(
        (1.0,), "distance to the nearest intent over that to the second", low=0
    )
    mahalanobis: Numbers = tunable(
        (0.0, 1.0), "relative Mahalanobis distance to the nearest intent", low=0
    )
    open_set: Numbers = tunable(
        (0.0, 0.3, 1.0), "log-odds of the open class; needs out-of-domain text", low=0
    )


@dataclass(frozen=True, slots=True)
class KnownSpaceConfig(Section):
    """Training of the space of the known intents, in which stage I measures distances."""

    hidden: int = tunable(512, "units of the hidden layer", low=1)
    dimension: int = tunable(384, "largest dimension of this space", low=1)
    steps: int = tunable(200, "training steps", "batches", 1)
    batch: int = tunable(512, "rows of a batch", "rows", 2)
    rows_per_intent: int = tunable(
        8, "rows of an intent in a batch when intents are many", "rows", 2
    )
    learning_rate: float = tunable(3e-3, "peak learning rate of AdamW", low=0)
    weight_decay: float = tunable(1e-2, "weight decay of AdamW", low=0)
    warmup: float = fraction(0.05, "share of the steps in which the rate rises")
    temperature: float = tunable(0.07, "temperature of the contrastive loss", low=1e-4)
    dropout: float = tunable(0.3, "share of input features dropped in training", low=0, high=0.99)


@dataclass(frozen=True, slots=True)
class OpenSetConfig(Section):
    """Training of the open-set classifier: known intents plus one class for everything else."""

    steps: int = tunable(400, "training steps", "batches", 1)
    batch: int = tunable(1024, "rows of a batch", "rows", 1)
    learning_rate: float = tunable(0.3, "initial learning rate of AdamW", low=0)
    weight_decay: float = tunable(1e-4, "weight decay of AdamW", low=0)


@dataclass(frozen=True, slots=True)
class NoveltyConfig(Section):
    """Stage I: the novelty scores, their weights and the threshold."""

    shrinkage: float = fraction(0.01, "weight of the mean variance in a covariance")
    neighbors: int = tunable(5, "most labeled neighbors that are averaged", low=1)
    neighbor_share: float = fraction(0.25, "share of a median intent's labels that are averaged")
    rivals: int = tunable(64, "neighbors among which the second intent is looked for", low=2)
    max_exemplars: int = tunable(10_000, "labeled utterances kept as neighbors", "utterances", 1)
    intent_folds: int = tunable(3, "parts of the known intents, each held out once", low=1)
    row_parts: int = tunable(5, "parts of the labeled rows, one held out in each fold", low=2)
    row_folds: int = tunable(2, "folds in which all intents are known", low=1)
    few_rows: int = tunable(500, "with at most this many rows, all row parts are folds", "rows", 0)
    max_held_out: int = tunable(4_000, "rows scored in each fold", "rows", 1)
    clear_gain: float = fraction(0.005, "gain in AUROC needed to leave the default weights")
    threshold_plateau: float = fraction(0.004, "thresholds this near the best count as equal")
    known_kept: float = fraction(0.95, "known kept when nothing stands for the unknown")
    unknown_flagged: float = fraction(0.9, "unknown flagged when no known row is held out")
    prior_kept: float = fraction(0.85, "known utterances kept by the prior threshold")
    prior_intents: float = tunable(40, "weight of the prior threshold", "intents", 0)
    inverse_regularization: float = tunable(1e3, "C of the calibrated probability", low=1e-6)
    weights: ScoreWeights = field(default_factory=ScoreWeights)
    space: KnownSpaceConfig = field(default_factory=KnownSpaceConfig)
    open_set: OpenSetConfig = field(default_factory=OpenSetConfig)


@dataclass(frozen=True, slots=True)
class MetricConfig(Section):
    """Training of the metric head of stage II."""

    loss: Literal["contrastive", "margin"] = tunable(
        "contrastive", "loss over pairs; margin is the pairwise loss of ADVIN"
    )
    hidden: int = tunable(1024, "units of the hidden layer", low=1)
    dimension: int = tunable(384, "largest dimension of the learned space", low=1)
    steps: int = tunable(400, "training steps", "batches", 1)
    batch: int = tunable(768, "rows of a batch", "rows", 1)
    labeled_batch: int = tunable(512, "labeled rows of an extra batch", "rows", 1)
    labeled_weight: float | Auto = tunable(
        "auto", "weight of this batch; auto: what others lack", low=0
    )
    learning_rate: float = tunable(3e-3, "peak learning rate of AdamW", low=0)
    weight_decay: float = tunable(1e-2, "weight decay of AdamW", low=0)
    warmup: float = tunable(0.05, "share of the steps in which the rate rises", low=1e-6, high=1)
    temperature: float = tunable(0.07, "temperature of the contrastive loss", low=1e-4)
    dropout: float = tunable(0.2, "share of input features dropped in training", low=0, high=0.99)
    refresh: int = tunable(40, "steps between neighbor searches", "batches", 1)
    neighbors: int | Auto = tunable(
        "auto", "neighbors that count as positives; auto: from labels, else by stability", low=1
    )
    unlabeled_neighbors: int | Auto = tunable(
        "auto", "positives of an unlabeled row; auto: fewer when most rows are labeled", low=1
    )
    lexical_weight: float = tunable(0.5, "weight of lexical similarity in neighbor search", low=0)
    near_margin: float = tunable(
        0.2, "margin loss: positives are pulled inside this distance", "1 - cosine", 0, 2
    )
    far_margin: float = tunable(
        0.8, "margin loss: other pairs are pushed beyond this distance", "1 - cosine", 0, 2
    )
    suspect_score: float = tunable(
        -0.5,
        "rows above this novelty score are not pulled towards labeled rows",
        "spreads of known utterances",
    )
    max_rows: int = tunable(100_000, "rows of one training set", "rows", 2)


@dataclass(frozen=True, slots=True)
class NeighborsConfig(Section):
    """How an automatic neighbor count follows from the labels."""

    found_share: float = fraction(
        0.3, "share of a labeled intent that its neighborhood should hold"
    )
    min_intents: int = tunable(4, "intents with two labels that a label-based choice needs", low=1)
    ranked_per_intent: int = tunable(40, "labeled rows ranked per intent", "rows", 2)
    fewest: int = tunable(5, "lower bound of the neighbor count", low=1)
    most: int = tunable(100, "upper bound of the neighbor count", low=1)
    max_share: float = fraction(0.05, "upper bound as a share of all rows")
    default: int = tunable(30, "neighbor count when labels are too few", low=1)
    unlabeled_factor: float = tunable(
        2.0, "unlabeled rows get min(1, factor × share of unlabeled rows) of the neighbors", low=0
    )


@dataclass(frozen=True, slots=True)
class DistanceConfig(Section):
    """How the distance that separates intents is learned on held-out intents."""

    default: float = tunable(0.56, "distance when nothing can be learned", "1 - cosine", 0, 2)
    radius_share: float = tunable(
        0.7, "radius as a share of a distance that was not learned on labels", low=0
    )
    folds: int = tunable(3, "parts of the known intents, each held out once", low=1)
    max_rows: int = tunable(10_000, "rows of a fold", "rows", 2)
    labeled_rows: int = tunable(
        2_000, "labeled rows of a fold, or more if the log looks known", "rows", 2
    )
    max_labeled_share: float = fraction(0.5, "largest share of labeled rows in a fold")
    smallest_intent: int = tunable(5, "fewest utterances of a novel intent", "utterances", 1)
    grid: Grid = tunable((0.05, 0.95, 0.01), "distances tried: first, last, step", "1 - cosine", 0)
    plateau: float = fraction(0.03, "distances whose F1 is this near the best are equal")
    small_share: float = tunable(
        0.6, "clusters below this share of a neighborhood are small", low=0
    )
    coverage: float = fraction(0.99, "share of held-out utterances inside the radius")


@dataclass(frozen=True, slots=True)
class StabilityConfig(Section):
    """How neighbor count and distance are chosen without labels: heads of several seeds agree."""

    max_rows: int = tunable(10_000, "sampled rows", "rows", 2)
    neighbor_counts: tuple[int, ...] = tunable((8, 16, 32, 64, 128), "neighbor counts tried", low=1)
    heads: int = tunable(3, "heads that are compared, each with its own seed", low=2)
    max_steps: int = tunable(100, "training steps of a compared head", "batches", 1)
    max_hidden: int = tunable(512, "hidden units of a compared head", low=1)
    cuts: Grid = tunable(
        (0.40, 0.80, 0.04), "distances compared: first, last, step", "1 - cosine", 0
    )
    cuts_for_neighbors: int = tunable(6, "first cuts that choose the neighbor count", low=1)
    min_distance: float = tunable(
        0.52, "lower bound: below it heads agree only on near-duplicates", "1 - cosine", 0, 2
    )
    tolerance: float = fraction(0.015, "ARI differences below this are noise")
    much_worse: float = fraction(0.03, "a drop in ARI beyond this ends the search")
    parallel_counts: int = tunable(2, "neighbor counts tried at the same time", low=1)


@dataclass(frozen=True, slots=True)
class IntentsConfig(Section):
    """Stage II: which clusters are known intents, novel intents or junk."""

    clustering: Literal["linkage", "density"] = tunable(
        "linkage", "average linkage, or HDBSCAN at the learned distance"
    )
    min_size: int | Auto = tunable(
        "auto", "distinct utterances of a novel intent; auto: a share of a leftover cluster", low=1
    )
    min_size_share: float = tunable(
        1 / 3, "automatic min_size as a share of a leftover cluster", low=0
    )
    junk_odds: float = tunable(2.0, "odds of out-of-domain text that make a cluster junk", low=0)
    known_share: float = fraction(
        0.3, "share of an intent's labels that makes a cluster this intent"
    )
    refinement_cuts: Numbers = tunable(
        (0.85, 0.7, 0.5, 0.35),
        "shares of the distance at which known clusters are re-cut",
        low=0,
        high=1,
    )
    few_labels: float = fraction(0.3, "labels are missing below this share of the expected ones")
    cluster_alpha: float = fraction(0.05, "Poisson tail below which a cluster has too few labels")
    part_alpha: float = fraction(
        0.003, "Poisson tail below which a part of a cluster has too few labels"
    )
    min_known_clusters: int = tunable(4, "known clusters that a baseline needs", low=1)
    baseline_clusters: int = tunable(10, "largest known clusters that make the baseline", low=1)
    baseline_quantile: float = fraction(
        0.1, "quantile of labels per utterance that a known cluster should reach"
    )
    max_points: int = tunable(150_000, "points clustered on one worker", "points", 1)
    max_density_points: int = tunable(30_000, "points that HDBSCAN takes", "points", 1)


@dataclass(frozen=True, slots=True)
class CoherenceConfig(Section):
    """When a novel cluster is dropped because its utterances are not alike to the encoder."""

    quantile: float = fraction(0.1, "quantile of known intents' coherence that is the reference")
    min_ratio: float = tunable(0.65, "share of the reference that a novel intent reaches", low=0)
    far: float = tunable(
        3.0,
        "out-of-domain z-score beyond which an incoherent cluster is junk",
        "spreads of known utterances",
    )
    own_neighbors: float = fraction(
        0.5, "share of utterances that should be nearest to their own cluster"
    )


@dataclass(frozen=True, slots=True)
class LinkageConfig(Section):
    """Rounds of linkage across workers, for logs that one worker cannot link."""

    max_clusters: int = tunable(100_000, "clusters linked on one worker", "clusters", 1, 100_000)
    cell_rows: int = tunable(4_096, "clusters per cell", "clusters", 1)
    max_cell_rows: int = tunable(16_384, "clusters per cell in the last rounds", "clusters", 1)
    visits: int = tunable(4, "cells that a cluster is compared in, its own included", low=1)
    learned_per_cell: int = tunable(256, "sampled clusters per cell", "clusters", 1)
    max_learned: int = tunable(262_144, "sampled clusters in all", "clusters", 1)
    iterations: int = tunable(10, "k-means iterations that learn the cells", low=1)
    crowded: float = tunable(4, "a cell this many times too full is split by id", low=1)
    slow: float = fraction(0.85, "a round that leaves more than this share enlarges the cells")
    max_rounds: int = tunable(20, "rounds at most", low=1, high=99)
    wave_clusters: int = tunable(250_000, "clusters of a wave in memory", "clusters", 1)


@dataclass(frozen=True, slots=True)
class DomainsConfig(Section):
    """Stage III: how intents are linked into domains."""

    default: float = tunable(1.0, "distance when too few domains are known", "1 - CSLS", 0)
    max_intents: int = tunable(10_000, "intents linked on one worker", "intents", 1)
    min_domains: int = tunable(5, "known domains of two intents that learning needs", low=2)
    draws: int = tunable(20, "draws of held-out domains", low=1)
    held_out_share: float = fraction(0.5, "share of the domains held out in a draw")
    grid: Grid = tunable((0.5, 1.6, 0.02), "distances tried: first, last, step", "1 - CSLS", 0)
    min_neighbors: int = tunable(3, "fewest intents of a neighborhood", "intents", 1)
    max_neighbors: int = tunable(10, "most intents of a neighborhood", "intents", 1)
    neighbors_without_domains: int = tunable(5, "neighborhood if no domain is known", "intents", 1)
    plateau: float = fraction(0.05, "distances whose F1 is this near the best are equal")


@dataclass(frozen=True, slots=True)
class NamingConfig(Section):
    """Names, keywords and exemplars."""

    documents: int = tunable(100, "sampled utterances that describe an intent", "utterances", 1)
    exemplars: int = tunable(5, "exemplars of an intent", "utterances", 1)
    keywords: int = tunable(10, "keywords of an intent", "terms", 1)
    max_words: int = tunable(5, "longest name", "words", 1)
    max_word_length: int = tunable(25, "longest word in a name", "characters", 1)
    max_evidence: int = tunable(40, "longest text that is a name as it stands", "characters", 2)
    min_readable: int = tunable(3, "shortest text preferred as an exemplar", "words", 0)
    max_readable: int = tunable(15, "longest text preferred as an exemplar", "words", 0)
    min_stem: int = tunable(3, "shortest base form of a word", "characters", 1)
    min_occurrences: int = tunable(2, "utterances that a phrase of a name occurs in", low=1)
    candidate_words: int = tunable(30, "most characteristic words that may form a name", low=1)
    max_skipped: int = tunable(2, "words with meaning that a pair may skip", "words", 0)
    compared: int = tunable(5, "candidates compared with the centroid", low=1)
    coverage_power: float = tunable(0.6, "exponent of a candidate's share of the intent", low=0)
    centrality_power: float = tunable(2.0, "exponent of a candidate's centrality", low=0)
    rarity: float = tunable(0.1, "added to a term's frequency elsewhere", low=0)
    one_word_factor: float = tunable(0.18, "factor of one-word names", low=0)
    three_word_factor: float = tunable(1.8, "factor of three-word names", low=0)
    asking_weight: float = tunable(0.2, "weight of a question word", low=0)
    apart_factor: float = fraction(0.35, "factor of words that never stand together")
    domain_words: int = tunable(3, "words of a domain's name", "words", 1)
    full_coverage: float = tunable(0.25, "share at which a word covers an intent", low=1e-6, high=1)
    min_domain_words: int = tunable(2, "words of a domain's name whatever they gain", "words", 1)
    min_domain_gain: float = fraction(0.3, "gain of any further word as a share of the best gain")
    covered_discount: float = fraction(0.7, "how much a chosen word lowers the need for others")


@dataclass(frozen=True, slots=True)
class Config(Section):
    """All tunables, by section.

    A model keeps the configuration it was fitted with. Sections in `DISCOVER_SECTIONS` act when a
    log is processed, so they can be changed for a given model; all others act in the fit.
    """

    seed: int = tunable(0, "seed of everything random", low=0)
    text: TextConfig = field(default_factory=TextConfig)
    sample: SampleConfig = field(default_factory=SampleConfig)
    lexical: LexicalConfig = field(default_factory=LexicalConfig)
    views: ViewsConfig = field(default_factory=ViewsConfig)
    novelty: NoveltyConfig = field(default_factory=NoveltyConfig)
    metric: MetricConfig = field(default_factory=MetricConfig)
    neighbors: NeighborsConfig = field(default_factory=NeighborsConfig)
    distance: DistanceConfig = field(default_factory=DistanceConfig)
    stability: StabilityConfig = field(default_factory=StabilityConfig)
    intents: IntentsConfig = field(default_factory=IntentsConfig)
    coherence: CoherenceConfig = field(default_factory=CoherenceConfig)
    linkage: LinkageConfig = field(default_factory=LinkageConfig)
    domains: DomainsConfig = field(default_factory=DomainsConfig)
    naming: NamingConfig = field(default_factory=NamingConfig)

    @classmethod
    def preset(cls, effort: str) -> "Config":
        """Return the configuration of an effort: "full" (the defaults) or "fast".

        Raises:
            ConfigError: if there is no such effort.
        """
        if effort not in PRESETS:
            raise ConfigError(f"effort is {effort!r}; choose from {', '.join(PRESETS)}")
        return cls().with_values(PRESETS[effort])


DISCOVER_SECTIONS = ("text", "intents", "coherence", "linkage", "naming")

# Fast takes two thirds of the time for a little quality: benchmarks/history.md, "The fast setting".
PRESETS: dict[str, dict[str, Any]] = {
    "full": {},
    "fast": {"metric.steps": 200, "metric.refresh": 50, "views.count": 0},
}
