"""Tests of masking: what becomes a placeholder, what keeps its meaning, what is stripped."""

import random
from typing import get_args

import pytest
from faker import Faker
from hypothesis import given
from hypothesis import strategies as st

from advin.discovery.naming.words import split_words
from advin.discovery.text.config import MaskingConfig, Rule
from advin.discovery.text.placeholders import PLACEHOLDERS, is_placeholder
from advin.discovery.text.preparation import RULES, prepare

CONFIG = MaskingConfig()


def masked(text: str, *off: str) -> str:
    return prepare(text, MaskingConfig(off=off)).text


@pytest.mark.parametrize(
    "text",
    [
        *("error 404", "error code 5001", "3 days late", "iPhone 15", "windows 11", "24/7"),
        *("top 10", "2 factor", "4g", "w-2", "401k", "covid-19", "form 1099 please", "mp3player"),
        *("ubuntu 16.04", "see /etc/X11/xorg.conf", "2-for-1 deal", "i love 90s music"),
        *("hope you are well", "may i ask something", "hi may i come in", "mark it as paid"),
        *("fly to paris from austin", "I need my PIN and the GUI", "i <3 you & me", "x < y > z"),
        *("ubuntu11.04 on x86_64", "sold the most in 2018", "20-25 people", "refresh at @60hz"),
        *("my charles schwab account", "is denny's open", "version 2007-10", "intel 6600 chip"),
        *("ubuntu on a PC5740 card", "a 920BW screen", "a 3000bps line", "next thu in munich"),
        *("ps 0.0 0.1 208", "on 127.0.0.1:80", "raid 1 may have failed", "open MS Word"),
        *(
            "is papa john's open",
            "the chanel is late",
            "names. How do they work",
            "peter luger steakhouse",
            "a table at tony's",
        ),
        *("thanks alot", "hey alexa", "meet @ noon", "a grace period", "10 minutes"),
    ],
)
def test_what_carries_meaning_stays(text):
    assert prepare(text, CONFIG).text == text
    assert prepare(text, CONFIG).masks == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Your order 12385 has shipped", "Your order [id] has shipped"),
        ("leave it at Maria Lopez's house", "leave it at [name]'s house"),
        ("order no LBT6XDMBNC", "order no [id]"),
        ("order no IYJLOJLDLL", "order no [id]"),
        ("where is my order #GP-403528", "where is my order [id]"),
        ("ticket 123e4567-e89b-12d3-a456-426614174000", "ticket [id]"),
        ("83420110", "[number]"),
        ("i paid 5,000 in total", "i paid [number] in total"),
        ("call (555) 123-4567 or +49 30 1234567", "call [phone] or [phone]"),
        ("card 4111 1111 1111 1111", "card [card]"),
        ("IBAN DE89 3704 0044 0532 0130 00 ok", "IBAN [account] ok"),
        ("mail joe.x@foo.co.uk please", "mail [email] please"),
        ("see www.foo.com/x?y=1, or https://a.b/c.", "see [url], or [url]."),
        ("ask @joe_x about it", "ask [handle] about it"),
        ("on may 5th 2020 or 12.05.2021", "on [date] or [date]"),
        ("am 3. Oktober um 14 Uhr", "am [date] um [time]"),
        ("at 5pm or 10:45", "at [time] or [time]"),
        ("i paid $20.50 and 30 euros", "i paid [amount] and [amount]"),
        ("I live at 350 5th Ave, New York, NY 10118", "I live at [address]"),
        ("in der Hauptstraße 12, 10115 Berlin", "in der [address]"),
        ("vivo en Calle de Alcalá 45", "vivo en [address]"),
        ("vivo en la Calle 12 # 34-56 Sur", "vivo en la [address]"),
        ("cra. 7 no. 45-12 apto 301", "[address]"),
        ("a Av. Insurgentes Sur 1234, Col. Del Valle, C.P. 03100", "a [address]"),
        ("en Diagonal 1 N° 595", "en [address]"),
        ("to 703 boulevard Martin Suite 197", "to [address]"),
        ("ship to Prinsengracht 263 now", "ship to [address] now"),
        ("deliver to Storgatan 12 today", "deliver to [address] today"),
        ("send it to ul. Marszałkowska 84/92", "send it to [address]"),
    ],
)
def test_what_varies_becomes_a_placeholder(text, expected):
    assert prepare(text, CONFIG).text == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("my name is john smith and i lost my card", "my name is [name] and i lost my card"),
        ("Hi, this is Mark.", "Hi, this is [name]."),
        ("tell john i'm late", "tell [name] i'm late"),
        ("Dear Mrs. Sarah O'Connor, thanks", "Dear [name], thanks"),
        ("ich heiße Jürgen Müller", "ich heiße [name]"),
        ("mi nombre es maría josé garcía lopez", "mi nombre es [name]"),
        ("WHERE IS MY ORDER JOHN", "WHERE IS MY ORDER [name]"),
        ("Is Wojciech Kowalczyk there", "Is [name] there"),
        ("regards, bill", "regards, [name]"),
        ("my name: Will", "my name: [name]"),
        ("tell daan van der berg", "tell [name]"),
        ("soy la Dra. Ana Alves y llamo", "soy la [name] y llamo"),
        ("mr lucas i need help", "[name] i need help"),
        ("call denny now", "call [name] now"),
    ],
)
def test_names_of_people_are_masked_in_any_case(text, expected):
    assert prepare(text, CONFIG).text == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>where is&nbsp;my <b>parcel</b><br>thanks</p>", "where is my parcel thanks"),
        ("asap nbsp please", "asap please"),
        ("<style>p {color: red}</style>cancel it", "cancel it"),
        ("ship it to <name> &amp; co", "ship it to <name> & co"),
        ("cancel it\n> did you\n> really", "cancel it"),
        ("stop it\n\nOn Mon, Jim wrote:\n> old", "stop it"),
        ("hilfe\n-----Ursprüngliche Nachricht-----\nVon: x", "hilfe"),
        ("refund please\nFrom: a\nTo: b\nSubject: c\nold text", "refund please"),
        ("ok then\n-- \nJim\nACME", "ok then"),
    ],
)
def test_markup_and_quoted_mails_are_stripped(text, expected):
    assert prepare(text, CONFIG).text == expected


def test_each_rule_can_be_switched_off_and_reports_its_name():
    examples = {
        "html": "<b>hello there</b>",
        "quote": "stop it\n> now",
        "url": "see https://a.b/c",
        "email": "mail a.b@example.org",
        "handle": "ask @someone",
        "account": "to DE89370400440532013000",
        "card": "pay 4111 1111 1111 1111",
        "address": "in Calle Mayor today",
        "date": "on 2020-12-05",
        "phone": "dial 555-123-4567",
        "time": "at 10:45",
        "amount": "costs $20",
        "id": "order 12",
        "number": "about 123456",
        "name": "tell john",
    }
    assert list(examples) and set(examples) == set(get_args(Rule)) == {r.name for r in RULES}
    for rule, text in examples.items():
        assert rule in prepare(text, CONFIG).masks, rule
        assert rule not in prepare(text, MaskingConfig(off=(rule,))).masks
        assert masked(text, "all") == " ".join(text.split())


@given(st.text(alphabet="aJohn 5@.-/#:+<>&;[]\n$€", max_size=60))
def test_masking_a_masked_text_leaves_no_broken_placeholder(text):
    once = prepare(text, CONFIG).text
    rest = once
    for placeholder in PLACEHOLDERS:
        rest = rest.replace(placeholder, "")
    assert "[name" not in rest and "[number" not in rest


def test_long_hostile_texts_are_masked_in_linear_time():
    for part in ("a.", "a-", "1 ", "@a", "<b", "J.", "9/", "&#", "a@a."):
        assert prepare(part * 10_000, CONFIG, 20_000).text is not None


@pytest.mark.parametrize("locale", ["en_US", "de_DE", "es_ES"])
def test_most_planted_values_are_masked(locale):
    fake, draw = Faker(locale), random.Random(0)
    fake.seed_instance(0)
    values = {
        "phone": fake.phone_number, "email": fake.email, "url": fake.url, "iban": fake.iban,
        "card": fake.credit_card_number, "date": fake.date, "time": fake.time,
        "id": lambda: fake.bothify("??-######"), "address": fake.street_address,
    }  # fmt: skip
    hits = [
        value not in masked(f"please check {value} for me")
        for make in values.values()
        for value in [make().replace("\n", ", ") for _ in range(40)]
    ]
    assert sum(hits) >= 0.95 * len(hits)
    announced = ("my name is {}", "this is {}", "{} wants a refund", "please call {} back")
    names = [f"{fake.first_name()} {fake.last_name()}" for _ in range(200)]
    found = [name not in masked(draw.choice(announced).format(name)) for name in names]
    assert sum(found) >= 0.9 * len(found)
    lower = [
        name not in masked(draw.choice(announced).format(name)) for name in map(str.lower, names)
    ]
    assert sum(lower) >= 0.8 * len(lower)


def test_names_of_intents_see_no_placeholder():
    assert split_words("Your order [id] from [name] has shipped") == [
        "your", "order", "from", "has", "shipped"
    ]  # fmt: skip
    assert is_placeholder("[id]") and not is_placeholder("[html]") and not is_placeholder("id")
