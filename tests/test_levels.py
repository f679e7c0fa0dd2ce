"""Levels of novel intents: they nest, add up, and follow the granularity and the limit."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from synthetic import unit
from test_discover import DIMENSION, small_model

from advin.discovery.config import Config
from advin.discovery.discover import Log, discover
from advin.discovery.intents.decision import discover_intents
from advin.discovery.intents.levels import LEVELS
from advin.discovery.intents.merging import MergeDistances, label_trust
from advin.discovery.intents.points import Points
from advin.discovery.intents.rules import IntentRules
from advin.discovery.intents.stability import best_overlaps, stabilities
from advin.discovery.labels import NOVEL, UNLABELED
from advin.discovery.metric.head import MetricHead
from advin.discovery.selection.distance import SEPARATED, IntentDistance
from advin.discovery.selection.plateau import plateau_ends

# Three topics of two intents each; each intent has two wordings.
TOPICS, INTENTS, WORDINGS, ROWS = 3, 2, 2, 12
GRID = np.array([0.05, 0.3, 0.7, 0.95])


def nested_log() -> Log:
    """Wordings are 0.17 apart, intents of a topic 0.5, topics 1."""
    random = np.random.default_rng(0)
    axes = np.eye(DIMENSION)
    vectors, texts = [], []
    for topic in range(TOPICS):
        for intent in range(INTENTS):
            for wording in range(WORDINGS):
                first = 6 * topic
                center = 1.1 * axes[first] + axes[first + 1 + intent]
                center = center + 0.65 * axes[first + 3 + wording]
                noise = 0.02 * random.normal(size=(ROWS, DIMENSION))
                vectors.append(unit(center + noise))
                name = f"topic{topic} intent{intent} wording{wording}"
                texts += [f"{name} text {i}" for i in range(ROWS)]
    counts = np.arange(len(texts)) % 3 + 1
    return Log.of(texts, counts, np.concatenate(vectors).astype(np.float32))


def heads(n: int) -> tuple[MetricHead, ...]:
    zeros, bias = np.zeros((DIMENSION, DIMENSION), np.float32), np.zeros(DIMENSION, np.float32)
    return (MetricHead(zeros, bias, zeros, bias),) * n


def model(n_heads: int = 3, **levels):
    """A model that compared distances: all on the grid are about as good as 0.3."""
    found = small_model(known=0)
    curve = np.array([[0.0, 0.9, 0.9, 0.0]])
    distance = IntentDistance(0.4, 0.6, 9, SEPARATED, np.array([0.1, 0.12, 0.65, 0.9]), curve)
    config = found.config.with_values({f"levels.{name}": value for name, value in levels.items()})
    distance = replace(distance, heads=heads(n_heads))
    nothing = np.zeros((0, DIMENSION), np.float16)
    labels = np.zeros(0, np.int64)
    return replace(found, config=config, distance=distance, anchors=nothing, anchor_labels=labels)


@pytest.fixture(scope="module")
def found():
    return discover(nested_log(), model())


def at(found, level):
    return [row for row in found.levels if row.level == level]


def test_the_levels_hold_the_planted_topics_intents_and_wordings(found):
    numbers = [len(at(found, level)) for level in LEVELS]
    assert numbers == [TOPICS, TOPICS * INTENTS, TOPICS * INTENTS * WORDINGS]
    assert {row.intent_id for row in found.intents} == {r.intent_id for r in at(found, "auto")}


def test_every_intent_lies_in_one_intent_of_the_next_coarser_level(found):
    for level, above in zip(LEVELS[1:], LEVELS, strict=False):
        sizes, distinct = Counter(), Counter()
        for row in at(found, level):
            sizes[row.parent_id] += row.size
            distinct[row.parent_id] += row.distinct_size
        assert sizes == {row.intent_id: row.size for row in at(found, above)}
        assert distinct == {row.intent_id: row.distinct_size for row in at(found, above)}
    assert {row.parent_id for row in at(found, "coarse")} == {None}


def test_each_utterance_has_a_fine_intent_inside_its_intent(found):
    parent = {row.intent_id: row.parent_id for row in at(found, "fine")}
    rows = found.assignments
    assert [parent[fine] for fine in rows.fine_intent_id] == rows.intent_id
    sizes = Counter(dict.fromkeys(parent, 0))
    for fine, count in zip(rows.fine_intent_id, rows.count.tolist(), strict=True):
        sizes[fine] += count
    assert sizes == {row.intent_id: row.size for row in at(found, "fine")}
    by_text = dict(zip(rows.text, rows.fine_intent_id, strict=True))
    names = {(" ".join(text.split()[:3]), fine) for text, fine in by_text.items()}
    assert len(names) == len(parent)


def test_intents_refer_to_the_coarse_level(found):
    above = {row.intent_id: row.parent_id for row in at(found, "auto")}
    assert {row.intent_id: row.parent_intent for row in found.intents} == above


@pytest.mark.parametrize("level", LEVELS)
def test_the_granularity_chooses_the_level_of_the_tables(found, level):
    other = discover(nested_log(), model(granularity=level))
    assert other.levels == found.levels
    assert {r.intent_id for r in other.intents} == {r.intent_id for r in at(found, level)}
    ids = {row.intent_id for row in other.intents}
    assert set(other.assignments.intent_id) == ids
    assert {i for near in other.assignments.nearest_intents for i in near} <= ids
    assert other.assignments.fine_intent_id == found.assignments.fine_intent_id
    assert sum(row.size for row in other.intents) == sum(row.size for row in found.intents)
    names = {row.intent_id: row.name for row in at(found, level)}
    assert {row.intent_id: row.name for row in other.intents} == names


@pytest.mark.parametrize("granularity", LEVELS)
@pytest.mark.parametrize("most", [1, 2, 4, 5, 11, 12])
def test_there_are_at_most_as_many_novel_intents_as_asked_for(granularity, most):
    limited = discover(nested_log(), model(granularity=granularity, max_intents=most))
    expected = {"coarse": 3, "auto": 6, "fine": 12 if most == 12 else 6}[granularity]
    assert len(limited.intents) == min(most, expected)
    test_every_intent_lies_in_one_intent_of_the_next_coarser_level(limited)


def test_known_intents_are_at_no_level():
    vectors, counts = nested_log().vectors, nested_log().counts
    log = Log.of(list(nested_log().texts), counts, vectors)
    mixed = discover(log, replace(small_model(known=2), distance=model().distance))
    known = {row.intent_id for row in mixed.intents if row.kind == "known"}
    assert known and not known & {row.intent_id for row in mixed.levels}
    assert all(row.parent_intent is None for row in mixed.intents if row.kind == "known")


def test_clear_intents_are_stable_and_fewer_than_two_heads_give_no_stability(found):
    assert min(row.stability for row in found.levels) == 1
    for n in (0, 1):
        alone = discover(nested_log(), model(n_heads=n))
        assert {row.stability for row in [*alone.levels, *alone.intents]} == {None}


def test_an_intent_that_other_heads_split_is_less_stable():
    whole, halves = np.repeat([0, 1], 40), np.repeat([0, 1, 2], [40, 20, 20])
    assert best_overlaps(whole, halves, 2).tolist() == [1, 0.5]
    points = unit(np.random.default_rng(0).normal(size=(400, DIMENSION)))
    chance = stabilities(points, [np.arange(400) // 100], [0.4], heads(2), seed=0)
    assert chance[0].max() < 0.2


def test_the_ends_of_the_plateau_are_those_around_the_value():
    curve = np.array([0.9, 0.2, 0.8, 1.0, 0.9, 0.1, 0.95])
    grid = np.arange(7) / 10
    assert plateau_ends(grid, curve, 0.25, 0.3) == (0.2, 0.4)
    assert plateau_ends(grid, curve, 0.05, 0.3) == (0.3, 0.3)


def labeled_topics(matching: bool):
    """A log of 12 wordings of 6 intents, its labels, and a distance that splits wordings.

    The labels of four more intents lie beside the log's utterances of these intents, or apart from
    them although stage I takes these utterances for known.
    """
    log, random = nested_log(), np.random.default_rng(1)
    centers = np.eye(DIMENSION)[-4:]
    known = np.repeat(np.arange(4), 30)
    spoken = unit(centers[known] + 0.02 * random.normal(size=(120, DIMENSION)))
    shift = 0.0 if matching else 1.0
    labels = unit(spoken[::3] + shift * np.eye(DIMENSION)[-5])
    n = len(log.texts)
    vectors = np.concatenate([log.vectors.astype(np.float32), spoken, labels]).astype(np.float32)
    is_log = np.arange(len(vectors)) < n + len(spoken)
    intents = np.concatenate([np.full(n, -1), known, known[::3]])
    return Points(
        vectors=vectors,
        weights=np.ones(len(vectors)),
        labels=np.where(is_log, UNLABELED, intents),
        log_odds=np.where(is_log & (intents >= 0), 6.0, -6.0),
        label_density=np.full(len(vectors), 30.0),
        intents=np.maximum(intents, 0),
    )


@pytest.mark.parametrize(("matching", "merged"), [(True, False), (False, True)])
def test_novel_intents_merge_only_where_labels_and_log_do_not_match(matching, merged):
    rules = IntentRules(0.1, 0.1, 5, 0.1, 0.1, from_labels=True)
    points = labeled_topics(matching)
    found = discover_intents(points, rules, Config())
    assert np.count_nonzero(found.kinds == NOVEL) == TOPICS * INTENTS * WORDINGS
    assert (found.merges.auto > rules.distance) == merged
    assert (found.merges.coarse > 0.4) == merged
    assert found.radii[0] == pytest.approx(max(rules.radius, 0.7 * found.merges.auto))
    learned = discover_intents(
        labeled_topics(matching), replace(rules, from_labels=False), Config()
    )
    assert learned.merges == MergeDistances(0.0, rules.coarse)


@pytest.mark.parametrize(
    ("looks_known", "with_labels", "trust"),
    [(0, 0, 0), (100, 100, 1), (100, 90, 0.75), (100, 80, 0), (100, 20, 0)],
)
def test_the_trust_in_labels_follows_their_match(looks_known, with_labels, trust):
    assert label_trust(looks_known, with_labels, 0.8) == pytest.approx(trust)
    assert label_trust(looks_known, with_labels, 1.0) == 0
