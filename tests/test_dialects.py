"""Layouts of files: the encoding, the delimiter and the quotes are found in the first bytes."""

import json
import logging
import re

import pytest

from advin.pipelines.errors import SettingsError
from advin.pipelines.reading.columns import Columns
from advin.pipelines.reading.inputs import find_input
from tests.readers import layout_of, problems_of, read, refusal

LABELS = Columns("text", "intent", "domain")
TEXTS = ["Où est ma commande, déjà payée ?", 'l’écran de 27" est cassé', "¿y mi pedido?", "plain"]


def cells(texts, delimiter=",", quote=True) -> str:
    """Return a file of cells with an id, a text and a label in each row."""
    lines = [["id", "text", "intent"]]
    lines += [[str(i), text, "order"] for i, text in enumerate(texts)]
    if quote:
        lines = [[f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in line] for line in lines]
    return "".join(delimiter.join(line) + "\r\n" for line in lines)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_the_delimiter_is_found(tmp_path, name, delimiter):
    (tmp_path / name).write_text(cells(TEXTS, delimiter), newline="")
    assert [r.text for r in read(tmp_path / name, LABELS)] == TEXTS
    assert layout_of(tmp_path / name, LABELS).delimiter == delimiter


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;"])
def test_excel_may_name_the_delimiter_in_a_first_line(tmp_path, first):
    (tmp_path / "a.csv").write_text(f"{first}\r\n{cells(TEXTS, ';')}", newline="")
    assert [r.text for r in read(tmp_path / "a.csv", LABELS)] == TEXTS


def test_an_unusual_delimiter_can_be_named_in_a_first_line(tmp_path):
    (tmp_path / "a.csv").write_text(f"sep=~\n{cells(TEXTS, '~')}", newline="")
    assert [r.text for r in read(tmp_path / "a.csv", LABELS)] == TEXTS


def test_commas_in_texts_do_not_hide_another_delimiter(tmp_path):
    texts = ["hello, i want, please, a refund"] * 5
    (tmp_path / "a.csv").write_text(cells(texts, ";", quote=False), newline="")
    assert [r.text for r in read(tmp_path / "a.csv", LABELS)] == texts


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "mac_roman"],
)
@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.jsonl"])
def test_the_encoding_is_found(tmp_path, name, encoding):
    if name == "a.csv":
        content = cells(TEXTS)
    elif name == "a.txt":
        content = "".join(f"{text}\n" for text in TEXTS)
    else:
        rows = ({"id": 1, "text": text} for text in TEXTS)
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (tmp_path / name).write_bytes(content.encode(encoding))
    assert [r.text for r in read(tmp_path / name)] == TEXTS


def test_a_mark_before_a_quoted_header_is_not_part_of_it(tmp_path):
    (tmp_path / "a.csv").write_bytes(b'\xef\xbb\xbf"text";"intent"\r\n"a";"b"\r\n')
    (row,) = read(tmp_path / "a.csv", LABELS)
    assert (row.text, row.intent) == ("a", "b")


def test_a_few_invalid_lines_leave_a_file_utf8(tmp_path):
    lines = ["café".encode()] * 5 + ["café".encode("cp1252")]
    (tmp_path / "a.txt").write_bytes(b"\n".join(lines))
    assert problems_of(tmp_path / "a.txt") == [None] * 5 + ["invalid_utf8"]


def test_null_bytes_in_a_few_rows_do_not_make_a_file_utf16(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"n,text\n1,a\x00b\n2,c\n" + b"3,more text\n" * 50)
    rows = read(tmp_path / "a.csv")
    assert len(rows) == 52 and rows[0].text == "a\x00b"


@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.jsonl"])
def test_lines_may_end_in_carriage_returns(tmp_path, name):
    texts = ["one", "two", "three"]
    lines = {
        "a.csv": ["n,text", *(f"1,{t}" for t in texts)],
        "a.txt": texts,
        "a.jsonl": [json.dumps({"text": t}) for t in texts],
    }
    (tmp_path / name).write_text("\r".join(lines[name]) + "\r", newline="")
    assert [r.text for r in read(tmp_path / name)] == texts


@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.jsonl"])
def test_a_single_carriage_return_between_rows_joins_no_rows(tmp_path, name):
    texts = [f"text {i}" for i in range(20)]
    lines = {
        "a.csv": ["n,text", *(f"{i},{t}" for i, t in enumerate(texts))],
        "a.txt": texts,
        "a.jsonl": [json.dumps({"text": t}) for t in texts],
    }[name]
    content = "\n".join(lines[:7]) + "\r" + "\n".join(lines[7:])
    (tmp_path / name).write_text(content, newline="")
    assert [r.text for r in read(tmp_path / name)] == texts


def test_a_single_carriage_return_in_a_text_is_a_space(tmp_path):
    (tmp_path / "a.csv").write_text("n,text\n1,one\rtwo\n2,three\n", newline="")
    assert [r.text for r in read(tmp_path / "a.csv")] == ["one two", "three"]


def test_quotes_in_tabs_are_ordinary_unless_all_of_them_close(tmp_path):
    (tmp_path / "a.tsv").write_text('n\ttext\n1\t"open\n2\t"closed"\n')
    assert [r.text for r in read(tmp_path / "a.tsv")] == ['"open', '"closed"']
    (tmp_path / "a.tsv").write_text('n\ttext\n1\t"a\tb ""c"""\n2\tplain\n')
    assert [r.text for r in read(tmp_path / "a.tsv")] == ['a\tb "c"', "plain"]
    (tmp_path / "a.tsv").write_text('n\ttext\n1\t"two\nlines"\n2\tplain\n')
    assert [r.text for r in read(tmp_path / "a.tsv")] == ["two\nlines", "plain"]
    (tmp_path / "a.tsv").write_text('n\ttext\n1\t"say ""hi"""\n2\tplain\n')
    assert [r.text for r in read(tmp_path / "a.tsv")] == ['say "hi"', "plain"]


def test_names_in_a_header_are_trimmed(tmp_path):
    (tmp_path / "a.csv").write_text('id , text ," intent "\n1,a,b\n')
    (row,) = read(tmp_path / "a.csv", LABELS)
    assert (row.text, row.intent) == ("a", "b")


def test_two_columns_of_one_name_are_refused_if_they_are_read(tmp_path):
    (tmp_path / "a.csv").write_text("text,n,text\na,1,b\n")
    assert "several columns 'text'" in refusal(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("text,n,n\na,1,b\n")
    assert [r.text for r in read(tmp_path / "a.csv")] == ["a"]


def test_the_layout_is_logged_in_one_line(tmp_path, caplog):
    (tmp_path / "a.csv").write_bytes(cells(TEXTS[:2], ";").encode("cp1252"))
    with caplog.at_level(logging.INFO, "advin"):
        find_input(str(tmp_path / "a.csv"), Columns(), "--input")
    (line,) = (record.getMessage() for record in caplog.records)
    assert re.fullmatch(r"--input: \S+a\.csv: csv \(cp1252, semicolons\)", line)


@pytest.mark.parametrize(
    ("columns", "hint"),
    [(["message", "n"], "likely 'message'"), (["Text"], "likely 'Text'"), (["texts"], "'texts'")],
)
def test_a_missing_column_is_refused_with_a_likely_one(tmp_path, columns, hint):
    (tmp_path / "a.csv").write_text(",".join(columns) + "\n" + ",".join("x" * len(columns)) + "\n")
    assert hint in refusal(tmp_path / "a.csv")


def test_content_of_another_format_is_refused_with_the_right_ending(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"PK\x03\x04 a workbook")
    assert ".xlsx" in refusal(tmp_path / "a.csv")


def test_a_header_without_rows_has_no_rows(tmp_path):
    (tmp_path / "a.csv").write_text("n,text\n")
    assert read(tmp_path / "a.csv") == []


def test_a_file_without_a_header_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("\n\n\n")
    with pytest.raises(SettingsError, match="its columns are: none"):
        find_input(str(tmp_path / "a.csv"), Columns(), "--input")
