"""Readers: each row of a file is returned, with its text or with a problem."""

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from advin.pipelines.reading import lines as reading_lines
from advin.pipelines.reading.columns import Columns
from advin.pipelines.reading.files import InputFile
from advin.pipelines.reading.inputs import find_input
from advin.pipelines.reading.read import read_piece, split_file
from advin.pipelines.reading.rows import Piece
from tests.readers import read

LABELS = Columns("text", "intent", "domain")


def problems(path, columns=Columns()):
    return [(r.position, r.problem) for r in read(path, columns)]


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl", "a.csv", "a.tsv"])
def test_rows_are_read_with_their_labels(write_rows, name):
    rows = [
        {"text": 'Wo ist, "bitte", mein Paket?', "intent": "track", "domain": "shop"},
        {"text": "日本語", "intent": "other", "domain": "shop"},
    ]
    if name.endswith("tsv"):
        rows[0]["text"] = "Wo ist mein Paket?"
    found = read(write_rows(name, rows), LABELS)
    assert [(r.text, r.intent, r.domain, r.problem) for r in found] == [
        (r["text"], r["intent"], r["domain"], None) for r in rows
    ]


def test_quotes_in_tsv_are_ordinary_characters(tmp_path):
    (tmp_path / "a.tsv").write_text('text\tn\n"hi there\t1\n12" pizza\t2\n')
    assert [r.text for r in read(tmp_path / "a.tsv")] == ['"hi there', '12" pizza']


def test_csv_fields_may_contain_line_breaks(tmp_path):
    (tmp_path / "a.csv").write_text('n,text\n1,"two\nlines"\n2,one\n')
    assert [r.text for r in read(tmp_path / "a.csv")] == ["two\nlines", "one"]


def test_invalid_utf8_affects_only_its_own_row(tmp_path):
    bad, good = b"caf\xe9", b"caf\xc3\xa9"
    (tmp_path / "a.txt").write_bytes(bad + b"\n" + good + b"\n")
    (tmp_path / "a.csv").write_bytes(b"text\n" + bad + b"\n" + good + b"\n")
    (tmp_path / "a.jsonl").write_bytes(
        b'{"text": "' + bad + b'"}\n{"text": "' + good + b'"}\n{"text": "\\ud800"}\n'
    )
    column = pa.Array.from_buffers(pa.string(), 2, pa.array([bad, good], pa.binary()).buffers())
    pq.write_table(pa.table({"text": column}), tmp_path / "a.parquet")
    for name in ("a.txt", "a.csv", "a.jsonl", "a.parquet"):
        first, second, *rest = read(tmp_path / name)
        assert first.problem == "invalid_utf8" and "\\xe9" in first.text, name
        assert second.text.endswith("café") and second.problem is None, name
        assert [r.problem for r in rest] == (["invalid_utf8"] if name == "a.jsonl" else [])


def test_unusable_jsonl_lines_have_a_problem(tmp_path):
    lines = ['{"text": "ok"}', "{broken", '["a list"]', '{"other": 1}', '{"text": 5}', "",
             '{"text": null}', "[" * 100_000]  # fmt: skip
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    assert [p for _, p in problems(tmp_path / "a.jsonl")] == [
        None, "malformed", "malformed", "no_text_column", "not_text", "empty", "null", "malformed",
    ]  # fmt: skip


def test_null_texts_and_short_rows_have_a_problem(tmp_path):
    pq.write_table(pa.table({"text": ["a", None]}), tmp_path / "a.parquet")
    assert problems(tmp_path / "a.parquet") == [(0, None), (1, "null")]
    (tmp_path / "a.csv").write_text("n,text\n1,a\n2\n\n3,b\n")
    assert problems(tmp_path / "a.csv") == [(0, None), (1, "malformed"), (2, None), (3, None)]


def test_a_byte_order_mark_is_not_part_of_the_text(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfhello\r\n")
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbftext\r\nhello\r\n")
    assert [r.text for r in read(tmp_path)] == ["hello", "hello"]


def test_a_line_beyond_the_limit_is_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(reading_lines, "_LINE_BYTES", 1000)
    (tmp_path / "a.txt").write_bytes(b"before\n" + b"x" * 12_345 + b"\nafter\n")
    assert problems(tmp_path / "a.txt") == [(0, None), (7, "oversized"), (12_353, None)]


@pytest.mark.parametrize("size", [1, 2, 5, 7, 64])
def test_byte_ranges_read_every_line_once(tmp_path, monkeypatch, size):
    monkeypatch.setattr(reading_lines, "_RANGE_BYTES", size)
    lines = ["", "a", "bb", "", "", "a longer line", "x" * 20, "last without an end"]
    (tmp_path / "a.txt").write_text("\n".join(lines))
    rows = read(tmp_path / "a.txt")
    assert [r.text for r in rows] == lines
    data = (tmp_path / "a.txt").read_bytes()
    assert all(data[r.position :].startswith(r.text.encode()) for r in rows)


def test_row_groups_are_pieces_with_row_numbers_of_the_file(tmp_path):
    pq.write_table(
        pa.table({"text": [str(i) for i in range(25)]}), tmp_path / "a.parquet", row_group_size=10
    )
    (file,) = find_input(str(tmp_path / "a.parquet"), Columns(), "--input")
    pieces = list(split_file(file))
    assert len(pieces) == 3
    assert [(r.position, r.text) for r in read_piece(pieces[2], Columns())] == [
        (i, str(i)) for i in range(20, 25)
    ]


def test_a_compressed_file_is_one_piece(tmp_path):
    with gzip.open(tmp_path / "a.txt.gz", "wt") as file:
        file.write("one\ntwo\n" * 1000)
    path = str(tmp_path / "a.txt.gz")
    file = InputFile(path, "text", 10, 0)
    assert list(split_file(file)) == [Piece(file, 0, 10)]
    assert len(read(path)) == 2000
