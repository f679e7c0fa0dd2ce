from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from small_heads import configured, train_head
from synthetic import around, wordless

from advin.discovery.clustering.linkage import average_linkage
from advin.discovery.compute.parallel import run_parallel
from advin.discovery.evaluation.agreement import ari, contingency
from advin.discovery.intents.space import learn_intent_space
from advin.discovery.labels import SUSPECTED_NOVEL, UNLABELED
from advin.discovery.metric.neighbors import unlabeled_neighbors
from advin.discovery.metric.rows import TrainingRows
from advin.discovery.metric.settings import resolve_head
from advin.discovery.metric.training import train_metric_head
from advin.discovery.novelty.calibration import fit_novelty
from advin.discovery.selection import distance
from advin.discovery.selection.distance import (
    DEFAULT,
    LEARNED,
    held_out_folds,
    intent_distance,
    intent_f1,
)

FAST = configured(hidden=64, steps=40, refresh=20, batch=128)


def with_distance(**values):
    return FAST.with_values({f"distance.{name}": value for name, value in values.items()})


def intents(known=12, novel=6, per_intent=30, spread=0.7, seed=0):
    """Unit vectors around random centers, and labels of a third of the known intents' rows."""
    random = np.random.default_rng(seed)
    truth = np.tile(np.arange(known + novel), per_intent)
    centers = random.normal(size=(known + novel, 24))
    vectors = around(centers, truth, spread, random)
    labeled = (truth < known) & (random.random(len(truth)) < 1 / 3)
    return vectors.astype(np.float32), truth, np.where(labeled, truth, -1)


def learn_folds(rows, config, suspect=None):
    return run_parallel(held_out_folds(rows, resolve_head(rows, config), config, suspect))


def learn_intent_distance(rows, config, suspect=None):
    neighbors = resolve_head(rows, config).neighbors
    return intent_distance(neighbors, learn_folds(rows, config, suspect), config)


@pytest.fixture
def trained(monkeypatch):
    """The rows and settings of the heads of all folds, which are trained for one step."""
    seen = []

    def spy(rows, settings):
        seen.append((rows, settings))
        training = replace(settings.training, steps=1)
        return train_metric_head(rows, replace(settings, training=training))

    monkeypatch.setattr(distance, "train_metric_head", spy)
    return seen


rows = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()), min_size=1, max_size=12
)


def f1(clusters, labels, held):
    """`intent_f1` in which all rows are labeled."""
    return intent_f1(clusters, labels, held, 1 / np.bincount(labels)[labels])


@given(rows)
# No pair counts here; sums of thirds must not leave a rounding error.
@example([(0, 0, False), (0, 0, False), (0, 0, False), (0, 1, False), (1, 2, True)])
def test_intent_f1_is_the_weighted_f1_over_pairs_with_a_held_out_row(given_rows):
    clusters, labels, held = (np.array(column) for column in zip(*given_rows, strict=True))
    size = np.bincount(labels)
    clustered = alike = both = 0
    for a, b in combinations(range(len(labels)), 2):
        if held[a] or held[b]:
            one, same = clusters[a] == clusters[b], labels[a] == labels[b]
            pair = 1 / (size[labels[a]] * size[labels[b]])
            clustered, alike = clustered + pair * one, alike + pair * same
            both += pair * (one and same)
    expected = 2 * both / (clustered + alike) if clustered + alike else 1.0
    assert f1(clusters, labels, held) == pytest.approx(expected)


def test_intent_f1_falls_if_a_held_out_intent_is_merged_into_a_known_one():
    labels = np.array([0, 0, 1, 1])
    held = labels == 1
    assert f1(labels, labels, held) == 1
    assert f1(np.zeros(4, int), labels, held) < 0.6


def test_intent_f1_does_not_depend_on_the_size_of_an_intent():
    labels = np.array([0] * 40 + [1] * 4 + [2] * 4)
    held = np.ones(48, bool)
    merged = np.where(labels == 2, 1, labels)
    larger = np.repeat(np.arange(48), np.where(labels == 0, 10, 1))
    assert f1(merged, labels, held) < 0.8
    assert f1(merged[larger], labels[larger], held[larger]) == pytest.approx(
        f1(merged, labels, held), abs=0.01
    )


def test_a_suspected_row_counts_as_one_of_an_intent_as_large_as_a_held_out_one():
    # Two known intents with two labeled rows each, one of them held out, and six in the log.
    labels = np.array([0, 0, 1, 1] + 6 * [UNLABELED] + 10 * [SUSPECTED_NOVEL])
    shares = distance._shares(labels, labels == 1)
    assert (shares[:4] == 1 / 2).all()
    assert shares[labels == SUSPECTED_NOVEL] == pytest.approx(1 / (6 / 2 + 2))


def test_the_learned_distance_gives_the_true_number_of_intents():
    vectors, truth, labels = intents()
    learned = learn_intent_distance(TrainingRows(vectors, labels), FAST)
    assert learned.origin == LEARNED
    space = train_head(TrainingRows(vectors, labels), FAST).transform(vectors)
    clusters = average_linkage(space, np.ones(len(space)), 0.0).cut(1 - learned.value)
    sizes = np.unique(clusters, return_counts=True)[1]
    assert abs((sizes >= learned.small).sum() - truth.max() - 1) <= 2


def test_a_fold_is_not_trained_on_the_labels_that_it_is_scored_on(trained):
    vectors, _, labels = intents()
    learn_intent_distance(TrainingRows(vectors, labels), FAST)
    everything = set(labels[labels >= 0])
    hidden = [everything - set(rows.labels) for rows, _ in trained]
    assert all(hidden) and set.union(*hidden) == everything
    assert sum(map(len, hidden)) == len(everything)


def test_a_fold_suspects_rows_by_its_visible_labels_only(monkeypatch, trained):
    vectors, _, labels = intents()
    visible = []

    def suspect(rows):
        visible.append(rows.labels)
        return replace(rows, labels=np.where(rows.labels < 0, SUSPECTED_NOVEL, rows.labels))

    # One fold after the other, so that both lists have the same order.
    monkeypatch.setattr("advin.discovery.compute.parallel.processors", lambda: 1)
    learn_intent_distance(TrainingRows(vectors, labels), FAST, suspect)
    assert len(visible) == len(trained) == 3
    for hidden, (used, _) in zip(visible, trained, strict=True):
        assert 0 < len(np.unique(hidden[hidden >= 0])) < len(np.unique(labels[labels >= 0]))
        assert (used.labels == np.where(hidden < 0, SUSPECTED_NOVEL, hidden)).all()


def learn_with(labels, neighbors, config=FAST):
    vectors, _, _ = intents()
    learn_folds(TrainingRows(vectors, labels), configured(config, neighbors=neighbors))


def test_held_out_intents_are_as_small_as_the_intents_of_a_short_log(trained):
    _, truth, _ = intents()
    # Of the 30 rows of each of 18 intents, 25 are labeled and 5 are in the log.
    labels = np.where(np.arange(len(truth)) < 25 * 18, truth, -1)
    learn_with(labels, 20)
    assert len(trained) == 3
    for visible, settings in trained:
        assert len(np.unique(visible.labels[visible.labels >= 0])) == 12
        assert np.count_nonzero(visible.labels >= 0) == 12 * 25
        assert np.count_nonzero(visible.labels < 0) == 18 * 5 + 6 * 5
        assert settings.neighbors == 20
        # The count of the final head, with five sixths of the rows labeled.
        assert settings.unlabeled_neighbors == unlabeled_neighbors(20, labels, FAST.neighbors) == 7


def test_held_out_intents_keep_all_rows_if_the_log_is_long(trained):
    _, _, labels = intents()
    learn_with(labels, 10)
    assert [len(visible) for visible, _ in trained] == [len(labels)] * 3


def test_the_neighbor_count_is_scaled_to_the_sample_of_a_fold(monkeypatch, trained):
    _, _, labels = intents()
    rows = int(np.count_nonzero(labels >= 0)) + 100
    learn_with(labels, 20, with_distance(max_rows=rows))
    share = 100 / np.count_nonzero(labels < 0)
    assert [settings.neighbors for _, settings in trained] == [round(20 * share)] * 3
    few = round(unlabeled_neighbors(20, labels, FAST.neighbors) * share)
    assert [settings.unlabeled_neighbors for _, settings in trained] == [few] * 3
    assert all(np.count_nonzero(visible.labels < 0) >= 100 for visible, _ in trained)


def test_a_fold_keeps_lexical_vectors_and_vectors_in_the_same_order(monkeypatch, trained):
    vectors, _, labels = intents()
    config = with_distance(max_rows=len(vectors) // 2)
    learn_intent_distance(TrainingRows(vectors, labels, vectors[:, :4]), config)
    assert len(trained) == 3
    for rows, _ in trained:
        assert len(rows) == len(vectors) // 2
        assert (rows.lexical == rows.vectors[:, :4]).all()


def test_the_same_seed_gives_the_same_distance():
    vectors, _, labels = intents()
    first, again = (learn_intent_distance(TrainingRows(vectors, labels), FAST) for _ in range(2))
    assert (first.value, first.radius) == (again.value, again.radius)
    assert first.quality.tobytes() == again.quality.tobytes()


def test_a_sample_holds_every_intent(monkeypatch):
    _, _, labels = intents()
    labels[labels < 0] = SUSPECTED_NOVEL
    config = with_distance(max_rows=200, labeled_rows=60)
    rows = distance._sample(labels, config.distance, np.random.default_rng(0))
    assert len(rows) == len(np.unique(rows)) == 200
    counts = np.bincount(labels[rows][labels[rows] >= 0])
    assert counts.sum() == 60 and counts.min() >= 3


def test_a_sample_of_many_intents_holds_enough_rows_of_each(monkeypatch):
    _, _, labels = intents()
    labels[labels < 0] = SUSPECTED_NOVEL
    config = with_distance(labeled_rows=10)
    rows = distance._sample(labels, config.distance, np.random.default_rng(0))
    have, kept = (np.bincount(of[of >= 0]) for of in (labels, labels[rows]))
    assert (kept >= np.minimum(have, FAST.distance.smallest_intent)).all()
    assert kept.sum() == FAST.distance.smallest_intent * 12 < have.sum()


@pytest.mark.parametrize(("look_known", "labeled"), [(30, 60), (75, 75), (160, 90)])
def test_a_sample_has_as_many_labeled_rows_as_rows_that_look_known(
    monkeypatch, look_known, labeled
):
    _, _, labels = intents()
    labels[np.flatnonzero(labels < 0)[look_known:]] = SUSPECTED_NOVEL
    config = with_distance(max_rows=180, labeled_rows=60)
    rows = distance._sample(labels, config.distance, np.random.default_rng(0))
    assert len(rows) == 180 and np.count_nonzero(labels[rows] >= 0) == labeled


def test_novel_intents_beside_known_ones_are_not_merged_with_them():
    """Each known intent lies among four novel ones, which only stage I can separate from it."""
    random = np.random.default_rng(1)
    centers = np.repeat(random.normal(size=(5, 24)), 5, axis=0) + random.normal(size=(25, 24))
    truth = np.tile(np.arange(25), 30)
    vectors = around(centers, truth, 0.6, random).astype(np.float32)
    labeled = (truth % 5 == 0) & (np.arange(len(truth)) // 25 % 3 == 0)
    rows = TrainingRows(vectors, np.where(labeled, truth // 5, UNLABELED))
    config = configured(FAST, neighbors=20)
    novelty = fit_novelty(wordless(vectors[labeled]), truth[labeled] // 5, 5, config.novelty)
    head, learned = learn_intent_space(rows, config, novelty)
    by_labels = learn_intent_distance(rows, config)
    tree = average_linkage(head.transform(vectors), np.ones(len(vectors)), 0.0)
    found, merged = (ari(contingency(truth, tree.cut(1 - by.value))) for by in (learned, by_labels))
    assert learned.origin == by_labels.origin == LEARNED
    assert found > merged + 0.2


@pytest.mark.parametrize("known", [0, 1, 3])
def test_too_few_known_intents_give_the_default_distance(known):
    vectors, _, labels = intents()
    labels = np.where(labels < known, labels, -1)
    learned = learn_intent_distance(TrainingRows(vectors, labels), FAST)
    assert learned.origin == DEFAULT
    assert learned.value == FAST.distance.default
