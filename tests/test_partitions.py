"""Folders that are named after a column and its value, as Spark and Hive write them."""

import pytest

from advin.pipelines.reading.columns import Columns
from tests.readers import read, refusal

LABELS = Columns("text", "intent", "domain")


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.jsonl", "a.txt"])
def test_the_names_of_folders_are_labels(write_rows, tmp_path, name):
    for text, folders in (
        ("where is it", "domain=shop/intent=track%20parcel"),
        ("money back", "domain=__HIVE_DEFAULT_PARTITION__/intent=refund"),
    ):
        (tmp_path / "known" / folders).mkdir(parents=True)
        write_rows(name, [{"text": text}]).rename(tmp_path / "known" / folders / name)
    rows = read(tmp_path / "known", LABELS)
    assert {(row.text, row.intent, row.domain) for row in rows} == {
        ("where is it", "track parcel", "shop"),
        ("money back", "refund", None),
    }


def test_the_name_of_a_folder_counts_more_than_a_column(write_rows, tmp_path):
    (tmp_path / "intent=track").mkdir()
    path = write_rows("a.csv", [{"text": "where is it", "intent": "other", "domain": "shop"}])
    path.rename(tmp_path / "intent=track" / "a.csv")
    (row,) = read(tmp_path / "intent=track", LABELS)
    assert (row.intent, row.domain) == ("track", "shop")


def test_folders_of_other_columns_are_no_labels(write_rows, tmp_path):
    (tmp_path / "date=2026-01-31").mkdir()
    write_rows("a.csv", [{"text": "hi"}]).rename(tmp_path / "date=2026-01-31" / "a.csv")
    (row,) = read(tmp_path / "date=2026-01-31")
    assert (row.text, row.intent) == ("hi", None)
    assert "no column 'intent'" in refusal(tmp_path / "date=2026-01-31", LABELS)
