import signal
import threading
from functools import partial

import numpy as np
import pytest
import torch
from small_heads import configured, train_head
from synthetic import draw_intents, in_words

from advin.discovery.compute.parallel import run_parallel
from advin.discovery.compute.precision import BF16
from advin.discovery.intents.space import learn_intent_space
from advin.discovery.labels import UNLABELED
from advin.discovery.metric.rows import TrainingRows
from advin.discovery.novelty.calibration import fit_novelty


@pytest.fixture
def processors(monkeypatch):
    """Set the number of processors."""
    return lambda count: monkeypatch.setattr(
        "advin.discovery.compute.parallel.processors", lambda: count
    )


def test_tasks_run_in_parallel_and_results_keep_their_order(processors):
    processors(3)
    # No task passes before all three have arrived.
    met = threading.Barrier(3, timeout=30)

    def task(number: int) -> int:
        met.wait()
        return number

    assert run_parallel([partial(task, number) for number in range(3)]) == [0, 1, 2]
    assert run_parallel([]) == []


def test_each_task_has_one_thread_of_torch_and_the_caller_keeps_its_threads(processors):
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


def test_an_error_is_raised_and_waiting_tasks_do_not_start(processors):
    processors(1)
    started = []

    def fail():
        raise ValueError("no labels")

    with pytest.raises(ValueError, match="no labels"):
        run_parallel([fail, partial(started.append, 1), partial(started.append, 2)])
    assert len(started) < 2


def test_an_interrupt_does_not_wait_for_running_tasks(processors):
    processors(2)
    started, go_on = threading.Event(), threading.Event()

    def learn():
        started.set()
        assert go_on.wait(timeout=60)

    def interrupt():
        assert started.wait(timeout=60)
        # The main thread must get the signal, because it waits.
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    sender = threading.Thread(target=interrupt)
    sender.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run_parallel([learn])
        assert not go_on.is_set()
    finally:
        go_on.set()
        sender.join()


def test_results_do_not_depend_on_the_number_of_processors(processors):
    vectors, truth = draw_intents(8, 12)
    labels = np.where((truth < 6) & (np.arange(len(truth)) % 2 == 0), truth, UNLABELED)
    given, utterances = labels >= 0, in_words(vectors, truth)
    config = configured(hidden=64, steps=40)

    def learned() -> list[bytes]:
        novelty = fit_novelty(utterances.take(given), labels[given], 6, config.novelty)
        rows = TrainingRows(vectors, labels, texts=utterances.texts)
        head, distance = learn_intent_space(rows, config, novelty)
        arrays = [*novelty.to_arrays().values(), *head.to_arrays().values(), distance.quality]
        return [array.tobytes() for array in arrays]

    processors(1)
    alone = learned()
    processors(4)
    assert learned() == alone


def test_heads_trained_in_parallel_in_bfloat16_equal_a_head_trained_alone(processors, monkeypatch):
    """Torch's cache of cast weights is shared by all threads."""
    monkeypatch.setattr("advin.discovery.metric.training.best_precision", lambda: BF16)
    vectors, truth = draw_intents(8, 30)
    labels = np.where(truth < 4, truth, UNLABELED)
    config = configured(hidden=64, steps=60, batch=64, labeled_batch=64, labeled_weight=1)

    def head() -> bytes:
        trained = train_head(TrainingRows(vectors, labels), config)
        return b"".join(array.tobytes() for array in trained.to_arrays().values())

    alone = head()
    processors(4)
    assert run_parallel([head] * 8) == [alone] * 8
