"""Nested rows: paths reach texts, lists give rows, and raw JSON is never a text."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from advin.pipelines.reading import json_values
from advin.pipelines.reading.columns import Columns
from advin.pipelines.reading.hypotheses import best_hypothesis
from advin.pipelines.reading.nested import ELEMENT
from advin.pipelines.reading.paths import format_path, parse_path, text_paths
from tests import readers

CHAT = {"id": 7, "messages": [{"text": "where is it"}, {"text": "my parcel"}], "lang": "en"}


def read(path, text="text", intent=None):
    return readers.read(path, Columns(text, intent))


def found(path, text="text", intent=None):
    return [
        (row.text if row.problem is None else None, row.problem) for row in read(path, text, intent)
    ]


def refusal(path, text="text"):
    return readers.refusal(path, Columns(text))


@pytest.fixture
def write_json(tmp_path):
    """Write rows as JSON Lines, or a text as it is, and return the path."""

    def write(content, name="a.jsonl"):
        lines = (
            content if isinstance(content, str) else "".join(json.dumps(r) + "\n" for r in content)
        )
        (tmp_path / name).write_text(lines)
        return tmp_path / name

    return write


@pytest.mark.parametrize("path", ["messages[].text", "messages.*.text", '"messages"[]."text"'])
def test_each_element_of_a_list_is_a_row_with_its_own_position(path, write_json):
    rows = read(write_json([CHAT, CHAT]), path)
    assert [row.text for row in rows] == ["where is it", "my parcel"] * 2
    second = len(json.dumps(CHAT)) + 1
    assert [row.position for row in rows] == [0, ELEMENT, second, second + ELEMENT]


def test_each_member_of_an_object_is_a_row(write_json):
    content = json.dumps({"id1": {"text": "a"}, "id2": {"text": "b"}}, indent=1)
    assert found(write_json(content, "a.json"), "*.text") == [("a", None), ("b", None)]


def test_one_element_of_a_list_is_named_by_its_position(write_json):
    assert found(write_json([CHAT]), "messages[1].text") == [("my parcel", None)]


def test_a_key_that_contains_dots_wins_over_a_path(write_json):
    row = {"a.b": "the key", "a": {"b": "the path", "c.d": "inside"}}
    assert found(write_json([row]), "a.b") == [("the key", None)]
    assert found(write_json([row]), "a.c.d") == [("inside", None)]
    assert found(write_json([row]), 'a."b"') == [("the path", None)]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_paths_reach_into_json_in_a_string(name, write_rows):
    cells = [json.dumps({"input": {"text": t}}) for t in ("one parcel", "two parcels")]
    path = write_rows(name, [{"n": "1", "request": cell} for cell in cells])
    assert found(path, "request.input.text") == [("one parcel", None), ("two parcels", None)]


def test_paths_reach_into_structs_and_lists_of_parquet(tmp_path):
    pq.write_table(pa.table({"a": [CHAT, {**CHAT, "messages": []}]}), tmp_path / "a.parquet")
    assert found(tmp_path / "a.parquet", "a.messages[].text") == [
        ("where is it", None), ("my parcel", None), (None, "no_text_column"),
    ]  # fmt: skip


def test_labels_stand_at_paths_next_to_their_text(write_json):
    row = {"intents": [{"name": "x", "say": ["a", "b"]}, {"name": "y", "say": ["c"]}]}
    rows = read(write_json([row]), "intents[].say[]", "intents[].name")
    assert [(r.text, r.intent) for r in rows] == [("a", "x"), ("b", "x"), ("c", "y")]


def test_the_domain_column_of_a_log_names_the_speaker_of_each_turn(write_json):
    turns = [{"who": 1, "say": "hello there"}, {"who": "bot", "say": "hi"}, {"say": "x"}]
    columns = Columns("turns[].say", None, "turns[].who")
    rows = readers.read(write_json([{"turns": turns}]), columns)
    assert [(r.text, r.domain) for r in rows] == [("hello there", "1"), ("hi", "bot"), ("x", None)]


def test_a_missing_path_rejects_its_row_only(write_json):
    assert found(write_json([{"a": {"b": "x"}}, {"a": 1}, {"a": {"b": None}}]), "a.b") == [
        ("x", None), (None, "no_text_column"), (None, "null"),
    ]  # fmt: skip


def test_a_path_that_no_row_has_is_refused_with_the_paths_of_texts(write_json):
    message = refusal(write_json([CHAT]), "message.text")
    assert "messages[].text" in message and "--input-text-column" in message


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_raw_json_is_refused_with_a_path_in_it(name, write_rows):
    cell = json.dumps({"input": {"text": "where is my parcel"}})
    message = refusal(write_rows(name, [{"request": cell}]), "request")
    assert "holds JSON, not text" in message and "request.input.text" in message


def test_raw_json_in_single_rows_is_rejected(write_json, write_rows, tmp_path):
    cells = ["hello there", '{"a": "b c"}', ' [{"a": 1}]', "[1]", "[name] is here", "{broken"]
    expected = [(c, None) if i not in (1, 2) else (None, "not_text") for i, c in enumerate(cells)]
    for name in ("a.jsonl", "a.csv", "a.parquet", "a.txt"):
        assert found(write_rows(name, [{"text": c} for c in cells])) == expected, name


def test_objects_are_refused_with_a_path_in_them(write_json):
    assert "messages[].text" in refusal(write_json([CHAT]), "messages")


@pytest.mark.parametrize(
    "content",
    [
        json.dumps([{"text": "a"}, {"text": "b"}]),
        json.dumps([{"text": "a"}, {"text": "b"}], indent=2),
        json.dumps({"rows": [{"text": "a"}, {"text": "b"}], "next": None}, indent=2),
        json.dumps({"text": "a"}, indent=2) + "\n" + json.dumps({"text": "b"}, indent=2),
        '{"text": "a"}{"text": "b"}',
        '{"text": "a"}\n{"text": "b"}\n',
        '\ufeff[{"text": "a"}, {"text": "b"}]',
        '["a", "b"]',
    ],
    ids=["line", "pretty", "member", "values", "concatenated", "lines", "mark", "strings"],
)
def test_a_json_file_is_read_in_any_arrangement(content, write_json):
    path = write_json(content, "a.json")
    rows = read(path)
    assert [row.text for row in rows] == ["a", "b"]
    data = path.read_bytes()
    assert all(row.text.encode() in data[row.position :].split(b"}")[0] for row in rows)


def test_an_array_in_a_jsonl_file_is_read(write_json):
    content = json.dumps([{"text": "a"}, {"text": "b"}], indent=1)
    assert found(write_json(content)) == [("a", None), ("b", None)]


def test_utf16_is_read(tmp_path):
    content = json.dumps([{"text": "où est"}, {"text": "b"}], indent=1, ensure_ascii=False)
    (tmp_path / "a.json").write_text(content, encoding="utf-16")
    assert found(tmp_path / "a.json") == [("où est", None), ("b", None)]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_rows_are_found_in_chunks_of_any_size(size, write_json, monkeypatch):
    monkeypatch.setattr(json_values, "_CHUNK_BYTES", size)
    rows = [{"text": f'"quoted\\" {i}, [not] {{a}} bracket', "n": [[i]]} for i in range(5)]
    assert [r.text for r in read(write_json(json.dumps(rows), "a.json"))] == [
        r["text"] for r in rows
    ]


def test_a_broken_element_does_not_hide_the_others(write_json):
    content = '[{"text": "a"},\n {"text": "b",\n {"text": "c"},\n {"text": "d}, {"text": "e"}]'
    problems = found(write_json(content, "a.json"))
    assert ("a", None) in problems and ("c", None) in problems
    assert {p for _, p in problems} == {None, "malformed"}


def test_objects_inside_a_broken_row_are_no_rows(write_json):
    row = {"id": 1, "text": "to Paris", "places": [{"text": "Paris"}, {"text": "Rome"}]}
    content = json.dumps([row, row, row]).replace('"to Paris"', '"to Paris', 1)
    assert {text for text, _ in found(write_json(content, "a.json"))} == {"to Paris", None}


def test_a_file_that_ends_too_early_keeps_its_whole_rows(write_json):
    content = json.dumps([{"text": "a"}, {"text": "b"}])
    assert found(write_json(content[:-6], "a.json")) == [("a", None), (None, "malformed")]


def test_a_row_beyond_the_limit_is_cut(write_json, monkeypatch):
    monkeypatch.setattr(json_values, "ROW_BYTES", 1000)
    content = json.dumps([{"text": "a"}, {"text": "x" * 5000}, {"text": "b"}])
    assert found(write_json(content, "a.json")) == [("a", None), (None, "oversized"), ("b", None)]


HOSTILE = {
    "deep": '{"text": ' + "[" * 100_000,
    "number": '{"text": "a", "n": ' + "9" * 10_000 + "}",
    "surrogate": '{"text": "\\ud800"}',
    "nan": '{"text": NaN}',
    "deep string": json.dumps({"text": "[" * 100_000}),
    "twice": '{"text": "a", "text": {"b": 1}}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_json_affects_its_own_row_only(name, write_json):
    good = '{"text": "good"}\n'
    rows = found(write_json(good + HOSTILE[name] + "\n" + good))
    assert len(rows) == 3 and rows[0] == rows[2] == ("good", None)
    array = f"[{good},\n{HOSTILE[name]},\n{good}]"
    assert ("good", None) in found(write_json(array, "a.json"))


def test_a_long_string_is_read(write_json):
    (row,) = read(write_json(json.dumps([{"text": "x" * 10_000_000}]), "a.json"))
    assert len(row.text) == 10_000_000


@pytest.mark.parametrize(
    ("hypotheses", "best"),
    [
        (["pay my bill", "play my bill"], "pay my bill"),
        ([{"transcript": "a", "confidence": 0.2}, {"transcript": "b", "confidence": 0.9}], "b"),
        ([{"asr-hyp": "a", "score": -4.5}, {"asr-hyp": "b", "score": -0.5}], "b"),
        ([{"transcript": "a"}, {"transcript": "b"}], "a"),
        ([{"Display": "A.", "Lexical": "a", "Confidence": "0.4"}], "A."),
        (
            {"alternatives": [{"text": "a", "confidence": None}, {"text": "b", "confidence": 1}]},
            "b",
        ),
        ([{"text": "a message"}, {"text": "another"}], None),
        ([], None),
        ([1, 2], None),
        ({"text": "a"}, None),
    ],
)
def test_the_most_confident_hypothesis_is_taken(hypotheses, best):
    assert best_hypothesis(hypotheses) == best


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_a_column_of_hypotheses_is_read(name, write_rows):
    nbest = [{"hyp": "play my bill", "score": -3.0}, {"hyp": "pay my bill", "score": -1.0}]
    cell = json.dumps(nbest) if name == "a.csv" else nbest
    assert found(write_rows(name, [{"n": "1", "n_best": cell}]), "n_best") == [
        ("pay my bill", None)
    ]


def test_reading_the_best_of_hypotheses_is_reported(write_json, caplog):
    with caplog.at_level("INFO", "advin"):
        read(write_json([{"text": ["pay my bill", "play my bill"]}]))
    assert "best text of each n-best list" in caplog.text


@pytest.mark.parametrize("name", ["a.b", "a[].b", 'a."b.c"[]', '"[]".x', "a[0][]"])
def test_a_path_is_written_as_it_is_read(name):
    assert format_path(parse_path(name)) == name


@pytest.mark.parametrize("name", ["", ".", "a.", "a..b", "a[", 'a"b', "a[x]", "a." * 1000 + "b"])
def test_a_name_that_is_no_path_is_one_key(name):
    assert parse_path(name) == (name,)


def test_paths_with_the_longest_texts_come_first():
    row = {
        "id": "abcdefghijklmnop",
        "a": {"b.c": ["one two three", "four"]},
        "n": "12 34",
        "d": "x y",
    }
    assert text_paths([row]) == ['a."b.c"[]', "d", "id"]
