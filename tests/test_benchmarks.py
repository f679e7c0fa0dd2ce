"""What the logs of benchmarks/end_to_end.py hold, and the tables of results that are committed."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import tables
from benchmarks.common import TEST, TRAIN, Utterances
from benchmarks.end_to_end import draw_task, known_intents

RESULTS = Path(tables.__file__).parent / "results"


def utterances_of(domains: int = 5, intents: int = 6, each: int = 40) -> Utterances:
    rows = [(d, i, r) for d in range(domains) for i in range(intents) for r in range(each)]
    return Utterances(
        name="made",
        texts=np.array([f"text {d} {i} {r}" for d, i, r in rows], object),
        intents=np.array([f"i{d}.{i}" for d, i, _ in rows], object),
        domains=np.array([f"d{d}" for d, _, _ in rows], object),
        splits=np.array([TRAIN if r % 2 else TEST for _, _, r in rows], object),
    )


@pytest.mark.parametrize("share", [0.5, 0.75])
def test_whole_domains_and_single_intents_are_unknown(share):
    utterances = utterances_of()
    known = known_intents(utterances, share, np.random.default_rng(0))
    assert len(known) == round(share * 30)
    left = {intent.split(".")[0] for intent in known}
    assert 1 <= 5 - len(left) <= 2
    assert any(sum(i.startswith(d) for i in known) < 6 for d in left)


def test_without_domains_single_intents_are_unknown():
    utterances = utterances_of()
    bare = Utterances("bare", utterances.texts, utterances.intents, np.full(1200, "", object), None)
    assert len(known_intents(bare, 0.5, np.random.default_rng(0))) == 15


def test_a_log_is_skewed_noisy_and_apart_from_what_is_labelled():
    utterances = utterances_of()
    vectors = np.arange(len(utterances.texts), dtype=np.float16)[:, None]
    chat = Utterances("chat", *np.array([["hm", "lol"] * 500, *[[""] * 1000] * 3], object))
    task = draw_task(utterances, vectors, (chat, np.zeros((1000, 1), np.float16)), (0.5, 3))
    known = set(task.labeled.intents)
    assert len(known) == 15 and set(task.labeled.splits) == {TRAIN}
    assert not set(task.labeled.texts) & set(task.log.texts)
    assert set(task.log.intents) == {*utterances.names, ""}
    inside = task.log.intents != ""
    assert (~inside).sum() == round(0.2 * inside.sum())
    sizes = np.unique(task.log.intents[inside], return_counts=True)[1]
    assert sizes.min() >= 5 and sizes.max() >= 3 * sizes.min()
    assert task.counts.min() == 1 and task.counts.max() > 10
    assert len(task.log_vectors) == len(task.log.texts) == len(task.counts)


def test_the_tables_of_all_committed_results_are_printed(monkeypatch, capsys):
    files = sorted(RESULTS.glob("*.json"))
    monkeypatch.setattr("sys.argv", ["tables", *map(str, files)])
    tables.main()
    printed = capsys.readouterr().out
    assert files and all(f"{file.name}: " in printed for file in files)
