"""Tests of cleaning and comparing texts."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from advin.discovery.text.cleaning import clean, normalize
from advin.discovery.text.config import MaskingConfig
from advin.discovery.text.preparation import prepare


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  lost \t my\r\n card ", "lost my card"),
        ("a\u00a0b\u2003c", "a b c"),
        ("cafe\u0301", "caf\u00e9"),
        ("a\x00b\x1b[31mred", "ab[31mred"),
        ("right\u202eto left", "rightto left"),
        ("👩\u200d👧 hi", "👩\u200d👧 hi"),
        ("\ufeff\u200b", ""),
    ],
)
def test_cleaning_folds_spaces_and_removes_invisible_characters(text, cleaned):
    assert clean(text) == cleaned


def test_spellings_of_one_text_have_one_normal_form():
    assert normalize("Lost  my CARD") == normalize("lost my card ") == "lost my card"
    assert normalize("STRASSE") == normalize("straße")


@given(st.text())
@example("two \b words")
@example("cafe\b\u0301")
def test_cleaning_twice_changes_nothing(text):
    once = clean(text)
    assert clean(once) == once
    assert "\n" not in once and "\x1b" not in once


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("x" * 20, None),
        ("x" * 21, "oversized"),
        ("john smith is " + "x" * 9, "oversized"),
    ],
)
def test_empty_and_oversized_texts_have_a_defect(text, reason):
    assert prepare(text, MaskingConfig(), 20).defect == reason
