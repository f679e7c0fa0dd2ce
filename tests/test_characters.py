"""Similarity by character n-grams, as stage I uses it beside the encoder's vectors."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from synthetic import draw_intents

from advin.discovery.compute.classes import class_centroids, unit_rows
from advin.discovery.config import NoveltyConfig
from advin.discovery.encoding.texts import EmbeddedTexts
from advin.discovery.novelty.calibration import fit_novelty
from advin.discovery.novelty.characters import CharacterSimilarity

CONFIG = NoveltyConfig()
LABELED = [
    "where is my parcel",
    "track my delivery",
    "i forgot my password",
    "reset the password please",
    "how do i get a refund",
]
INTENTS = np.array([0, 0, 1, 1, 2])
QUERIES = ["wheres the parcel", "pasword forgotten", "refunding", "", "zzz qqq"]


def test_the_similarity_is_the_cosine_of_tf_idf_vectors():
    # With so many buckets, no two n-grams share one.
    config = NoveltyConfig(character_buckets=1 << 20)
    found = CharacterSimilarity.fit(LABELED, INTENTS, config).similarities(QUERIES, 3)
    counter = CountVectorizer(analyzer="char_wb", ngram_range=(2, 5)).fit(LABELED)
    weights = TfidfTransformer(sublinear_tf=True).fit(counter.transform(LABELED))
    labeled, queries = (weights.transform(counter.transform(t)) for t in (LABELED, QUERIES))
    cosines = (queries @ labeled.T).toarray()
    expected = np.stack([cosines[:, INTENTS == i].max(axis=1) for i in range(3)], axis=1)
    # N-grams that no label has lengthen a query here; the vocabulary of scikit-learn lacks them.
    assert (found.argmax(axis=1) == expected.argmax(axis=1))[:3].all()
    assert (found <= expected + 1e-6).all()
    same = CharacterSimilarity.fit(LABELED, INTENTS, config).similarities(LABELED, 3)
    assert same[np.arange(5), INTENTS] == pytest.approx(np.ones(5), abs=1e-6)


def test_misspelled_utterances_resemble_their_intent():
    found = CharacterSimilarity.fit(LABELED, INTENTS, CONFIG).similarities(QUERIES, 3)
    assert found[:3].argmax(axis=1).tolist() == [0, 1, 2]
    assert (found[3:] < 0.1).all() and (found[:3].max(axis=1) > 0.2).all()


def test_an_intent_without_utterances_has_no_similarity():
    found = CharacterSimilarity.fit(LABELED, INTENTS * 2, CONFIG).similarities(QUERIES, 6)
    assert not found[:, [1, 3, 5]].any() and found[:3, [0, 2, 4]].max(axis=1).all()


def test_a_small_sample_of_labels_keeps_each_intent():
    config = NoveltyConfig(character_labels=1)
    model = CharacterSimilarity.fit(LABELED, INTENTS, config)
    assert model.classes.tolist() == [0, 1, 2]
    assert model.similarities(LABELED, 3).max(axis=0) == pytest.approx(np.ones(3), abs=1e-6)


def test_the_similarity_of_an_utterance_does_not_depend_on_the_others():
    model = CharacterSimilarity.fit(LABELED, INTENTS, CONFIG)
    together = model.similarities(QUERIES * 100, 3)
    alone = np.concatenate([model.similarities([query], 3) for query in QUERIES])
    assert together.tobytes() == np.tile(alone, (100, 1)).tobytes()


def test_shared_words_choose_the_intent_where_vectors_do_not():
    vectors, labels = draw_intents(3, 20, spread=0.8)
    words = ("where is my parcel number", "reset the password of account", "refund for invoice")
    texts = [f"{words[label]} {row}" for row, label in enumerate(labels)]
    model = fit_novelty(EmbeddedTexts(texts, vectors), labels, 3, CONFIG)
    centers = class_centroids(vectors, labels, 3)
    nowhere = np.tile(unit_rows(centers.sum(axis=0)), (3, 1)).astype(np.float16)
    found = model.score(EmbeddedTexts([f"{text} please" for text in words], nowhere))
    other = model.score(EmbeddedTexts(["play some jazz"] * 3, nowhere))
    assert found.best_class.tolist() == [0, 1, 2]
    assert (found.score < other.score).all() and (found.probability > other.probability).all()
