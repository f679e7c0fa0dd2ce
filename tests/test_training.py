import numpy as np
import pytest
import torch
from small_heads import configured, train_head
from synthetic import draw_noisy_intents

from advin.discovery.metric import losses, neighbors
from advin.discovery.metric.head import MetricHead
from advin.discovery.metric.losses import contrastive_loss
from advin.discovery.metric.neighbors import (
    default_neighbors,
    nearest_neighbors,
    unlabeled_neighbors,
)
from advin.discovery.metric.rows import TrainingRows
from advin.discovery.metric.settings import labeled_weight

FAST = configured(hidden=128, steps=100, refresh=20, batch=256)


def some_labels(truth, known, each):
    labels = np.full(len(truth), -1, np.int64)
    for intent in range(known):
        labels[np.flatnonzero(truth == intent)[:each]] = intent
    return labels


def precision(vectors, truth):
    """Share of the nearest rows with the same intent, among as many rows as the intent has."""
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -np.inf)
    shares = []
    for row, order in enumerate(np.argsort(-similarity, axis=1)):
        others = (truth == truth[row]).sum() - 1
        shares.append((truth[order[:others]] == truth[row]).mean())
    return float(np.mean(shares))


@pytest.mark.parametrize("loss", ["contrastive", "margin"])
def test_training_separates_intents_without_labels_from_each_other(loss):
    vectors, truth = draw_noisy_intents()
    rows = TrainingRows(vectors, some_labels(truth, known=8, each=8))
    head = train_head(rows, configured(FAST, loss=loss))
    novel = truth >= 8
    learned = head.transform(vectors)
    assert precision(learned[novel], truth[novel]) > precision(vectors[novel], truth[novel]) + 0.1


def test_training_without_any_labels_separates_intents():
    vectors, truth = draw_noisy_intents()
    head = train_head(TrainingRows(vectors, np.full(len(truth), -1)), FAST)
    assert precision(head.transform(vectors), truth) > precision(vectors, truth) + 0.1


def test_rows_with_the_same_words_are_pulled_together():
    vectors, truth = draw_noisy_intents(spread=0.8)
    nothing = np.full(len(truth), -1)
    words = np.random.default_rng(1).normal(size=(truth.max() + 1, 8))[truth].astype(np.float32)
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    by_both, by_vectors = (
        train_head(TrainingRows(vectors, nothing, lexical), FAST).transform(vectors)
        for lexical in (words, None)
    )
    assert precision(by_both, truth) > precision(by_vectors, truth) + 0.05


def test_empty_lexical_vectors_change_nothing():
    vectors, truth = draw_noisy_intents()
    heads = [
        train_head(TrainingRows(vectors, truth, lexical), configured(FAST, steps=20))
        for lexical in (None, np.zeros((len(truth), 0), np.float32), np.zeros((len(truth), 5)))
    ]
    plain, *others = (head.transform(vectors).tobytes() for head in heads)
    assert others == [plain, plain]


def test_the_head_ignores_features_that_views_vary():
    vectors, truth = draw_noisy_intents(spread=0.8)
    nothing = np.full(len(truth), -1)
    # Views of an utterance differ in a quarter of the dimensions, which are noise.
    views = np.repeat(vectors[None], 2, axis=0)
    views[:, :, -8:] = np.random.default_rng(1).permuted(views[:, :, -8:], axis=1)
    with_views, without = (
        train_head(TrainingRows(vectors, nothing, views=given), FAST).transform(vectors)
        for given in (views, None)
    )
    assert precision(with_views, truth) > precision(without, truth) + 0.03


def test_selected_rows_keep_their_views():
    vectors, truth = draw_noisy_intents()
    views = np.stack([vectors, -vectors])
    taken = TrainingRows(vectors, truth, views=views).take(np.array([3, 1]))
    assert taken.views is not None and (taken.views == views[:, [3, 1]]).all()


def test_labels_prevail_over_neighbors():
    vectors, truth = draw_noisy_intents(intents=4)
    labels = truth // 2  # two centers each are one intent
    learned = train_head(TrainingRows(vectors, labels), FAST).transform(vectors)
    assert precision(learned, labels) > 0.95 > precision(vectors, labels) + 0.1


def test_labeled_batches_count_only_if_random_batches_hold_few_labels():
    vectors, truth = draw_noisy_intents()

    def trained(labels, labeled_batch):
        settings = configured(FAST, steps=5, labeled_batch=labeled_batch)
        return train_head(TrainingRows(vectors, labels), settings).weight_out

    few = some_labels(truth, known=8, each=8)
    weights = [labeled_weight(labels, FAST.metric) for labels in (few * 0 - 1, few, truth)]
    assert weights[0] == 1 > weights[1] > weights[2]
    assert np.array_equal(trained(truth, 100), trained(truth, 200))
    assert not np.array_equal(trained(few, 100), trained(few, 200))


def test_an_unlabeled_row_has_fewer_positives_if_most_rows_are_labeled(monkeypatch):
    vectors, truth = draw_noisy_intents()
    unlabeled = np.arange(len(truth)) < 0.2 * len(truth)
    seen = []

    def watched(vectors, positives, temperature):
        seen.append(positives)
        return contrastive_loss(vectors, positives, temperature)

    monkeypatch.setattr(losses, "contrastive_loss", watched)
    settings = configured(FAST, batch=len(truth), steps=1, neighbors=40, labeled_weight=0)
    train_head(TrainingRows(vectors, np.where(unlabeled, -1, truth)), settings)
    [positives] = seen
    of_a_row = np.sort((positives > 0).sum(dim=1).numpy())
    without, labeled = np.split(of_a_row, [np.count_nonzero(unlabeled)])
    # Each of 12 intents has 32 labeled rows.
    assert (without == 40 * 0.4).all() and (labeled >= 31).all()


def test_unlabeled_neighbors_fall_to_a_lower_bound_as_more_rows_are_labeled():
    labels = np.arange(200)
    numbers = [
        unlabeled_neighbors(60, np.where(labels < n, 0, -1), FAST.neighbors)
        for n in range(0, 201, 50)
    ]
    assert numbers == [60, 60, 60, 30, 5]
    assert unlabeled_neighbors(3, labels, FAST.neighbors) == 3


def test_transform_returns_float32_unit_vectors_for_float16_input_too():
    vectors, truth = draw_noisy_intents()
    head = train_head(TrainingRows(vectors, truth), FAST)
    for given in (vectors, vectors.astype(np.float16)):
        learned = head.transform(given)
        assert learned.dtype == np.float32
        assert np.allclose(np.linalg.norm(learned, axis=1), 1, atol=1e-5)
    assert head.transform(vectors[:0]).shape == (0, vectors.shape[1])


def test_a_space_of_bounded_dimension_uses_features_beyond_the_bound():
    signal, truth = draw_noisy_intents()
    noise = 0.05 * np.random.default_rng(1).normal(size=(len(truth), FAST.metric.dimension))
    vectors = np.concatenate([noise, signal], axis=1).astype(np.float32)
    head = train_head(TrainingRows(vectors, truth), FAST)
    learned = head.transform(vectors)
    assert learned.shape == (len(vectors), FAST.metric.dimension)
    assert precision(vectors[:, : FAST.metric.dimension], truth) < 0.2
    assert precision(learned, truth) > 0.9


def test_the_seed_decides_the_bytes():
    vectors, truth = draw_noisy_intents()
    labels = some_labels(truth, known=8, each=8)
    first, again, other = (
        train_head(TrainingRows(vectors, labels), configured(FAST, steps=20, seed=seed))
        for seed in (3, 3, 4)
    )
    for name, array in first.to_arrays().items():
        assert array.tobytes() == again.to_arrays()[name].tobytes()
    assert not np.array_equal(first.weight_out, other.weight_out)


def test_training_does_not_touch_the_global_random_state():
    vectors, truth = draw_noisy_intents()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train_head(TrainingRows(vectors, truth), FAST)
    assert torch.equal(torch.rand(3), expected)


def test_a_stored_head_transforms_alike():
    vectors, truth = draw_noisy_intents()
    head = train_head(TrainingRows(vectors, truth), FAST)
    restored = MetricHead.from_arrays(head.to_arrays())
    assert np.array_equal(restored.transform(vectors), head.transform(vectors))


@pytest.mark.parametrize("rows", [0, 1, 2, 3])
def test_very_few_rows_can_be_trained_on(rows):
    vectors, truth = draw_noisy_intents()
    head = train_head(TrainingRows(vectors[:rows], truth[:rows]), FAST)
    assert np.isfinite(head.transform(vectors)).all()


def test_equal_rows_give_finite_vectors():
    vectors = np.tile(draw_noisy_intents()[0][:1], (50, 1))
    labels = np.arange(50) % 3 - 1
    head = train_head(TrainingRows(vectors, labels), FAST)
    assert np.isfinite(head.transform(vectors)).all()


@pytest.mark.parametrize("processors", [1, 3])
def test_neighbors_are_the_nearest_other_rows(processors, monkeypatch):
    monkeypatch.setattr("advin.discovery.compute.parallel.processors", lambda: processors)
    monkeypatch.setattr(neighbors, "BLOCK_ROWS", 50)
    vectors, _ = draw_noisy_intents()
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -np.inf)
    found = nearest_neighbors(torch.from_numpy(vectors), 7).numpy()
    expected = np.sort(similarity, axis=1)[:, :-8:-1]
    assert np.allclose(np.take_along_axis(similarity, found, axis=1), expected)


def test_the_neighbor_count_follows_the_size_of_intents_not_the_share_of_labels():
    sizes = {}
    for per_intent in (30, 120):
        vectors, truth = draw_noisy_intents(rows=per_intent, spread=0.4)
        sizes[per_intent] = default_neighbors(vectors, truth, FAST.neighbors)
        sparse = some_labels(truth, known=8, each=10)
        assert default_neighbors(vectors, sparse, FAST.neighbors) == pytest.approx(
            sizes[per_intent], rel=0.4
        )
    assert sizes[120] > 2 * sizes[30]


@pytest.mark.parametrize(
    ("vectors", "labels", "message"),
    [
        (np.zeros((3, 2)), np.zeros(2), "3 vectors, but labels of shape"),
        (np.zeros(3), np.zeros(3), r"vectors have shape \(3,\)"),
        (np.full((3, 2), np.nan), np.zeros(3), "not finite"),
    ],
)
def test_wrong_arrays_are_refused(vectors, labels, message):
    with pytest.raises(ValueError, match=message):
        TrainingRows(vectors, labels)


def test_a_wrong_number_of_lexical_vectors_is_refused():
    with pytest.raises(ValueError, match="3 vectors, but 2 lexical ones"):
        TrainingRows(np.eye(3), np.zeros(3), np.zeros((2, 4), np.float32))


def test_views_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"\(3, 3\), but views of shape \(2, 2, 3\)"):
        TrainingRows(np.eye(3), np.zeros(3), views=np.zeros((2, 2, 3)))


def test_wrong_settings_are_refused():
    with pytest.raises(
        ValueError, match=r"metric.loss is 'triplet', .* one of contrastive, margin"
    ):
        configured(loss="triplet")
    with pytest.raises(ValueError, match=r"metric.temperature is 0"):
        configured(temperature=0)


def test_vectors_of_another_encoder_are_refused():
    vectors, truth = draw_noisy_intents()
    head = train_head(TrainingRows(vectors, truth), FAST)
    with pytest.raises(ValueError, match="16 dimensions, but the head was trained on 32"):
        head.transform(vectors[:, :16])
