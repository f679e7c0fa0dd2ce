"""Records: clean files are read as by Python's csv, and damage affects its own row only."""

import csv
import io
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advin.pipelines.reading.layout import Layout
from advin.pipelines.reading.records import Records
from advin.pipelines.reading.rows import MALFORMED, OVERSIZED
from tests.readers import problems_of, read

ROWS = 60
WORDS = "where is my parcel please thanks order card refund, screen late. hello".split()
# The cells of a row by the kind of file: an id, a date, a text and a label in different places.
KINDS = {
    "id, text": lambda i, text, label: [i, text],
    "text, label": lambda i, text, label: [f"{text} {i}", label],
    "id, date, text": lambda i, text, label: [i, "2024-05-17", text],
    "id, text, label": lambda i, text, label: [i, text, label],
}


def records(text: str, delimiter: str = ",") -> list[tuple[list[str], str | None]]:
    """Return the records after the header."""
    lines = io.StringIO(text, newline="\n")
    return list(Records(lines.readline, Layout(delimiter=delimiter)))


def written(rows: list[list[str]], quoting: int = csv.QUOTE_MINIMAL) -> list[str]:
    """Return the lines of each row as csv writes them."""
    lines = []
    for row in rows:
        file = io.StringIO(newline="")
        csv.writer(file, quoting=quoting).writerow(row)
        lines.append(file.getvalue())
    return lines


def draw_rows(kind: str, draw: random.Random) -> list[list[str]]:
    """Return rows of which some texts have quotes, delimiters and line breaks."""
    rows = []
    for i in range(ROWS):
        text = " ".join(draw.choices(WORDS, k=draw.randint(1, 8)))
        if draw.random() < 0.1:
            text += draw.choice([' 27" wide', ' say "hi"'])
        if draw.random() < 0.1:
            lines = (" ".join(draw.choices(WORDS, k=draw.randint(0, 6))) for _ in range(4))
            text = "\n".join([text, *lines])
        rows.append(KINDS[kind](str(i), text, draw.choice(["pay_bill", "refund", "track_it"])))
    return rows


def damaged(line: str, draw: random.Random) -> str:
    """Return a row with one quote more or fewer."""
    quotes = [i for i, c in enumerate(line) if c == '"']
    if quotes and draw.random() < 0.5:
        at = draw.choice(quotes)
        return line[:at] + line[at + 1 :]
    at = draw.choice([0, line.find(",") + 1, draw.randint(0, len(line) - 2), len(line) - 2])
    return f'{line[:at]}"{line[at:]}'


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_clean_files_are_read_as_they_were_written(kind, quoting):
    for seed in range(40):
        rows = draw_rows(kind, random.Random(seed))
        header = [f"column {i}" for i in range(len(rows[0]))]
        text = "".join(written([header, *rows], quoting))
        assert records(text) == [(row, None) for row in rows], seed


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_no_more_rows_are_lost_than_are_damaged(kind, quoting):
    for seed in range(40):
        draw = random.Random(seed)
        rows = draw_rows(kind, draw)
        header, *lines = written([[f"column {i}" for i in range(len(rows[0]))], *rows], quoting)
        hit = draw.sample(range(ROWS), k=draw.randint(1, 4))
        for i in hit:
            lines[i] = damaged(lines[i], draw)
        found = [cells for cells, problem in records(header + "".join(lines)) if problem is None]
        lost = [row for i, row in enumerate(rows) if i not in hit and row not in found]
        assert len(lost) <= len(hit), seed


CELLS = st.text(st.sampled_from('ab",;\n é'), max_size=12)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=8))
def test_any_cells_survive_in_quotes(rows):
    text = "".join(written([["a", "b", "c"], *rows], csv.QUOTE_ALL))
    assert [cells for cells, _ in records(text)] == rows


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from('ab",\n\r\0'), max_size=60))
def test_every_line_of_any_text_is_in_a_record(text):
    found = records(f"h,i\n{text}")
    characters = sum(len(cell) for cells, _ in found for cell in cells)
    kept = sum(c in "ab" for cells, _ in found for cell in cells for c in cell)
    assert kept == sum(c in "ab" for c in text) and characters <= len(text)


def test_a_quote_that_is_not_closed_affects_its_own_row(tmp_path):
    rows = [f"{i},where is parcel {i}?" for i in range(300)]
    rows[5] = '5,"my 27 inch screen is broken'
    (tmp_path / "a.csv").write_text("id,text\n" + "\n".join(rows))
    found = read(tmp_path / "a.csv")
    assert len(found) == 300
    assert [(r.position, r.problem) for r in found if r.problem] == [(5, MALFORMED)]


def test_two_stray_quotes_do_not_join_the_rows_between_them():
    rows = [f"{i},where is parcel {i}" for i in range(100)]
    rows[20] = '20,"the screen'
    rows[70] = '70,the screen is 27"'
    found = records("id,text\n" + "\n".join(rows))
    assert len(found) == 100 and [problem for _, problem in found].count(MALFORMED) == 1


def test_long_mails_in_cells_are_read_whole():
    mail = "\n".join(["Dear team,", "", *(f"line {i}, with a comma" for i in range(300)), "bye"])
    text = "".join(written([["id", "text"], ["1", mail], ["2", "short"]]))
    assert records(text) == [(["1", mail], None), (["2", "short"], None)]


def test_quotes_within_a_cell_are_kept():
    assert records('n,text\n1,my 27" screen\n2,"a 27" screen"\n') == [
        (["1", 'my 27" screen'], None),
        (["2", 'a 27 screen"'], None),
    ]


def test_a_line_beyond_the_limit_is_one_record():
    text = f"n,text\n1,a\n2,{'x' * (3 << 20)}\n3,b\n"
    assert [problem for _, problem in records(text)] == [None, OVERSIZED, None]


def test_many_quotes_that_are_not_closed_take_linear_time():
    rows = [f'{i},"text {i} ' if i % 2 else f"{i},{'x' * 100}" for i in range(20_000)]
    start = time.process_time()
    found = records("id,text\n" + "\n".join(rows))
    assert len(found) == 20_000 and time.process_time() - start < 10


def test_commas_in_a_last_text_without_quotes_are_part_of_it(tmp_path):
    (tmp_path / "a.csv").write_text("id,text\n1,hello, i paid, twice\n2,ok\n")
    assert [r.text for r in read(tmp_path / "a.csv")] == ["hello, i paid, twice", "ok"]


def test_a_row_with_too_many_cells_is_rejected_if_the_text_is_not_last(tmp_path):
    (tmp_path / "a.csv").write_text("text,n\nhello, i paid,1\nok,2,,\nfine,3\n")
    assert problems_of(tmp_path / "a.csv") == [MALFORMED, None, None]
