"""The configuration: every tunable of the method, with its default, unit, range and meaning.

Sections follow the stages. A section is frozen and checks its values when it is made. ``"auto"``
means that a value is derived from the data. ``advin config`` prints all tunables as a table. The
reference page is generated from this module.

Numerical tolerances and block sizes are not tunables; they stay beside their code.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from advin.discovery.clustering.config import LevelsConfig, LinkageConfig
from advin.discovery.compute.tunables import ConfigError, Grid, Section, fraction, grid, tunable
from advin.discovery.conversation.config import ConversationConfig
from advin.discovery.labels import LabelsConfig
from advin.discovery.text.config import LanguageConfig, MaskingConfig, TextConfig

__all__ = ["Config", "ConfigError", "grid"]

Auto = Literal["auto"]
Numbers = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SampleConfig(Section):
    """How much data a fit samples."""

    max_log: int = tunable(20_000, "most utterances sampled from the log", "utterances", 1)
    max_labeled: int = tunable(20_000, "most labeled utterances sampled", "utterances", 1)
    max_out_of_domain: int = tunable(5_000, "most out-of-domain texts sampled", "utterances", 1)
    min_log: int = tunable(500, "a smaller log is reported", "utterances", 1)


@dataclass(frozen=True, slots=True)
class LexicalConfig(Section):
    """Lexical vectors, which help find neighbors that share words."""

    dimensions: int = tunable(128, "length of a lexical vector", low=1)
    max_word_ngram: int = tunable(2, "longest word n-gram", "words", 1)
    min_character_ngram: int = tunable(3, "shortest character n-gram", "characters", 1)
    max_character_ngram: int = tunable(4, "longest character n-gram", "characters", 1)
    max_characters: int = tunable(1_000, "a longer text is cut at this length", "characters", 1)


@dataclass(frozen=True, slots=True)
class ViewsConfig(Section):
    """Views: copies of an utterance with words dropped. The head trains on them without labels."""

    count: int = tunable(4, "views of each utterance; 0 switches views off", low=0)
    word_dropout: float = fraction(0.1, "share of words dropped from a view")


@dataclass(frozen=True, slots=True)
class ScoreWeights(Section):
    """Weights to try for each novelty score; the first one is the default."""

    learned_neighbors: Numbers = tunable(
        (1.0, 0.0), "distance to the nearest labels in the learned space", low=0
    )
    learned_center: Numbers = tunable(
        (1.0, 0.0), "distance to the nearest intent in the learned space", low=0
    )
    neighbors: Numbers = tunable(
        (0.3, 1.0, 0.0), "distance to the nearest labels in the encoder's space", low=0
    )
    ratio: Numbers = tunable((1.0,), "distance to the nearest / second nearest intent", low=0)
    mahalanobis: Numbers = tunable(
        (0.0, 1.0), "relative Mahalanobis distance to the nearest intent", low=0
    )
    open_set: Numbers = tunable(
        (0.0, 0.3, 1.0), "log-odds of the open class; needs out-of-domain text", low=0
    )
    characters: Numbers = tunable(
        (1.0, 0.0), "character distance to the most similar label of the best known intent", low=0
    )


@dataclass(frozen=True, slots=True)
class KnownSpaceConfig(Section):
    """Training of the space of the known intents, in which stage I measures distances."""

    hidden: int = tunable(512, "units of the hidden layer", low=1)
    dimension: int = tunable(384, "most dimensions of the space", low=1)
    steps: int = tunable(200, "training steps", "batches", 3)
    batch: int = tunable(512, "rows per batch", "rows", 2)
    rows_per_intent: int = tunable(8, "rows per intent in a batch with many intents", "rows", 2)
    learning_rate: float = tunable(3e-3, "peak learning rate of AdamW", low=0)
    weight_decay: float = tunable(1e-2, "weight decay of AdamW", low=0)
    warmup: float = fraction(0.05, "share of steps in which the rate rises")
    temperature: float = tunable(0.07, "temperature of the contrastive loss", low=1e-4)
    dropout: float = tunable(0.3, "share of input features dropped in training", low=0, high=0.99)


@dataclass(frozen=True, slots=True)
class OpenSetConfig(Section):
    """Training of the open-set classifier: known intents plus one class for everything else."""

    steps: int = tunable(400, "training steps", "batches", 1)
    batch: int = tunable(1024, "rows per batch", "rows", 1)
    learning_rate: float = tunable(0.3, "initial learning rate of AdamW", low=0)
    weight_decay: float = tunable(1e-4, "weight decay of AdamW", low=0)


@dataclass(frozen=True, slots=True)
class NoveltyConfig(Section):
    """Stage I: the novelty scores, their weights and the threshold."""

    shrinkage: float = fraction(0.01, "weight of the mean variance in a covariance")
    neighbors: int = tunable(5, "most labeled neighbors to average", low=1)
    neighbor_share: float = fraction(0.25, "neighbors to average / median labels per intent")
    min_ngram: int = tunable(2, "shortest character n-gram", "characters", 1)
    max_ngram: int = tunable(5, "longest character n-gram", "characters", 1)
    character_buckets: int = tunable(4_096, "buckets into which n-grams are hashed", low=1)
    character_labels: int = tunable(4_000, "most labels whose n-grams are compared", low=1)
    character_weight: float = tunable(
        2.0, "weight of characters in the choice of the best known intent", low=0
    )
    rivals: int = tunable(64, "neighbors to search for the second nearest intent", low=2)
    max_exemplars: int = tunable(10_000, "most labeled utterances to keep", "utterances", 1)
    intent_folds: int = tunable(
        3, "groups of known intents; each is held out once", low=2, high=100
    )
    row_parts: int = tunable(5, "groups of labeled rows; each fold holds out one", low=2)
    row_folds: int = tunable(2, "folds that hold out rows but no intent", low=1, high=100)
    few_rows: int = tunable(500, "up to this many rows, each row group is a fold", "rows", 0)
    max_held_out: int = tunable(4_000, "most rows scored in a fold", "rows", 1)
    clear_gain: float = fraction(0.005, "least AUROC gain that changes the weights")
    threshold_plateau: float = fraction(
        0.004, "thresholds scoring this close to the best are equal"
    )
    known_kept: float = fraction(0.95, "share of known rows kept if no intent is held out")
    unknown_flagged: float = fraction(
        0.9, "share of unknown rows flagged if no known row is held out"
    )
    prior_kept: float = fraction(0.85, "share of known rows kept by the prior threshold")
    prior_intents: float = tunable(40, "weight of the prior threshold", "intents", 0)
    inverse_regularization: float = tunable(1e3, "C of the logistic regression", low=1e-6)
    max_known_share: float = fraction(0.95, "largest share of a log taken for known; 0.5: off")
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
    dimension: int = tunable(384, "most dimensions of the learned space", low=1)
    steps: int = tunable(400, "training steps", "batches", 1)
    batch: int = tunable(768, "rows per batch", "rows", 1)
    labeled_batch: int = tunable(512, "labeled rows in the extra batch", "rows", 1)
    labeled_weight: float | Auto = tunable(
        "auto", "weight of the extra batch; auto: less if more rows are labeled", low=0
    )
    learning_rate: float = tunable(3e-3, "peak learning rate of AdamW", low=0)
    weight_decay: float = tunable(1e-2, "weight decay of AdamW", low=0)
    warmup: float = tunable(0.05, "share of steps in which the rate rises", low=1e-6, high=1)
    temperature: float = tunable(0.07, "temperature of the contrastive loss", low=1e-4)
    dropout: float = tunable(0.2, "share of input features dropped in training", low=0, high=0.99)
    refresh: int = tunable(40, "steps between neighbor searches", "batches", 1)
    neighbors: int | Auto = tunable(
        "auto", "positives of a row; auto: from labels, else by stability", low=1
    )
    unlabeled_neighbors: int | Auto = tunable(
        "auto", "positives of an unlabeled row; auto: fewer if most rows are labeled", low=1
    )
    lexical_weight: float = tunable(0.5, "weight of lexical similarity in neighbor search", low=0)
    near_margin: float = tunable(
        0.2, "margin loss pulls positives inside this distance", "1 - cosine", 0, 2
    )
    far_margin: float = tunable(
        0.8, "margin loss pushes other pairs beyond this distance", "1 - cosine", 0, 2
    )
    suspect_score: float = tunable(
        -0.5,
        "rows above this novelty score are not pulled toward labeled rows",
        "spreads of known utterances",
    )
    max_rows: int = tunable(100_000, "most rows in a training set", "rows", 2)


@dataclass(frozen=True, slots=True)
class NeighborsConfig(Section):
    """How the neighbor count is derived from the labels if it is "auto"."""

    found_share: float = fraction(0.3, "share of a labeled intent that its neighbors should cover")
    min_intents: int = tunable(4, "fewest intents with two labels for a choice from labels", low=1)
    ranked_per_intent: int = tunable(40, "most labeled rows ranked per intent", "rows", 2)
    fewest: int = tunable(5, "lower bound of the neighbor count", low=1)
    most: int = tunable(100, "upper bound of the neighbor count", low=1)
    max_share: float = fraction(0.05, "upper bound of the neighbor count as a share of all rows")
    default: int = tunable(30, "neighbor count if there are too few labels", low=1)
    unlabeled_factor: float = tunable(
        2.0, "positives of unlabeled rows are scaled by min(1, factor × unlabeled share)", low=0
    )


@dataclass(frozen=True, slots=True)
class DistanceConfig(Section):
    """How the distance that separates intents is learned on held-out intents."""

    default: float = tunable(0.56, "distance used if none can be learned", "1 - cosine", 0, 2)
    radius_share: float = tunable(0.7, "radius / distance, if not learned from labels", low=0)
    folds: int = tunable(3, "groups of known intents; each is held out once", low=1, high=100)
    max_rows: int = tunable(10_000, "most rows in a fold", "rows", 2)
    labeled_rows: int = tunable(
        2_000, "labeled rows in a fold; more if more of the log looks known", "rows", 2
    )
    max_labeled_share: float = fraction(0.5, "largest share of labeled rows in a fold")
    smallest_intent: int = tunable(5, "smallest possible novel intent", "utterances", 1)
    grid: Grid = tunable((0.05, 0.95, 0.01), "distances: first, last, step", "1 - cosine", 0, 2)
    plateau: float = fraction(0.03, "distances with F1 or separation this close are equal")
    small_share: float = tunable(0.6, "size of a leftover cluster / neighbor count", low=0)
    coverage: float = fraction(0.99, "share of held-out utterances within the radius")


@dataclass(frozen=True, slots=True)
class StabilityConfig(Section):
    """How heads with different seeds choose the neighbor count without labels."""

    max_rows: int = tunable(10_000, "most rows sampled", "rows", 2)
    neighbor_counts: tuple[int, ...] = tunable((8, 16, 32, 64, 128), "neighbor counts tried", low=1)
    heads: int = tunable(3, "heads compared, each with its own seed", low=2)
    max_steps: int = tunable(100, "most training steps of a compared head", "batches", 1)
    max_hidden: int = tunable(512, "most hidden units of a compared head", low=1)
    cuts: Grid = tunable(
        (0.32, 0.92, 0.04), "distances compared: first, last, step", "1 - cosine", 0, 2
    )
    tolerance: float = fraction(0.005, "share of the best agreement that a count may lack")
    parallel_counts: int = tunable(2, "neighbor counts tried at the same time", low=1)


@dataclass(frozen=True, slots=True)
class IntentsConfig(Section):
    """Stage II: which clusters are known intents, novel intents or junk."""

    clustering: Literal["linkage", "density"] = tunable(
        "linkage", "average linkage, or HDBSCAN at the learned distance"
    )
    min_size: int | Auto = tunable(
        "auto", "fewest distinct utterances of a novel intent; auto: from min_size_share", low=1
    )
    min_size_share: float = tunable(1 / 3, "automatic min_size / size of a leftover cluster", low=0)
    junk_odds: float = tunable(2.0, "odds ratio of out-of-domain text in a junk cluster", low=0)
    refinement_cuts: Numbers = tunable(
        (0.85, 0.7, 0.5, 0.35),
        "known clusters are re-cut at these shares of the distance",
        low=0,
        high=1,
    )
    known_log_odds: float = tunable(
        1.0,
        "prior log-odds that an utterance is known: logs vary more than labels",
        low=-20,
        high=20,
    )
    split_log_odds: float = tunable(
        6.0, "a part of a known cluster is novel if its log-odds are below minus this", low=0
    )
    label_dispersions: Numbers = tunable(
        (0.05, 0.08, 0.13, 0.2, 0.32, 0.5, 0.8, 1.3, 2.0, 3.2, 5.0, 8.0, 13.0, 20.0),
        "dispersions of the labels of a known cluster to choose from; small: labels prove little",
        low=1e-3,
    )
    least_prior: float = fraction(0.01, "least prior of a kind when dispersions are compared")
    stray_labels: float = fraction(0.03, "labels in a novel cluster / labels in a known one")
    own_weight: float = fraction(0.8, "share of its own log-odds in those of an utterance")
    nearest: int = tunable(3, "nearest intents listed for each utterance", "intents", 1)
    candidates: int = tunable(8, "nearest intents searched; some are dropped later", "intents", 1)
    max_dropped: int = tunable(
        10_000, "most unclear and too small clusters kept, the largest first", "clusters", 0
    )
    max_points: int = tunable(150_000, "most points clustered on one worker", "points", 1)
    max_density_points: int = tunable(30_000, "most points for HDBSCAN", "points", 1)


@dataclass(frozen=True, slots=True)
class CoherenceConfig(Section):
    """When a novel cluster is dropped because its utterances have little in common."""

    quantile: float = fraction(0.1, "reference: this quantile of known intents' coherence")
    min_ratio: float = tunable(
        0.65, "least coherence of a novel intent, as a share of the reference", low=0
    )
    far: float = tunable(
        3.0,
        "out-of-domain z-score beyond which an incoherent cluster is far from known intents",
        "spreads of known utterances",
    )
    own_neighbors: float = fraction(0.5, "least share of utterances nearest to their own cluster")
    far_own_neighbors: float = fraction(0.9, "the same share for a cluster that is far")


@dataclass(frozen=True, slots=True)
class DomainsConfig(Section):
    """Stage III: how intents are linked into domains."""

    default: float = tunable(1.0, "distance used if too few domains are known", "1 - CSLS", 0)
    max_intents: int = tunable(10_000, "most intents linked on one worker", "intents", 1)
    min_domains: int = tunable(
        5, "fewest domains with two known intents to learn a distance", low=2
    )
    draws: int = tunable(20, "draws of held-out domains", low=1)
    held_out_share: float = fraction(0.5, "share of domains held out in a draw")
    grid: Grid = tunable((0.5, 1.6, 0.02), "distances tried: first, last, step", "1 - CSLS", 0, 5)
    min_neighbors: int = tunable(3, "fewest intents in a neighborhood", "intents", 1)
    max_neighbors: int = tunable(10, "most intents in a neighborhood", "intents", 1)
    neighbors_without_domains: int = tunable(
        5, "intents in a neighborhood without known domains", "intents", 1
    )
    plateau: float = fraction(0.05, "distances with F1 this close to the best are equal")


@dataclass(frozen=True, slots=True)
class NamingConfig(Section):
    """Names, keywords and exemplars."""

    documents: int = tunable(100, "most utterances sampled to describe an intent", "utterances", 1)
    exemplars: int = tunable(5, "exemplars per intent", "utterances", 1)
    keywords: int = tunable(10, "keywords per intent", "terms", 1)
    max_words: int = tunable(5, "longest name", "words", 1)
    max_word_length: int = tunable(25, "longest word in a name", "characters", 1)
    max_evidence: int = tunable(40, "longest text used unchanged as a name", "characters", 2)
    min_readable: int = tunable(3, "shortest preferred exemplar", "words", 0)
    max_readable: int = tunable(15, "longest preferred exemplar", "words", 0)
    min_stem: int = tunable(3, "shortest base form of a word", "characters", 1)
    min_occurrences: int = tunable(2, "fewest utterances that contain a phrase of a name", low=1)
    candidate_words: int = tunable(30, "most characteristic words used in names", low=1)
    max_skipped: int = tunable(2, "meaningful words allowed between a pair", "words", 0)
    compared: int = tunable(5, "best candidates compared with the centroid", low=1)
    coverage_power: float = tunable(0.6, "exponent of a candidate's share of the intent", low=0)
    centrality_power: float = tunable(2.0, "exponent of a candidate's centrality", low=0)
    rarity: float = tunable(0.1, "added to the frequency of a term in all intents", low=0)
    one_word_factor: float = tunable(0.18, "score factor of one-word names", low=0)
    three_word_factor: float = tunable(1.8, "score factor of three-word names", low=0)
    asking_weight: float = tunable(0.2, "weight of a question word", low=0)
    apart_factor: float = fraction(0.35, "least score factor of words that are not adjacent")
    domain_words: int = tunable(3, "most words in a domain name", "words", 1)
    full_coverage: float = tunable(
        0.25, "share of utterances at which a word covers an intent", low=1e-6, high=1
    )
    min_domain_words: int = tunable(2, "words in a domain name regardless of gain", "words", 1)
    min_domain_gain: float = fraction(0.3, "least gain of another word / best gain")
    covered_discount: float = fraction(0.7, "how much a chosen word reduces the gain of others")


@dataclass(frozen=True, slots=True)
class Config(Section):
    """All tunables, by section.

    A model keeps the configuration of its fit. The sections in `DISCOVER_SECTIONS` apply when a log
    is processed, so they can be changed for a fitted model. The other sections apply in the fit.
    """

    seed: int = tunable(0, "seed of all random numbers", low=0, high=1_000_000_000)
    text: TextConfig = field(default_factory=TextConfig)
    masking: MaskingConfig = field(default_factory=MaskingConfig)
    labels: LabelsConfig = field(default_factory=LabelsConfig)
    conversation: ConversationConfig = field(default_factory=ConversationConfig)
    language: LanguageConfig = field(default_factory=LanguageConfig)
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
    levels: LevelsConfig = field(default_factory=LevelsConfig)
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


DISCOVER_SECTIONS = tuple("text language intents coherence linkage levels naming".split())

# Fast takes two thirds of the time and loses a little quality (benchmarks/history.md).
PRESETS: dict[str, dict[str, Any]] = {
    "full": {},
    "fast": {"metric.steps": 200, "metric.refresh": 50, "views.count": 0},
}
