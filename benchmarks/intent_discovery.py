"""Discover intents by the protocol of TEXTOIR, with K given and with K unknown.

A share of the intents is known. A tenth of their utterances in the train split is labeled, and the
rest of that split is unlabeled. Everything is learned on the train split and scored on the test
split, over all intents:

    python -m benchmarks.intent_discovery --known 0 0.25 0.5 0.75 --seeds 10 --out RESULT.json

Methods with K given:
  raw_k_means        k-means on the test vectors, as in the published tables
  head_k_means       the same in the learned space
  head_k_given       k-means in the learned space on the train split. The labeled utterances seed
                     the known intents, and the largest clusters without labels seed the others.
                     The linkage is cut at several distances; the tightest result wins.
  head_k_neighbors   the same; a test utterance follows the majority of its ten nearest neighbors

Methods with K unknown:
  pipeline           average linkage of the train split up to the learned distance, with known
                     intents as anchors; small clusters are absorbed
  pipeline_fast      the same with the fast preset
  discover           the rules of `advin discover`, which are made for skewed and noisy logs:
                     smaller clusters count if they look novel

All but the first two and `head_k_neighbors` assign a test utterance to the nearest center.

Methods that run only if named:
  pipeline_vectors   the head looks for positives by vectors only, not by words
  pipeline_sentence  learned from sentence vectors, without the middle layer
  linkage            all clusters that are large enough, without anchors
  margin_k_means     k-means after ADVIN's pairwise margin loss
  bertopic, hdbscan, evoc, fast_hdbscan
                     other tools on the encoder's vectors of the train split, without the noise
                     (see `benchmarks/peers.py`)
"""

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import faiss
import numpy as np
from sklearn.cluster import KMeans

from advin.discovery.clustering.linkage import Linkage, average_linkage
from advin.discovery.compute.classes import nearest_centroids
from advin.discovery.config import Config
from advin.discovery.encoding.identity import EncoderIdentity
from advin.discovery.encoding.lexical import lexical_vectors
from advin.discovery.encoding.texts import EmbeddedTexts
from advin.discovery.encoding.views import embedded_views
from advin.discovery.evaluation.measures import contingency, known_novel_accuracy
from advin.discovery.fit import needs_views
from advin.discovery.intents.decision import discover_intents
from advin.discovery.intents.points import Points, label_density
from advin.discovery.intents.rules import intent_rules
from advin.discovery.intents.space import learn_intent_space
from advin.discovery.labels import UNLABELED
from advin.discovery.metric.rows import TrainingRows
from advin.discovery.metric.settings import resolve_head
from advin.discovery.metric.training import train_metric_head
from advin.discovery.novelty.calibration import fit_novelty
from advin.discovery.selection.distance import IntentDistance
from benchmarks.anchors import anchored, novel_clusters, seeded_k_means, tightness
from benchmarks.common import (
    OPEN,
    TEST,
    TRAIN,
    Options,
    Results,
    Utterances,
    clustering_scores,
    encode,
    encoder_identity,
    load_utterances,
    parse_options,
    view_encoder,
)
from benchmarks.peers import PEERS

SETS = ("textoir_banking", "textoir_clinc")
KNOWN = (0.0, 0.25, 0.5, 0.75)
METHODS = (
    "raw_k_means",
    "head_k_means",
    "head_k_given",
    "head_k_neighbors",
    "pipeline",
    "pipeline_fast",
    "discover",
)
LABELED = 0.1
# A larger train split is sampled.
MAX_TRAIN = 20_000
_RESTARTS = 10
# Cuts that seed k-means with K given, relative to the learned distance.
_SEED_CUTS = (0.7, 0.8, 0.9, 1.0, 1.1)
_NEIGHBORS = 10
_DEFAULTS = Config()


def config_for(seed: int, effort: str = "full") -> Config:
    """Return the configuration of a preset with a seed."""
    return Config.preset(effort).with_values({"seed": seed})


@dataclass(frozen=True)
class Task:
    """One draw of known intents and labels. Heads are trained when they are first needed."""

    texts: np.ndarray
    train: np.ndarray
    labels: np.ndarray
    train_truth: np.ndarray
    test: np.ndarray
    truth: np.ndarray
    known: frozenset[str]
    seed: int
    encoder: EncoderIdentity
    encode_views: Callable[[list[str]], np.ndarray]

    @property
    def intents(self) -> int:
        """The true K."""
        return len(np.unique(self.truth))

    @cached_property
    def full(self) -> "Space":
        """The space that is learned by default."""
        return Space.learn(self, config_for(self.seed), self.views)

    @cached_property
    def views(self) -> np.ndarray | None:
        """Views of the train split, or None if `advin` would not make them."""
        if not needs_views(self.labels, Config()):
            return None
        return embedded_views(self.texts, self.train, self.encode_views, _DEFAULTS.views)

    @cached_property
    def fast(self) -> "Space":
        """The space that is learned with the fast preset."""
        return Space.learn(self, config_for(self.seed, "fast"))

    @cached_property
    def k_given(self) -> np.ndarray:
        """Clusters of the train split with K given: the tightest of several seedings."""
        space = self.full
        found = []
        for share in _SEED_CUTS:
            clusters = space.tree.cut(1 - share * space.distance.value)
            novel = novel_clusters(clusters, self.labels)[: self.intents - len(self.known)]
            seeds = anchored(space.train, self.labels, clusters, novel)
            found.append(seeded_k_means(space.train, self.labels, seeds))
        return max(found, key=lambda clusters: tightness(space.train, clusters))


@dataclass(frozen=True)
class Space:
    """The learned space of a task.

    Attributes:
        train: (n, d) vectors of the train split.
        test: (m, d) vectors of the test split.
        distance: the learned distance.
        log_odds: (n,) log-odds that rows of the train split are known; 0 without known intents.
        label_density: (n,) `label_density` of their best known intents.
        best_intents: (n,) int64, these intents; -1 without known intents.
        tree: linkage of the train split, a little beyond the learned distance.
        seconds: time to learn it.
    """

    train: np.ndarray
    test: np.ndarray
    distance: IntentDistance
    log_odds: np.ndarray
    label_density: np.ndarray
    best_intents: np.ndarray
    tree: Linkage
    seconds: float

    @cached_property
    def clusters(self) -> np.ndarray:
        """The clusters (n,) of the train split at the learned distance, of all sizes."""
        return self.tree.cut(1 - self.distance.value)

    @classmethod
    def learn(
        cls,
        task: Task,
        config: Config,
        views: np.ndarray | None = None,
        by_words: bool = True,
    ) -> "Space":
        """Fit stage I, learn the space and the distance, and link the train split."""
        start = time.perf_counter()
        lexical = lexical_vectors(task.texts, _DEFAULTS.lexical) if by_words else None
        rows = TrainingRows(task.train, task.labels, lexical, views, task.texts)
        labeled = task.labels >= 0
        novelty, log_odds, density = None, np.zeros(len(task.train)), np.zeros(len(task.train))
        best = np.full(len(task.train), -1)
        if labeled.any():
            names, given = np.unique(task.labels[labeled], return_inverse=True)
            train = EmbeddedTexts(task.texts, task.train)
            novelty = fit_novelty(
                train.take(labeled), given, len(names), config.novelty, seed=task.seed
            )
            scores = novelty.score(train)
            log_odds = scores.log_odds
            density = label_density(scores, given, len(names))[scores.best_class]
            best = names[scores.best_class]
        head, distance = learn_intent_space(rows, config, novelty)
        train, test = head.transform(task.train), head.transform(task.test)
        floor = 1 - max(_SEED_CUTS) * distance.value
        tree = average_linkage(train, np.ones(len(train)), floor=floor)
        seconds = time.perf_counter() - start
        return cls(train, test, distance, log_odds, density, best, tree, seconds)


@dataclass(frozen=True, slots=True)
class Embedded:
    """A data set, its vectors, and a function that encodes views."""

    utterances: Utterances
    vectors: np.ndarray
    encoder: EncoderIdentity
    encode_views: Callable[[list[str]], np.ndarray]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    options = parse_options(
        "Intent discovery, TEXTOIR protocol", SETS, KNOWN, arguments, tuple(_RUNS)
    )
    results = Results(options)
    for path in options.data:
        embedded = embed(path, options)
        for share in options.known:
            for seed in range(options.seeds):
                _measure(
                    draw_task(embedded, share, seed), results, (embedded.utterances.name, share)
                )
    results.finish()


def embed(path: Path, options: Options) -> Embedded:
    """Read a data set without its out-of-scope rows, and encode it."""
    utterances = load_utterances(path, options.distinct)
    utterances = utterances.take(np.flatnonzero(utterances.intents != ""))
    vectors = encode(utterances, options).astype(np.float32)
    encoder = encoder_identity(options)
    return Embedded(utterances, vectors, encoder, view_encoder(options))


def draw_task(embedded: Embedded, share: float, seed: int, limit: int = MAX_TRAIN) -> Task:
    """Draw the known intents and the labels of a task."""
    utterances, vectors = embedded.utterances, embedded.vectors
    known = utterances.known_intents(share, seed)
    random = np.random.default_rng(seed)
    train = np.flatnonzero(utterances.splits == TRAIN)
    train = np.sort(random.permutation(train)[:limit])
    test = np.flatnonzero(utterances.splits == TEST)
    given = utterances.labels(known)[train]
    labels = np.full(len(train), OPEN, np.int64)
    for intent in range(len(known)):
        rows = np.flatnonzero(given == intent)
        labels[random.permutation(rows)[: max(1, round(LABELED * len(rows)))]] = intent
    return Task(
        texts=utterances.texts[train],
        train=vectors[train],
        labels=labels,
        train_truth=utterances.intents[train].astype(str),
        test=vectors[test],
        truth=utterances.intents[test].astype(str),
        known=frozenset(known),
        seed=seed,
        encoder=embedded.encoder,
        encode_views=embedded.encode_views,
    )


def _measure(task: Task, results: Results, key: tuple[str, float]) -> None:
    for method in results.options.methods or METHODS:
        start = time.perf_counter()
        found, extra = _RUNS[method](task)
        seconds = extra.pop("seconds", time.perf_counter() - start)
        results.add((*key, method), _scores(task, found) | extra, seconds)


def _scores(task: Task, found: np.ndarray) -> dict[str, float]:
    scores = clustering_scores(task.truth, found)
    if 0 < len(task.known) < task.intents:
        accuracies = known_novel_accuracy(contingency(task.truth, found), task.known)
        names = ("known ACC", "novel ACC", "H-score")
        scores |= {name: 100 * value for name, value in zip(names, accuracies, strict=True)}
    return scores


def _k_means(vectors: np.ndarray, task: Task) -> KMeans:
    return KMeans(task.intents, n_init=_RESTARTS, random_state=task.seed).fit(vectors)


def _raw_k_means(task: Task) -> tuple[np.ndarray, dict[str, float]]:
    return _k_means(task.test, task).labels_, {}


def _head_k_means(task: Task) -> tuple[np.ndarray, dict[str, float]]:
    return _k_means(task.full.test, task).labels_, {"seconds": task.full.seconds}


def _head_k_given(task: Task) -> tuple[np.ndarray, dict[str, float]]:
    space = task.full
    found, _ = nearest_centroids(space.test, space.train, task.k_given)
    return found, {"seconds": space.seconds}


def _head_k_neighbors(task: Task) -> tuple[np.ndarray, dict[str, float]]:
    space = task.full
    _, nearest = faiss.knn(space.test, space.train, _NEIGHBORS, metric=faiss.METRIC_INNER_PRODUCT)
    # Ties go to the cluster with the smallest number.
    votes = [np.bincount(task.k_given[row]).argmax() for row in nearest]
    return np.array(votes), {"seconds": space.seconds}


def _margin_k_means(task: Task) -> tuple[np.ndarray, dict[str, float]]:
    rows = TrainingRows(task.train, task.labels)
    config = config_for(task.seed).with_values({"metric.loss": "margin"})
    head = train_metric_head(rows, resolve_head(rows, config))
    return _k_means(head.transform(task.test), task).labels_, {}


def _pipeline(space: Space, labels: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
    novel = novel_clusters(space.clusters, labels, space.distance.small)
    clusters = anchored(space.train, labels, space.clusters, novel)
    extra = {
        "K": len(np.unique(clusters)),
        "distance": 100 * space.distance.value,
        "seconds": space.seconds,
    }
    return nearest_centroids(space.test, space.train, clusters)[0], extra


def _pipeline_vectors(task: Task) -> tuple[np.ndarray, dict[str, float]]:
    space = Space.learn(task, config_for(task.seed), task.views, by_words=False)
    return _pipeline(space, task.labels)


def _pipeline_sentence(task: Task) -> tuple[np.ndarray, dict[str, float]]:
    part = task.encoder.sentence_part
    views = None if task.views is None else np.stack([part(view) for view in task.views])
    sentence = replace(task, train=part(task.train), test=part(task.test))
    return _pipeline(Space.learn(sentence, config_for(task.seed), views), task.labels)


def _linkage(task: Task) -> tuple[np.ndarray, dict[str, float]]:
    return _pipeline(task.full, np.full(len(task.labels), UNLABELED))


def _discover(task: Task) -> tuple[np.ndarray, dict[str, float]]:
    space = task.full
    points = Points(
        vectors=space.train,
        weights=np.ones(len(space.train)),
        labels=task.labels,
        log_odds=space.log_odds,
        label_density=space.label_density,
        intents=space.best_intents,
    )
    intents = discover_intents(points, intent_rules(space.distance, Config()), Config())
    # The protocol gives every utterance an intent, so the radius is ignored.
    found = (space.test @ intents.centroids.T).argmax(axis=1)
    return found, {"K": len(intents.centroids), "seconds": space.seconds}


def _peer(task: Task, name: str) -> tuple[np.ndarray, dict[str, float]]:
    clusters = PEERS[name](task.train, task.seed)
    kept = clusters >= 0
    extra = {"K": len(np.unique(clusters[kept])), "noise": 100 * float(np.mean(~kept))}
    return nearest_centroids(task.test, task.train[kept], clusters[kept])[0], extra


_RUNS = {
    "raw_k_means": _raw_k_means,
    "head_k_means": _head_k_means,
    "head_k_given": _head_k_given,
    "head_k_neighbors": _head_k_neighbors,
    "pipeline": lambda task: _pipeline(task.full, task.labels),
    "pipeline_fast": lambda task: _pipeline(task.fast, task.labels),
    "discover": _discover,
    "pipeline_vectors": _pipeline_vectors,
    "pipeline_sentence": _pipeline_sentence,
    "linkage": _linkage,
    "margin_k_means": _margin_k_means,
    **{name: functools.partial(_peer, name=name) for name in PEERS},
}


if __name__ == "__main__":
    main()
