"""Input files: a wrong file is reported in one line before a job starts."""

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from advin.pipelines.reading.columns import Columns
from advin.pipelines.reading.inputs import find_input
from tests.readers import refusal

LABELS = Columns("text", "intent", "domain")


def test_a_file_a_folder_and_a_glob_are_found(write_rows, tmp_path):
    one, two = write_rows("b.jsonl", [{"text": "x"}]), write_rows("a.csv", [{"text": "y"}])
    (tmp_path / "_SUCCESS").write_text("not data")
    (tmp_path / ".hidden.csv").write_text("not data")
    paths = [str(two), str(one)]
    assert [f.path for f in find_input(str(one), Columns(), "--input")] == [str(one)]
    assert [f.path for f in find_input(str(tmp_path), Columns(), "--input")] == paths
    assert [f.path for f in find_input(f"{tmp_path}/*", Columns(), "--input")] == paths


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.parquet", "parquet"),
        ("a.jsonl", "jsonl"),
        ("a.csv", "csv"),
        ("a.tsv", "tsv"),
        ("a.txt", "text"),
    ],
)
def test_the_file_ending_determines_the_format(write_rows, name, kind):
    (found,) = find_input(str(write_rows(name, [{"text": "x"}])), Columns(), "--input")
    assert found.format == kind


def test_a_missing_file_is_refused(tmp_path):
    assert "no such file" in refusal(tmp_path / "none.csv")


def test_a_glob_without_matches_is_refused(tmp_path):
    assert "matches no file" in refusal(f"{tmp_path}/*.csv")


def test_an_unknown_ending_is_refused_with_the_known_endings(tmp_path):
    (tmp_path / "log.pdf").write_text("x")
    message = refusal(tmp_path / "log.pdf")
    assert ".parquet" in message and ".csv" in message


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl", "a.csv", "a.tsv"])
def test_a_missing_column_is_refused_with_the_existing_columns(write_rows, name):
    path = write_rows(name, [{"utterance": "x", "label": "y"}])
    message = refusal(path)
    assert "no column 'text'" in message and "label, utterance" in message
    assert message.endswith("--input-text-column, likely 'utterance'")


def test_labels_need_an_intent_column_but_no_domain_column(write_rows):
    assert "no column 'intent'" in refusal(
        write_rows("a.csv", [{"text": "x"}]), LABELS, "--labeled"
    )
    assert find_input(str(write_rows("b.csv", [{"text": "x", "intent": "y"}])), LABELS, "--labeled")


def test_plain_text_is_refused_as_labels(write_rows):
    assert "plain text" in refusal(write_rows("a.txt", [{"text": "x"}]), LABELS, "--labeled")


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "a.csv").touch()
    assert "is empty" in refusal(tmp_path / "a.csv")


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl"])
def test_a_text_column_of_another_type_is_refused(write_rows, name):
    message = refusal(write_rows(name, [{"text": 1}, {"text": 2}]))
    assert "column 'text' holds int" in message and "not text" in message


def test_dictionaries_and_large_strings_are_text(tmp_path):
    for kind in (pa.large_string(), pa.dictionary(pa.int8(), pa.string())):
        table = pa.table({"text": pa.array(["x"]).cast(kind)})
        pq.write_table(table, tmp_path / "a.parquet")
        assert find_input(str(tmp_path / "a.parquet"), Columns(), "--input")


def test_a_broken_file_is_refused(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 but not Parquet")
    assert "a.parquet as parquet" in refusal(tmp_path / "a.parquet")
    (tmp_path / "a.jsonl.gz").write_bytes(b"not gzip at all")
    assert "a.jsonl.gz as jsonl" in refusal(tmp_path / "a.jsonl.gz")


def test_the_format_of_a_compressed_file_is_found(tmp_path):
    with gzip.open(tmp_path / "a.csv.gz", "wt") as file:
        file.write("text\nhello\n")
    (found,) = find_input(str(tmp_path / "a.csv.gz"), Columns(), "--input")
    assert found.format == "csv"
