"""The conversation rule: phrases of six languages, the learned rule, and labels above both."""

import dataclasses

import numpy as np
import pytest

from advin.discovery.config import Config
from advin.discovery.conversation.grammar import Grammar, text_category
from advin.discovery.conversation.phrases import (
    CATEGORIES,
    Language,
    PhraseError,
    shipped_languages,
)
from advin.discovery.conversation.rule import ConversationRule, LabeledTexts
from advin.discovery.conversation.words import is_one_edit_apart, tokens
from advin.discovery.encoding.encoder import load_encoder
from advin.schemas.verdicts import CONVERSATIONAL_REASONS

CONFIG = Config().conversation
GRAMMARS = tuple(Grammar(language, CONFIG) for language in shipped_languages())
NO_LABELS = LabeledTexts([], np.zeros((0, 0)), np.zeros(0, np.int64))


def category(text: str) -> str | None:
    return text_category(text, GRAMMARS, CONFIG.max_words)


@pytest.mark.parametrize(
    ("expected", "texts"),
    [
        ("greeting", ["Hiiii!!", "hello [name] 👋", "Guten Morgen", "¡Buenos días!",
                      "bonjour à tous", "Olá", "buongiorno"]),
        ("thanks", ["thx!!", "ok thankyou so much", "Vielen Dank für die Hilfe", "muchas gracias",
                    "merci beaucoup", "muito obrigada", "grazie mille",
                    "thank you for your order"]),
        ("goodbye", ["byee", "have a nice day", "okbye", "Auf Wiedersehen", "hasta luego",
                     "bonne journée", "tchau", "arrivederci"]),
        ("confirmation", ["okkk", "yes, please.", "ja gerne", "sí, claro", "d'accord",
                          "com certeza", "va bene"]),
        ("refusal", ["nope", "no thanks", "that's all", "nein danke", "nada más", "non merci",
                     "só isso", "basta così"]),
        ("hold", ["one moment please", "einen Moment bitte", "un momento", "un instant"]),
        ("small_talk", ["how are you?", "wie geht es Ihnen", "cómo estás", "comment allez-vous",
                        "come stai"]),
        ("slot_value", ["[number]", "it's [number]", "my name is [name]", "my order number is 4711",
                        "large", "next friday", "cash on delivery please", "me llamo [name]",
                        "meine Nummer ist [number]", "my name is kumar"]),
        ("symbols", ["👍", "😀😀 !!", "???", "..."]),
    ],
)  # fmt: skip
def test_conversational_utterances_have_a_category(expected, texts):
    assert {text: category(text) for text in texts} == dict.fromkeys(texts, expected)


@pytest.mark.parametrize(
    "text",
    ["hi, I lost my card", "thanks but where is my refund", "yes, cancel it and refund me",
     "error 404", "installation", "delete account 😀", "my parcel [number] is late",
     "name this song", "please talk faster", "can you call [name]", "hi, I need an agent",
     "Wo ist mein Paket", "quiero un reembolso", "annuler ma commande",
     "refund policy"],
)  # fmt: skip
def test_requests_have_none(text):
    assert category(text) is None


def test_a_long_text_is_no_phrase():
    assert category("thank you " * CONFIG.max_words) is None


def test_tokens_lose_case_accents_and_symbols():
    assert tokens("Olá, it's OK 👍 [name]!!") == ["ola", "its", "ok", "[name]"]


@pytest.mark.parametrize(
    ("word", "other", "near"),
    [("thansk", "thanks", True), ("thaks", "thanks", True), ("thankss", "thanks", True),
     ("thunks", "thanks", True), ("thkans", "thanks", False), ("tanks", "thankss", False)],
)  # fmt: skip
def test_one_edit_is_an_insertion_a_deletion_a_substitution_or_a_swap(word, other, near):
    assert is_one_edit_apart(word, other) == near


def test_categories_are_the_reasons_of_the_schemas():
    assert set(CATEGORIES) == set(CONVERSATIONAL_REASONS)


@pytest.mark.parametrize(
    "text", ["[phrases", "[phrases]\nhello = ['hi']", "[phrases]\n", "phrases = 1"]
)
def test_a_malformed_phrase_set_is_refused(text):
    with pytest.raises(PhraseError, match="own: "):
        Language.parse("own", text)


# With the encoder.


@pytest.fixture(scope="module")
def encode():
    return load_encoder(None, 2, "fp32").encode


@pytest.fixture(scope="module")
def rule(encode):
    return ConversationRule.fit(encode, NO_LABELS, CONFIG, seed=0)


def marked(rule, encode, texts) -> list[str | None]:
    return rule.categories(texts, encode(texts).astype(np.float16))


def test_the_learned_rule_marks_answers_that_no_phrase_matches(rule, encode):
    answers = ["sourdough", "seattle", "ford fiesta", "garcia lopez", "a dark green one"]
    assert all(category(text) is None for text in answers)
    assert sum(found is not None for found in marked(rule, encode, answers)) >= 4


def test_the_learned_rule_leaves_requests(rule, encode):
    requests = [
        "my dishwasher leaks",
        "weather in oslo",
        "unlock my sim",
        "opening hours on sunday",
        "where can I park",
        "the invoice is wrong",
        "turn the heating up",
        "visa for japan",
        "water leak",
        "password reset",
        "card lost",
        "refund",
        "cracked windshield",
        "two singles in aberdeen from the 11th, company pays",
        "hotel in vienna",
        "is my delivery coming today",
        "am I in the red or the black?",
    ]
    assert sum(found is not None for found in marked(rule, encode, requests)) == 0


def test_a_long_answer_is_left_to_phrases(rule, encode):
    short = dataclasses.replace(rule, config=dataclasses.replace(CONFIG, max_answer_words=1))
    assert marked(rule, encode, ["seattle", "garcia lopez"]) == ["slot_value", "slot_value"]
    assert marked(short, encode, ["seattle", "garcia lopez"]) == ["slot_value", None]


def test_a_process_learns_the_rule_of_an_encoder_once(rule, encode):
    assert ConversationRule.fit(encode, NO_LABELS, CONFIG, seed=0).learned is rule.learned


def test_labels_switch_their_category_off_and_labeled_texts_are_requests(rule, encode):
    texts = [
        "hi",
        "hello",
        "good morning",
        "hey there",
        "large",
        "show the size guide",
        "which size fits me",
    ]
    texts.append("a size chart for shoes please")
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    labeled = LabeledTexts(texts, encode(texts).astype(np.float16), labels)
    under = ConversationRule.fit(encode, labeled, CONFIG, seed=0)
    assert under.known == {"greeting"}
    asked = ["good evening", "large", "medium", "thanks"]
    assert marked(under, encode, asked) == [None, None, "slot_value", "thanks"]
    assert marked(rule, encode, asked) == ["greeting", "slot_value", "slot_value", "thanks"]


def test_a_restored_rule_marks_the_same(rule, encode):
    again = ConversationRule.restored(CONFIG, rule.to_values(), rule.to_arrays())
    texts = ["hi", "sourdough", "unlock my sim", "👍"]
    assert marked(again, encode, texts) == marked(rule, encode, texts)


def test_the_rule_can_be_switched_off():
    off = dataclasses.replace(CONFIG, rules="none")
    assert ConversationRule.fit(lambda texts: np.zeros((len(texts), 4)), NO_LABELS, off, 0) is None
