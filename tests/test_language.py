"""Tests of the languages of texts, of the bias between them, and of what is reported of a log."""

import numpy as np
import pytest

from advin.discovery.config import Config, ConfigError
from advin.discovery.encoding.encoder import Encoder
from advin.discovery.encoding.identity import EncoderIdentity
from advin.discovery.encoding.neutral import LanguageDirections
from advin.discovery.naming.names import name_intents
from advin.discovery.naming.terms import Documents
from advin.discovery.text.config import LanguageConfig
from advin.discovery.text.language import LanguageShare, detect, log_languages, shares
from advin.discovery.text.notices import LogFacts, label_notices, log_notices

ENGLISH = [
    f"{ask} {thing} {when}"
    for ask in ("where can i find the", "i would like to cancel the", "how much do i pay for the")
    for thing in ("ticket to london", "insurance of my car", "bill of last month")
    for when in (
        "please",
        "today",
        "before i travel",
        "again",
        "as soon as possible",
        "with a card",
    )
]
SPANISH = [
    f"{ask} {thing} {when}"
    for ask in ("dónde puedo encontrar", "quisiera cancelar", "cuánto tengo que pagar por")
    for thing in ("el billete a londres", "el seguro de mi coche", "la factura del mes pasado")
    for when in (
        "por favor",
        "hoy",
        "antes de viajar",
        "otra vez",
        "lo antes posible",
        "con tarjeta",
    )
]
GERMAN = [
    f"{ask} {thing}"
    for ask in ("wo finde ich bitte", "ich möchte jetzt gerne ändern:", "was kostet eigentlich")
    for thing in ("die rechnung für meinen anschluss", "den vertrag meiner versicherung")
]
CONFIG = LanguageConfig()


@pytest.mark.parametrize(
    ("texts", "languages"),
    [
        (ENGLISH, ("en",)),
        (SPANISH, ("es",)),
        (GERMAN, ("de",)),
        (ENGLISH + SPANISH[:20], ("en", "es")),
        (["明天天气怎么样", "我想取消我的订单", "我的银行卡丢了怎么办"], ("zh",)),
        (["123", "...", "+49 30"], ()),
        ([], ()),
    ],
    ids=["en", "es", "de", "en and es", "zh", "numbers", "empty"],
)
def test_the_languages_of_a_log_are_found(texts: list[str], languages: tuple[str, ...]):
    assert log_languages(texts, CONFIG) == languages


def test_short_greetings_and_typos_are_no_language_of_their_own():
    texts = [*ENGLISH, "hai", "hello", "ok ty", "plz halp", "asap", "thx"] * 2
    assert log_languages(texts, CONFIG) == ("en",)


def test_given_languages_are_not_detected():
    config = Config().with_values({"language.names": "es,en"}).language
    assert log_languages(ENGLISH, config) == ("es", "en")
    with pytest.raises(ConfigError, match="names has 'spanish'"):
        Config().with_values({"language.names": "spanish"})


def test_shares_are_weighted_by_occurrences():
    found = detect([ENGLISH[0], SPANISH[0]], ("en", "es"))
    assert found == ["en", "es"]
    assert shares(found, np.array([1, 3])) == [LanguageShare("es", 0.75), LanguageShare("en", 0.25)]


def biased(n: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Return texts of two languages, and vectors whose first axis tells the language."""
    random = np.random.default_rng(seed)
    texts = [*(ENGLISH * 9)[:n], *(SPANISH * 9)[:n]]
    vectors = random.normal(size=(2 * n, 8))
    vectors[:, 0] = np.repeat([3.0, -3.0], n)
    return texts, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def identity(sentence: int = 8, languages: str = "") -> EncoderIdentity:
    return EncoderIdentity("test", "", 8, sentence, "fp32", languages)


@pytest.mark.parametrize("sentence", [8, 4])
def test_without_the_bias_the_languages_have_the_same_mean(sentence: int):
    texts, vectors = biased(200)
    encoder = identity(sentence)
    directions = LanguageDirections.learn(texts, vectors, encoder, CONFIG)
    neutral = directions.remove(vectors)
    for before, after in zip(encoder.parts(vectors), encoder.parts(neutral), strict=True):
        lengths = (np.linalg.norm(part, axis=1) for part in (before, after))
        np.testing.assert_allclose(*lengths, atol=1e-6)
    english, spanish = neutral[:200].mean(0), neutral[200:].mean(0)
    assert (
        np.linalg.norm(english - spanish)
        < 0.2
        < np.linalg.norm(vectors[:200].mean(0) - vectors[200:].mean(0))
    )
    restored = LanguageDirections.from_arrays(directions.to_arrays())
    np.testing.assert_array_equal(restored.remove(vectors), neutral)


@pytest.mark.parametrize(
    ("n", "languages", "own"),
    [(200, "en", slice(None)), (20, "", slice(None)), (200, "", slice(0, 200))],
    ids=["an encoder of one language", "few utterances", "a log in one language"],
)
def test_without_two_readable_languages_vectors_do_not_change(n: int, languages: str, own: slice):
    texts, vectors = biased(n)
    directions = LanguageDirections.learn(
        texts[own], vectors[own], identity(languages=languages), CONFIG
    )
    assert directions.remove(vectors) is vectors


def test_names_of_other_languages_consist_of_no_stop_words():
    def documents(texts: list[str], language: str) -> Documents:
        vectors = np.ones((len(texts), 2)) / 2**0.5
        return Documents(texts, np.ones(len(texts)), vectors, (language,))

    spanish = ["¿qué es lo de la factura que me llegó?", "no sé qué es lo de la factura",
               "lo de la factura no es para mí"]  # fmt: skip
    german = ["ich möchte gerne die rechnung von der letzten lieferung",
              "kann ich die rechnung noch einmal haben", "wo ist denn die rechnung"]  # fmt: skip
    names = name_intents([documents(spanish, "es"), documents(german, "de")], Config().naming)
    for name, noun in zip(names, ("factura", "rechnung"), strict=True):
        assert noun in name.name
        words = {word for term in name.keywords for word in term.split()}
        assert not words & {"de", "la", "lo", "es", "que", "qué", "no", "die", "ich", "ist", "wo"}


def facts(**changes) -> LogFacts:
    values = {"utterances": 5000, "languages": [], "unread": [], "unknown": 0.0}
    return LogFacts(**(values | changes))


GERMAN_LOG = {"languages": [LanguageShare("de", 0.9), LanguageShare("en", 0.1)], "unread": ["de"]}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"languages": [LanguageShare("en", 1.0)]}, None),
        (GERMAN_LOG, "does not read de (90%): use --encoder multilingual"),
        ({"utterances": 292}, "292 distinct utterances are few"),
        ({"unknown": 0.4}, "does not know letters of 40% of the utterances"),
    ],
    ids=["a good log", "English", "German", "small", "unknown letters"],
)
def test_a_log_that_gives_unreliable_results_is_reported(changes: dict, said: str | None):
    lines = log_notices(facts(**changes), 500, CONFIG)
    assert [said in line for line in lines] == ([True] if said else [])


@pytest.mark.parametrize(
    ("labels", "reports"),
    [
        ({"a": 42}, ["1 labeled intents are too few"]),
        ({"a": 5, "b": 4}, ["2 labeled intents are too few", "1 of 2 intents have fewer than 5"]),
        ({"a": 5, "b": 6, "c": 7}, []),
    ],
)
def test_labels_that_are_too_few_are_reported(labels: dict[str, int], reports: list[str]):
    lines = label_notices(labels, 5, 3)
    assert len(lines) == len(reports)
    assert all(report in line for report, line in zip(reports, lines, strict=True))


def test_letters_that_the_tokenizer_does_not_know_are_counted(encoder_fp32: Encoder):
    texts = ["where is my card", "ᚠᚢᚦ ᛟᛞ", "😀 ok", "12 %"]
    assert encoder_fp32.unknown_share(texts) == 0.25
    assert encoder_fp32.languages == "en"
