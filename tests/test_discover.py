"""The method on arrays, on small logs; test_sample.py compares it with the pipelines."""

import dataclasses
import functools

import numpy as np
import pytest
from run_tables import as_columns
from synthetic import axis_intent, wordless

from advin.discovery.compute.precision import FP32
from advin.discovery.config import Config
from advin.discovery.discover import Log, discover
from advin.discovery.encoding.identity import EncoderIdentity
from advin.discovery.encoding.texts import EmbeddedTexts
from advin.discovery.labels import OUT_OF_DOMAIN
from advin.discovery.metric.head import MetricHead
from advin.discovery.model import Model
from advin.discovery.novelty.calibration import fit_novelty
from advin.discovery.selection.distance import DEFAULT, IntentDistance
from advin.schemas.ids import known_id
from advin.schemas.verdicts import REASONS

DIMENSION = 32
TOPICS = ("parcel", "invoice", "password", "heating", "weather")


def topic_vectors(topic: int, n: int, seed: int) -> np.ndarray:
    """Unit vectors close to an axis."""
    return axis_intent(topic, n, DIMENSION, 10 * seed + topic).astype(np.float16)


def small_log(n: int = 20) -> Log:
    """A log of n utterances for each topic."""
    texts = [f"{topic} question number {i}" for topic in TOPICS for i in range(n)]
    vectors = np.concatenate([topic_vectors(topic, n, seed=0) for topic in range(len(TOPICS))])
    return Log.of(texts, np.arange(len(texts)) % 3 + 1, vectors)


@functools.cache
def small_model(known: int = 2) -> Model:
    """A model whose space is the encoder's; the first topics are known, the last is junk."""
    zeros = np.zeros((DIMENSION, DIMENSION), np.float32)
    bias = np.zeros(DIMENSION, np.float32)
    labeled = [topic_vectors(topic, 15, seed=1) for topic in range(known)]
    outside = topic_vectors(len(TOPICS) - 1, 15, seed=1)
    labels = np.repeat(np.arange(known), 15)
    novelty = None
    if known:
        rows = np.concatenate(labeled)
        novelty = fit_novelty(wordless(rows), labels, known, Config().novelty, wordless(outside))
    return Model(
        encoder=EncoderIdentity("test", "", DIMENSION, DIMENSION, FP32),
        config=Config(),
        intents=TOPICS[:known],
        domains=("shop",) * known,
        novelty=novelty,
        head=MetricHead(zeros, bias, zeros, bias),
        distance=IntentDistance(0.4, 0.4, 15, DEFAULT, np.zeros(0), np.zeros((0, 0))),
        domain_distance=1.0,
        domain_origin=DEFAULT,
        anchors=np.concatenate([*labeled, outside]),
        anchor_labels=np.concatenate([labels, np.full(15, OUT_OF_DOMAIN)]),
        label_density=np.full(known, 60.0),
    )


@pytest.fixture(scope="module")
def found():
    return discover(small_log(), small_model())


def test_known_and_novel_intents_are_found_and_junk_is_not(found):
    assert sum(row.kind == "novel" for row in found.intents) == 2
    assert {row.name for row in found.intents if row.kind == "known"} == {"parcel", "invoice"}
    by_topic = {topic: set() for topic in TOPICS}
    for text, intent in zip(found.assignments.text, found.assignments.intent_id, strict=True):
        by_topic[text.split()[0]].add(intent)
    assert by_topic["parcel"] == {known_id("parcel")}
    assert by_topic["weather"] == {None}
    assert len(by_topic["password"] | by_topic["heating"]) == 2


def test_every_utterance_has_the_kind_and_the_reason_of_its_cluster(found):
    rows = found.assignments
    kind_of_intent = {row.intent_id: row.kind for row in found.intents}
    for text, intent, kind, reason in zip(
        rows.text, rows.intent_id, rows.kind, rows.reason, strict=True
    ):
        assert REASONS[reason].kind == kind
        if intent is not None:
            assert kind == kind_of_intent[intent]
        if text.startswith("weather"):
            assert (kind, reason) == ("junk", "out_of_domain")


def test_sizes_add_up_and_ids_refer_to_each_other(found):
    rows = found.assignments
    assigned = [intent is not None for intent in rows.intent_id]
    assert sum(row.size for row in found.intents) == rows.count[assigned].sum()
    assert sum(row.size for row in found.domains) == rows.count[assigned].sum()
    domain_of = {row.intent_id: row.domain_id for row in found.intents}
    assert rows.domain_id == [domain_of.get(intent) for intent in rows.intent_id]
    assert {i for row in found.domains for i in row.intents} == domain_of.keys()


def test_every_intent_with_utterances_has_a_confidence(found):
    assert all(0 < row.confidence <= 1 for row in found.intents)
    alone = discover(small_log(n=1), small_model())
    known = [row for row in alone.intents if row.kind == "known"]
    assert {row.size for row in known} == {1, 2}
    assert all(0 < row.confidence <= 1 for row in known)


def test_several_requests_are_flagged_and_assigned_as_a_whole():
    log = small_log()
    place = next(i for i, text in enumerate(log.texts) if text.startswith("parcel"))
    texts = list(log.texts)
    texts[place] = "where is my parcel and can i change the address"
    rows = discover(Log.of(texts, log.counts, log.vectors), small_model()).assignments
    flagged = [i for i, several in enumerate(rows.several_requests) if several]
    assert [rows.text[i] for i in flagged] == [texts[place]]
    assert [rows.intent_id[i] for i in flagged] == [known_id("parcel")]


def test_the_order_of_the_texts_has_no_effect(found):
    log = small_log()
    order = np.random.default_rng(0).permutation(len(log.texts))
    texts = [log.texts[i] for i in order]
    again = discover(Log.of(texts, log.counts[order], log.vectors[order]), small_model())
    assert as_columns(again) == as_columns(found)


def test_without_labels_utterances_are_novel_or_in_no_intent():
    found = discover(small_log(), small_model(known=0))
    rows = found.assignments
    assert all(row.kind == "novel" for row in found.intents) and found.intents
    assert rows.novelty_score == [None] * len(rows.text) == rows.known_intent
    verdicts = set(zip([i is None for i in rows.intent_id], rows.kind, strict=True))
    assert verdicts <= {(True, "junk"), (True, "unassigned"), (False, "novel")}


def test_given_novelty_scores_replace_those_of_the_model():
    log, model = small_log(), small_model()
    scores = model.novelty.score(EmbeddedTexts(log.texts, log.vectors))
    lower = dataclasses.replace(
        scores,
        score=np.full_like(scores.score, -1.0),
        probability=np.full_like(scores.probability, 1.0),
    )
    found = discover(log, model, lower)
    assert found.assignments.novelty_score == [-1.0] * len(log.texts)
    assert not any(row.kind == "novel" for row in found.intents)


def test_a_log_that_is_too_large_for_memory_is_refused():
    config = Config().with_values({"linkage.max_clusters": 10})
    model = dataclasses.replace(small_model(), config=config)
    with pytest.raises(ValueError, match="100 distinct utterances, but at most 10"):
        discover(small_log(), model)


def test_equal_texts_are_refused():
    with pytest.raises(ValueError, match="not sorted and distinct"):
        Log.of(["Hello", "hello "], np.ones(2, int), np.zeros((2, DIMENSION)))


def test_columns_of_different_lengths_are_refused():
    log = small_log()
    with pytest.raises(ValueError, match=r"\[99, 100\]"):
        Log(log.ids, log.texts[:-1], log.counts, log.vectors)
