"""Tests of the rule that finds several requests in one text."""

import pytest

from advin.discovery.text.requests import has_several_requests

SEVERAL = (
    "I want to cancel my order and get a refund",
    "What's the opening time on Sunday? Can I bring my dog?",
    "book a table for two and also send me the menu",
    "Please track my parcel; how do I change the address?",
    "can you update my e-mail address and tell me what is on my bill",
    "I’d like to renew my pass. Which documents do I need?",
    "Ich möchte mein Konto schließen und wie bekomme ich mein Geld zurück",
    "quiero cancelar mi pedido y recibir un reembolso",
    "je voudrais annuler mon billet et recevoir un remboursement",
    "vorrei annullare il mio ordine e ricevere un rimborso",
    "quero cancelar o meu pedido e receber o dinheiro de volta",
)
SINGLE = (
    "",
    "where is my parcel",
    "I want to book a table for me and my wife",
    "what are the terms and conditions of the gold card",
    "my card was stolen and I need a new one",
    "I paid twice last week. Can you help?",
    "how do I pay in and out of my account",
    "hello and good morning, can you tell me my balance",
    "ich brauche einen Termin für mich und meine Frau",
    "quiero una mesa para mi mujer y mis hijos",
    "je voudrais une pizza et une salade verte",
)


@pytest.mark.parametrize("text", SEVERAL)
def test_two_requests_are_found(text):
    assert has_several_requests(text, min_words=3)


@pytest.mark.parametrize("text", SINGLE)
def test_a_single_request_is_not_flagged(text):
    assert not has_several_requests(text, min_words=3)


def test_shorter_requests_count_only_if_asked_for():
    assert not has_several_requests("cancel my order and get a refund", min_words=4)
    assert has_several_requests("cancel it and refund me", min_words=2)
