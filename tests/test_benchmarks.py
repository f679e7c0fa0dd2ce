"""Tests of the benchmarks: the tasks that they draw, their helpers, and the committed results."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from advin.discovery.intents.points import Points
from benchmarks import convert, shift, tables
from benchmarks.anchors import anchored, novel_clusters, seeded_k_means, tightness
from benchmarks.common import DEV, TEST, TRAIN, Utterances, load_utterances, parse_options
from benchmarks.end_to_end import draw_task, in_one_cluster, known_intents
from benchmarks.fit_cost import draw
from benchmarks.removed_labels import remove_labels

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
def test_whole_domains_and_single_intents_become_unknown(share):
    utterances = utterances_of()
    known = known_intents(utterances, share, np.random.default_rng(0))
    assert len(known) == round(share * 30)
    left = {intent.split(".")[0] for intent in known}
    assert 1 <= 5 - len(left) <= 2
    assert any(sum(i.startswith(d) for i in known) < 6 for d in left)


def test_the_only_domain_stays_known():
    known = known_intents(utterances_of(1, 8), 0.75, np.random.default_rng(0))
    assert len(known) == 6


def test_without_domains_single_intents_become_unknown():
    utterances = utterances_of()
    bare = Utterances("bare", utterances.texts, utterances.intents, np.full(1200, "", object), None)
    assert len(known_intents(bare, 0.5, np.random.default_rng(0))) == 15


def test_a_drawn_log_is_skewed_and_noisy_and_has_no_labeled_text():
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


def unit_vectors(n: int) -> np.ndarray:
    vectors = np.random.default_rng(0).normal(size=(n, 8)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("case", shift.METHODS)
def test_a_shifted_log_is_drawn_by_the_seed_and_has_no_labeled_text(case):
    utterances, vectors = utterances_of(), unit_vectors(1200)
    task, again, other = (shift.draw_case(case, utterances, vectors, 0.5, s) for s in (2, 2, 3))
    assert task.labeled.texts.tolist() == again.labeled.texts.tolist()
    assert task.log.texts.tolist() == again.log.texts.tolist()
    assert set(task.labeled.texts) != set(other.labeled.texts)
    assert set(task.labeled.splits) == {TRAIN}
    assert not set(task.labeled.texts) & set(task.log.texts)
    row_of = {text: row for row, text in enumerate(utterances.texts)}
    for drawn, kept in ((task.labeled, task.labeled_vectors), (task.log, task.log_vectors)):
        assert (kept == vectors[[row_of[text] for text in drawn.texts]]).all()
    sizes = np.unique(task.labeled.intents, return_counts=True)[1]
    assert set(sizes) == {5 if case == "few" else 20}
    known = set(task.labeled.intents)
    if case == "foreign":
        assert not set(task.labeled.domains) & set(task.log.domains)
        assert len(set(task.log.intents)) == 30 - len(known)
    else:
        assert len(known) == 15 and set(task.log.intents) - known


@pytest.mark.parametrize(("case", "share"), shift.SKEWS.items())
def test_one_known_intent_has_the_given_share_of_a_skewed_log(case, share):
    utterances = utterances_of()
    task = shift.draw_case(case, utterances, unit_vectors(1200), 0.5, 0)
    names, sizes = np.unique(task.log.intents, return_counts=True)
    main = names[sizes.argmax()]
    assert main in set(task.labeled.intents)
    # All 20 utterances without a label are in the log.
    assert sizes.max() == 20 and len(task.log.texts) == round(20 / share)


def test_labels_from_a_corner_are_the_nearest_neighbors_of_one_of_them():
    utterances, vectors = utterances_of(intents=1, each=200), unit_vectors(1000)
    task = shift.draw_case("corner", utterances, vectors, 1.0, 0)
    for name in utterances.names:
        rows = np.flatnonzero((utterances.intents == name) & (utterances.splits == TRAIN))
        chosen = np.isin(utterances.texts[rows], task.labeled.texts)
        near = vectors[rows] @ vectors[rows[chosen]].T
        apart = near[chosen].min(axis=0) >= near[~chosen].max(axis=0)
        assert apart.sum() >= 1 and chosen.sum() == 20


def test_labels_of_foreign_domains_need_two_domains():
    assert shift.draw_case("foreign", utterances_of(1), unit_vectors(240), 0.5, 0) is None


def test_builders_label_the_train_split_and_customers_repeat_themselves(tmp_path):
    rows = {
        "text": ["any offers", "my points", "Any offers?", "any offers?", "lol"],
        "intent": ["offers", "points", "offers", "offers", None],
        "domain": [None] * 5,
        "split": ["labeled", "labeled", "log", "log", "log"],
        "is_oos": [False, False, False, False, True],
    }
    pq.write_table(pa.table(rows), tmp_path / "bot.parquet")
    bot = load_utterances(tmp_path / "bot.parquet")
    task = shift.draw_case("builders", bot, unit_vectors(5), 1.0, 0)
    assert task.labeled.texts.tolist() == ["any offers", "my points"]
    log = dict(zip(task.log.intents, task.counts, strict=True))
    assert log == {"offers": 2, "": 1}


def test_only_benchmarks_with_presets_take_an_effort(capsys):
    effort = ["--effort", "fast"]
    assert parse_options("", (), arguments=effort, efforts=("full", "fast")).effort == "fast"
    assert parse_options("", (), arguments=[], efforts=("full", "fast")).effort == "full"
    with pytest.raises(SystemExit, match="2"):
        parse_options("", (), arguments=effort)
    assert "unrecognized arguments: --effort fast" in capsys.readouterr().err


def test_an_intent_is_in_one_cluster_if_some_cut_recovers_it():
    def spread(angle: float) -> np.ndarray:
        angles = np.radians(angle + np.linspace(-1, 1, 8))
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)

    # "wide" has an empty gap. "around" lies on both sides of "tight" and is twice as large.
    vectors = np.concatenate([spread(a) for a in (0, 20, 90, 96, 102)]).astype(np.float32)
    truth = np.repeat(np.array(["wide", "around", "tight", "around"], object), [16, 8, 8, 8])
    anchors = np.tile(np.float32([1, 0]), (3, 1))
    points = Points(
        vectors=np.concatenate([vectors, anchors]),
        weights=np.ones(43),
        labels=np.array([-1] * 40 + [0] * 3),
        log_odds=np.zeros(43),
        label_density=np.zeros(43),
        intents=np.full(43, -1),
    )
    intents = ["around", "tight", "wide"]
    assert in_one_cluster(points, truth, intents).tolist() == [True, True, True]
    # Two intents that overlap everywhere are never alone in a cluster.
    truth[truth == "around"] = np.tile(np.array(["a", "b"], object), 8)
    assert in_one_cluster(points, truth, ["a", "b", "wide"]).tolist() == [False, False, True]
    assert in_one_cluster(points, truth, []).tolist() == []


def test_removing_labels_keeps_every_row_in_the_labels_or_the_log():
    utterances = utterances_of()
    labeled, log = remove_labels(utterances, 0.6, 3)
    known = set(labeled.intents)
    assert len(known) == 18 and set(labeled.splits) == {TRAIN}
    assert sorted([*labeled.texts, *log.texts]) == sorted(utterances.texts)
    assert set(log.intents[log.splits == TRAIN]) == set(utterances.names) - known


@pytest.mark.parametrize(("most", "labeled"), [(False, 60), (True, 600)])
def test_the_log_of_a_fit_has_no_labeled_utterance(most, labeled):
    utterances = utterances_of()
    known, log = draw(utterances, 0.5, 2, most)
    assert len(known.texts) == labeled
    assert set(known.intents) <= set(utterances.known_intents(0.5, 2))
    assert sorted([*known.texts, *log.texts]) == sorted(utterances.texts)
    nothing, whole = draw(utterances, 0.0, 2, most=False)
    assert len(nothing.texts) == 0 and len(whole.texts) == 1200


def test_clusters_with_too_few_labels_are_novel_unless_they_are_small():
    clusters = np.repeat([4, 7, 9, 5], [40, 40, 30, 3])
    labels = np.full(len(clusters), -1)
    labels[[0, 1, 2, 3, 40, 41, 42, 43, 80, 81]] = [0, 0, 1, 1, 2, 2, 2, 2, 2, 2]
    assert novel_clusters(clusters, np.full(len(clusters), -1)).tolist() == [4, 7, 9, 5]
    assert novel_clusters(clusters, labels, 2).tolist() == [5]
    assert novel_clusters(clusters, labels, 5).tolist() == []
    # One label where three are expected: two thirds of the cluster are novel.
    labels[80] = -1
    assert novel_clusters(clusters, labels, 5).tolist() == [9]
    # Without labels, at least one cluster is returned.
    assert novel_clusters(clusters[-3:], labels[-3:], 5).tolist() == [5]


def test_labels_separate_known_intents_that_share_a_cluster():
    vectors = np.eye(4, dtype=np.float32)[np.repeat([0, 1, 2, 3], 20)]
    labels = np.full(80, -1)
    labels[[0, 20]] = 0, 1
    # The first two intents share a cluster; the last cluster is not novel.
    clusters = np.repeat([5, 8, 9], [40, 20, 20])
    vectors[60:, 2] = 2.0
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = anchored(vectors, labels, clusters, np.array([8]))
    assert found.tolist() == np.repeat([0, 1, 2, 2], 20).tolist()


def test_seeded_k_means_converges_and_keeps_labeled_rows():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(300, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = np.where(np.arange(300) < 30, np.arange(300) % 3, -1)
    found = seeded_k_means(
        vectors, labels, np.where(labels >= 0, labels, random.integers(5, size=300))
    )
    centroids = np.stack([vectors[found == c].mean(axis=0) for c in range(5)])
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    nearest = (vectors @ centroids.T).argmax(axis=1)
    assert (found[30:] == nearest[30:]).all()
    assert (found[:30] == labels[:30]).all() and (nearest[:30] != labels[:30]).any()


def test_all_committed_results_can_be_printed_as_tables(monkeypatch, capsys):
    files = sorted(RESULTS.glob("*.json"))
    monkeypatch.setattr("sys.argv", ["tables", *map(str, files)])
    tables.main()
    printed = capsys.readouterr().out
    assert files and all(f"{file.name}: " in printed for file in files)


def test_tightness_is_highest_for_uniform_clusters():
    vectors = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    truth = np.repeat([7, 2, 5], 4)
    assert tightness(vectors, truth) == pytest.approx(1)
    merged, mixed = np.repeat([7, 2, 2], 4), np.tile([7, 2, 5], 4)
    assert 1 > tightness(vectors, merged) == pytest.approx((1 + 2 * 0.5**0.5) / 3)
    assert tightness(vectors, mixed) < tightness(vectors, merged)


def as_tables(folder: Path, rows: dict[str, list[tuple[str, str]]]) -> None:
    for split, name in ((TRAIN, "train"), (DEV, "dev"), (TEST, "test")):
        lines = ["text\tlabel", *("\t".join(row) for row in rows[split])]
        (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n")


def as_lines(folder: Path, rows: dict[str, list[tuple[str, str]]]) -> None:
    for split, name in ((TRAIN, "train"), (DEV, "valid"), (TEST, "test")):
        (folder / name).mkdir()
        for part, column in (("seq.in", 0), ("label", 1)):
            (folder / name / part).write_text("".join(f"{row[column]}\n" for row in rows[split]))


@pytest.mark.parametrize("write", [as_tables, as_lines])
def test_convert_reads_both_public_layouts(tmp_path, monkeypatch, write):
    rows = {
        TRAIN: [('say "hi" to mum', "message_send"), ("wake me at six", "alarm_set")],
        DEV: [("is it six", "time_query")],
        TEST: [("stop it", "alarm_stop"), ("how tall is the moon", "oos")],
    }
    write(tmp_path, rows)
    out = tmp_path / "set.parquet"
    monkeypatch.setattr("sys.argv", ["convert", "--domains", str(tmp_path), str(out)])
    convert.main()
    found = load_utterances(out)
    expected = [(text, split) for split in rows for text, _ in rows[split]]
    assert list(zip(found.texts, found.splits, strict=True)) == expected
    assert found.intents.tolist() == [
        "message_send", "alarm_set", "time_query", "alarm_stop", "",
    ]  # fmt: skip
    assert found.domains[:4].tolist() == ["message", "alarm", "time", "alarm"]


def test_convert_refuses_an_unknown_layout(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["convert", str(tmp_path), str(tmp_path / "set.parquet")])
    with pytest.raises(SystemExit, match="2"):
        convert.main()
    assert "neither train.tsv nor" in capsys.readouterr().err
