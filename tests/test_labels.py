"""Labels that contradict each other: the most frequent intent, domain and spelling counts."""

import logging

import pytest

from advin.discovery.config import Config
from advin.discovery.labels import LabelsConfig, consistent_labels, spelling_key
from advin.pipelines.fit import check_labels
from advin.pipelines.reading.columns import Columns
from advin.schemas import stage_files
from tests.test_ingest import finished_part, ingest

JOIN = LabelsConfig(spellings="join")
SPELLINGS = ["track_parcel", "Track parcel", " track-parcel", "TRACK PARCEL.", "Track__Parcel!"]


def consistent(rows: list[tuple[str, str, str | None]], config=LabelsConfig()):
    """Make rows (utterance, intent, domain) consistent; each row counts once."""
    utterances, intents, domains = zip(*rows, strict=True)
    return consistent_labels(utterances, [1] * len(rows), intents, domains, config)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_case_joints_and_final_punctuation_do_not_change_the_key(spelling):
    assert spelling_key(spelling) == "track parcel"


@pytest.mark.parametrize(
    "other", ["track parcels", "parcel track", "track parcel 2", "track/parcel"]
)
def test_other_words_change_the_key(other):
    assert spelling_key(other) != "track parcel"


def test_forms_of_unicode_do_not_change_the_key():
    assert spelling_key("re\u0301clamation") == spelling_key("r\u00e9clamation")
    assert spelling_key("ﬁx") == spelling_key("fix")


def test_a_label_of_punctuation_is_its_own_key():
    assert spelling_key("?") == "?" != spelling_key("!")


def test_spellings_are_reported_but_not_joined_unless_asked():
    rows = [("a", "pay_bill", None), ("b", "Pay bill", None), ("c", "pay_bill", None)]
    kept = consistent(rows)
    assert kept.spellings == [["pay_bill", "Pay bill"]]
    assert kept.intents == ["pay_bill", "Pay bill", "pay_bill"]
    assert consistent(rows, JOIN).intents == ["pay_bill"] * 3


def test_an_utterance_with_two_spellings_of_an_intent_keeps_one_row():
    rows = [("a", "pay_bill", "Bank"), ("a", "pay-bill", "bank"), ("b", "pay_bill", "bank")]
    joined = consistent(rows, JOIN)
    assert (joined.rows, joined.intents) == ([0, 2], ["pay_bill", "pay_bill"])
    assert joined.domain_of == {"pay_bill": "bank"} and not joined.split


def test_the_most_frequent_domain_of_an_intent_counts():
    rows = [("a", "pay", "bank"), ("b", "pay", "shop"), ("c", "pay", "bank"), ("d", "buy", "shop")]
    found = consistent(rows)
    assert found.domain_of == {"pay": "bank", "buy": "shop"}
    assert found.split == {"pay": {"bank": 2, "shop": 1}}


def test_a_tie_between_domains_goes_to_the_first_by_name():
    assert consistent([("a", "pay", "shop"), ("b", "pay", "bank")]).domain_of == {"pay": "bank"}


def test_contradictory_labels_are_reported_in_one_line_for_each_kind(
    write_rows, run_pipeline, tmp_path, caplog
):
    rows = [
        {"text": f"{spelling} {i}", "intent": spelling, "domain": "shop" if i else "post"}
        for spelling in SPELLINGS
        for i in range(3)
    ]
    columns = Columns("text", "intent", "domain")
    path = write_rows("known.csv", rows)
    ingest(run_pipeline, path, tmp_path, columns, stage_files.INGEST_LABELED)
    with caplog.at_level(logging.WARNING, "advin"):
        check_labels(finished_part(tmp_path), Config())
    few, spellings, domains = (
        record.getMessage() for record in caplog.records if record.levelno == logging.WARNING
    )
    assert "fewer than 5 labels" in few
    assert "5 labels are spellings of 1" in spellings
    assert "--label-spellings join" in spellings
    assert "'shop' (2 rows), not 'post' (1 rows)" in domains
    assert all(len(line) <= 300 and line.isprintable() for line in (spellings, domains))
