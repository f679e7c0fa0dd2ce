"""Tests of names: they come from the utterances, are unique, and do not depend on order."""

import numpy as np
import pytest

from advin.discovery.config import NamingConfig
from advin.discovery.naming.exemplars import exemplars
from advin.discovery.naming.names import name_domains, name_intents
from advin.discovery.naming.terms import Documents

CONFIG = NamingConfig()

PRESCRIPTION = """refill my prescription;need to refill a prescription;prescription refill please;
can you refill my prescription for me;my prescription needs a refill;refill heart prescription"""
PARKING = """pay my parking fine;how do i pay a parking fine;got a parking fine;
contest a parking fine;parking fine on my car;where to pay the parking fine"""
BOILER = """the boiler is broken;boiler does not start;fix my boiler;broken boiler again;
my boiler is broken;no heat from the boiler"""


def documents(texts: str, seed: int = 0) -> Documents:
    lines = [t.strip() for t in texts.split(";")]
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(1, 16)) * 3 + rng.normal(size=(len(lines), 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Documents(lines, np.ones(len(lines)), vectors)


@pytest.fixture(scope="module")
def three():
    return [documents(t, seed) for seed, t in enumerate((PRESCRIPTION, PARKING, BOILER))]


def test_names_contain_the_topic(three):
    prescription, parking, boiler = (n.name for n in name_intents(three, CONFIG))
    assert {"prescription", "refill"} & set(prescription.split())
    assert "parking fine" in parking
    assert "boiler" in boiler


def test_names_have_an_utterance_as_evidence(three):
    for name, intent in zip(name_intents(three, CONFIG), three, strict=True):
        assert name.evidence_text in intent.texts
        assert set(name.name.split()) <= set(" ".join(intent.texts).split())
        assert name.keywords


def test_names_are_unique_and_avoid_taken_names(three):
    names = name_intents([*three, *three], CONFIG, taken=["parking fine"])
    assert len({n.name for n in names} | {"parking fine"}) == 7


def test_a_name_in_use_gets_another_word_and_no_number(three):
    (first,) = name_domains([three], CONFIG)
    (second,) = name_domains([three], CONFIG, taken=[first.name])
    assert second.name.removeprefix(f"{first.name} / ") in first.keywords


def test_terms_of_one_utterance_are_no_keywords():
    (name,) = name_intents([documents(f"{PARKING};blessy got a parking fine")], CONFIG)
    assert {"parking", "fine"} <= set(name.keywords)
    assert "blessy" not in " ".join(name.keywords)


def test_an_intent_without_repeated_terms_keeps_its_keywords():
    (name,) = name_intents([documents("open an account;close my card")], CONFIG)
    assert {"account", "card"} <= set(" ".join(name.keywords).split())


def test_the_order_of_utterances_has_no_effect(three):
    turned = [Documents(d.texts[::-1], d.weights[::-1], d.vectors[::-1]) for d in three]
    assert [n.name for n in name_intents(three, CONFIG)] == [
        n.name for n in name_intents(turned, CONFIG)
    ]


@pytest.mark.parametrize("texts", ["???", "12345", "привет;как дела", "你好;早上好", "a;the;of"])
def test_every_intent_with_utterances_has_a_name(texts):
    (name,) = name_intents([documents(texts)], CONFIG)
    assert isinstance(name.name, str) and name.name


def test_an_intent_without_utterances_has_an_empty_name():
    (name,) = name_intents([Documents([], np.zeros(0), np.zeros((0, 16)))], CONFIG)
    assert (name.name, name.keywords, name.evidence_text) == ("", (), "")


def test_domain_names_consist_of_words_of_their_intents(three):
    health, other = name_domains([[three[0]], [three[1], three[2]]], CONFIG)
    assert health.name != other.name
    assert {"prescription", "refill"} & set(health.name.replace("/", " ").split())


def test_exemplars_begin_with_the_medoid_and_never_repeat_a_text():
    d = documents("pay the fine now;Pay the fine  now;where to pay;how to pay it;i want to pay")
    chosen = exemplars(d.vectors, d.texts, d.weights, NamingConfig(exemplars=4))
    assert len(chosen) == len(set(chosen)) == 4
    normalized = {" ".join(d.texts[i].casefold().split()) for i in chosen}
    assert len(normalized) == 4
    means = d.vectors @ d.vectors.mean(axis=0)
    assert means[chosen[0]] >= sorted(means)[-2]


@pytest.mark.parametrize("n", [0, 1, 3])
def test_all_utterances_are_exemplars_if_there_are_few(n):
    d = documents(";".join(f"text number {w}" for w in ("one", "two", "three")[:n]))
    texts = d.texts[:n]
    assert sorted(exemplars(d.vectors[:n], texts, d.weights[:n], CONFIG)) == list(range(n))


def test_names_and_keywords_hold_no_personal_name():
    named = f"{PARKING};parking fine thanks sam;sam asks about a parking fine;drew got a fine"
    (name,) = name_intents([documents(named)], CONFIG)
    assert {"sam", "drew"}.isdisjoint(f"{name.name} {' '.join(name.keywords)}".split())
    (thanks,) = name_intents([documents("sam;sam drew")], CONFIG)
    assert {"sam", "drew"}.isdisjoint(thanks.name.split())


def test_words_that_are_also_names_may_name_intents():
    (name,) = name_intents([documents("pay my bill;bill is wrong;mark bill as paid")], CONFIG)
    assert "bill" in f"{name.name} {' '.join(name.keywords)}".split()
