import signal
import threading
from functools import partial

import numpy as np
import pytest
import torch
from drawn_intents import draw
from small_heads import configured, train_head

from advin.discovery.compute.parallel import run_parallel
from advin.discovery.compute.precision import BF16
from advin.discovery.intents.space import learn_intent_space
from advin.discovery.labels import UNLABELED
from advin.discovery.metric.rows import TrainingRows
from advin.discovery.novelty.calibration import fit_novelty


@pytest.fixture
def processors(monkeypatch):
    """Say how many processors there are."""
    return lambda count: monkeypatch.setattr(
        "advin.discovery.compute.parallel.processors", lambda: count
    )


def test_pieces_run_beside_each_other_and_come_back_in_order(processors):
    processors(3)
    # Nobody passes before all three are here.
    met = threading.Barrier(3, timeout=30)

    def piece(number: int) -> int:
        met.wait()
        return number

    assert run_parallel([partial(piece, number) for number in range(3)]) == [0, 1, 2]
    assert run_parallel([]) == []


def test_each_piece_has_one_thread_of_torch_and_the_rest_as_many_as_before(processors):
    processors(2)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert run_parallel([torch.get_num_threads] * 3) == [1, 1, 1]
        assert run_parallel([lambda: run_parallel([torch.get_num_threads] * 2)] * 2) == [
            [1, 1],
            [1, 1],
        ]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_an_error_in_a_piece_is_raised_and_what_waits_is_not_begun(processors):
    processors(1)
    begun = []

    def fail():
        raise ValueError("no labels")

    with pytest.raises(ValueError, match="no labels"):
        run_parallel([fail, partial(begun.append, 1), partial(begun.append, 2)])
    assert len(begun) < 2


def test_who_interrupts_does_not_wait_for_what_has_begun(processors):
    processors(2)
    begun, go_on = threading.Event(), threading.Event()

    def learn():
        begun.set()
        assert go_on.wait(timeout=60)

    def interrupt():
        assert begun.wait(timeout=60)
        signal.raise_signal(signal.SIGINT)

    sender = threading.Thread(target=interrupt)
    sender.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run_parallel([learn])
        assert not go_on.is_set()
    finally:
        go_on.set()
        sender.join()


def test_the_number_of_processors_changes_nothing(processors):
    vectors, truth = draw(8, 12)
    labels = np.where((truth < 6) & (np.arange(len(truth)) % 2 == 0), truth, UNLABELED)
    given = labels >= 0
    config = configured(hidden=64, steps=40)

    def learned() -> list[bytes]:
        novelty = fit_novelty(vectors[given], labels[given], 6, config.novelty)
        head, distance = learn_intent_space(TrainingRows(vectors, labels), config, novelty)
        arrays = [*novelty.to_arrays().values(), *head.to_arrays().values(), distance.agreement]
        return [array.tobytes() for array in arrays]

    processors(1)
    alone = learned()
    processors(4)
    assert learned() == alone


def test_heads_beside_each_other_in_bfloat16_are_the_same_as_alone(processors, monkeypatch):
    """Torch keeps weights that it has cast for all threads in one place."""
    monkeypatch.setattr("advin.discovery.metric.training.best_precision", lambda: BF16)
    vectors, truth = draw(8, 30)
    labels = np.where(truth < 4, truth, UNLABELED)
    config = configured(hidden=64, steps=60, batch=64, labeled_batch=64, labeled_weight=1)

    def head() -> bytes:
        trained = train_head(TrainingRows(vectors, labels), config)
        return b"".join(array.tobytes() for array in trained.to_arrays().values())

    alone = head()
    processors(4)
    assert run_parallel([head] * 8) == [alone] * 8
