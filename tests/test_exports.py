"""Exports of bot platforms: the customer's texts, and the labels of training data, are read."""

import csv
import gzip
import json
import shutil

import pytest

from advin.discovery.config import TextConfig
from advin.pipelines.counters import IngestCounters
from advin.pipelines.errors import SettingsError
from advin.pipelines.ingest import Ingest
from advin.pipelines.reading.columns import Columns
from advin.pipelines.reading.exports import strip_entities
from advin.pipelines.reading.inputs import find_input
from advin.pipelines.reading.read import read_piece, split_file
from advin.schemas import stage_files
from tests import exports
from tests.exports import EXAMPLES, REPLY, TEXTS, lines

LABELS = Columns("text", "intent", "domain")


def read(path, columns=Columns()):
    """Return (names of the exports, rows) of a file or folder."""
    files = find_input(str(path), columns, "--input")
    rows = [row for f in files for piece in split_file(f) for row in read_piece(piece, columns)]
    assert len({(row.source, row.position) for row in rows}) == len(rows)
    return {f.layout.export for f in files}, rows


def texts(rows):
    return [row.text for row in rows if row.problem is None]


LOGS = {
    "rasa-tracker": ("log.json", json.dumps(exports.rasa_trackers(), indent=1)),
    "rasa-events": ("log.jsonl", lines(exports.rasa_events())),
    "dialogflow-es": ("log.jsonl", lines(exports.dialogflow_es())),
    "dialogflow-cx": ("log.jsonl", lines(exports.dialogflow_cx())),
    "watson-logs": ("log.json", json.dumps(exports.watson_logs(), indent=1)),
    "lex-transcript": ("log.json", json.dumps(exports.lex_transcript())),
    "lex-logs": ("log.jsonl", lines(exports.lex_logs())),
}


@pytest.mark.parametrize("name", LOGS)
def test_the_layout_of_a_log_is_detected_and_the_customers_texts_are_read(name, tmp_path):
    file, content = LOGS[name]
    (tmp_path / file).write_text(content)
    found, rows = read(tmp_path / file)
    assert found == {name} and texts(rows) == TEXTS
    assert read(tmp_path / file, Columns(export=name)) == (found, rows)


@pytest.mark.parametrize("name", ["rasa-tracker", "rasa-events", "lex-transcript"])
def test_replies_of_the_bot_are_marked_as_turns_of_another_speaker(name, tmp_path):
    file, content = LOGS[name]
    (tmp_path / file).write_text(content)
    _, rows = read(tmp_path / file)
    others = [row for row in rows if row.problem is not None]
    assert [(row.problem, row.text) for row in others] == [("other_speaker", REPLY)] * len(TEXTS)


def test_events_that_are_no_turns_are_no_rows(tmp_path):
    (tmp_path / "log.jsonl").write_text(lines(exports.rasa_events()))
    _, rows = read(tmp_path / "log.jsonl")
    assert len(rows) == 2 * len(TEXTS)


def test_payloads_of_buttons_are_rejected_as_commands(tmp_path):
    (tmp_path / "log.jsonl").write_text(lines(exports.rasa_events(["/greet", "pay 1/2 of it"])))
    _, rows = read(tmp_path / "log.jsonl")
    assert [r.problem for r in rows] == ["command", "other_speaker", None, "other_speaker"]


def test_turns_of_speakers_without_a_role_are_not_the_customers(tmp_path):
    turns = [("CUSTOMER", "where is it"), ("AGENT", "let me see"), ("X9", "this call is recorded")]
    transcript = [{"ParticipantId": who, "Content": text} for who, text in turns]
    content = {"Participants": [], "Transcript": transcript}
    (tmp_path / "log.json").write_text(json.dumps(content))
    assert texts(read(tmp_path / "log.json")[1]) == ["where is it"]


@pytest.mark.parametrize("name", ["rasa-sql", "dialogflow-cx"])
def test_json_in_the_cells_of_a_csv_export_is_opened(name, tmp_path):
    rows = {"rasa-sql": exports.rasa_sql, "dialogflow-cx": exports.dialogflow_cx}[name]()
    with open(tmp_path / "log.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    found, rows = read(tmp_path / "log.csv")
    assert found == {name} and texts(rows) == TEXTS


@pytest.mark.parametrize("name", ["rasa-sql", "dialogflow-cx"])
def test_json_in_the_cells_of_a_parquet_export_is_opened(name, write_rows):
    rows = {"rasa-sql": exports.rasa_sql, "dialogflow-cx": exports.dialogflow_cx}[name]()
    found, rows = read(write_rows("log.parquet", rows))
    assert found == {name} and texts(rows) == TEXTS


def test_a_compressed_export_is_read(tmp_path):
    with gzip.open(tmp_path / "log.json.gz", "wt") as file:
        file.write(LOGS["rasa-tracker"][1])
    assert texts(read(tmp_path / "log.json.gz")[1]) == TEXTS


def test_a_named_text_column_and_the_format_rows_turn_detection_off(tmp_path):
    (tmp_path / "log.jsonl").write_text(lines(exports.rasa_events()))
    found, rows = read(tmp_path / "log.jsonl", Columns("parse_data.text"))
    assert found == {None} and texts(rows) == TEXTS
    found, rows = read(tmp_path / "log.jsonl", Columns(export="rows"))
    assert found == {None} and len(texts(rows)) == 2 * len(TEXTS)


def test_a_named_speaker_turns_detection_off(tmp_path):
    (tmp_path / "log.jsonl").write_text(lines(exports.rasa_events()))
    found, rows = read(tmp_path / "log.jsonl", Columns("text", None, "event"))
    assert found == {None} and {r.domain for r in rows if r.text in TEXTS} == {"user"}


@pytest.mark.parametrize("members", [{"text": "a"}, {"text": "a", "event": "user", "time": 1}])
def test_an_ordinary_log_belongs_to_no_export(members, write_rows):
    assert read(write_rows("log.jsonl", [members]))[0] == {None}


def test_a_wrong_format_is_refused_with_the_paths_that_hold_texts(tmp_path):
    (tmp_path / "log.jsonl").write_text(lines(exports.dialogflow_es()))
    with pytest.raises(SettingsError) as error:
        read(tmp_path / "log.jsonl", Columns(export="watson-logs"))
    assert "Watson" in str(error.value) and "queryResult.queryText" in str(error.value)


def write_folder(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


TRAINING = {
    "rasa-nlu yaml": {"nlu.yml": exports.RASA_YAML},
    "rasa-nlu json": {"nlu.json": exports.RASA_JSON},
    "watson-workspace": {"workspace.json": exports.WATSON_WORKSPACE},
    "watson skill": {"skill.json": {"name": "x", "workspace": exports.WATSON_WORKSPACE}},
    "botium": exports.BOTIUM,
}


@pytest.mark.parametrize("name", TRAINING)
def test_training_data_is_read_with_its_intents(name, tmp_path):
    _, rows = read(write_folder(tmp_path, TRAINING[name]), LABELS)
    assert {row.problem for row in rows} == {None}
    assert sorted((row.text, row.intent) for row in rows) == sorted(EXAMPLES)


AGENTS = {
    "lex-bot": exports.LEX_BOT,
    "dialogflow-agent": exports.DIALOGFLOW_AGENT,
    "dialogflow-agent of cx": exports.DIALOGFLOW_CX_AGENT,
}


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_of_many_files_is_read_with_its_intents(name, packed, tmp_path):
    folder = write_folder(tmp_path / "agent", AGENTS[name])
    path = shutil.make_archive(tmp_path / "agent", "zip", folder) if packed else folder
    found, rows = read(path, LABELS)
    assert found == {name.split()[0]} and {row.problem for row in rows} == {None}
    assert sorted((row.text, row.intent) for row in rows) == sorted(EXAMPLES)


def test_files_without_utterances_next_to_training_data_are_passed_over(tmp_path):
    files = {"nlu.yml": exports.RASA_YAML, "stories.yml": "stories: []", "rules.yml": "- x"}
    assert len(read(write_folder(tmp_path, files), LABELS)[1]) == len(EXAMPLES)
    (tmp_path / "nlu.yml").unlink()
    with pytest.raises(SettingsError):
        read(tmp_path, LABELS)


HOSTILE_YAML = {
    "deep": "nlu: " + "[" * 100_000,
    "indented": "\n".join(" " * i + "a:" for i in range(500)),
    "bomb": "a: &a {x: 1}\n" + "".join("b: &a {<<: [*a, *a]}\n" for _ in range(60)),
    "tag": "nlu: !!python/object/apply:os.getcwd []",
    "no yaml": 'nlu: "',
}


@pytest.mark.parametrize("name", HOSTILE_YAML)
def test_hostile_yaml_is_refused_in_one_line(name, tmp_path):
    (tmp_path / "nlu.yml").write_text(HOSTILE_YAML[name])
    with pytest.raises(SettingsError) as error:
        read(tmp_path / "nlu.yml", LABELS)
    assert len(str(error.value)) <= 300


def test_intents_of_rasa_are_words_as_they_are_written(tmp_path):
    (tmp_path / "nlu.yml").write_text("nlu:\n- intent: yes\n  examples: |\n    - of course\n")
    assert [(r.text, r.intent) for r in read(tmp_path / "nlu.yml", LABELS)[1]] == [
        ("of course", "yes")
    ]


def test_settings_in_json_next_to_a_log_are_passed_over(tmp_path):
    write_folder(tmp_path, {"log.csv": "text\nhello\n", "info.json": {"rows": 1}})
    assert texts(read(tmp_path)[1]) == ["hello"]


def test_marks_of_entities_are_stripped():
    marked = '[Paris](city) or [Rome]{"entity": "city", "value": "roma"} [not marked] (x)'
    assert strip_entities(marked) == "Paris or Rome [not marked] (x)"


def test_a_log_export_is_refused_as_labels(tmp_path):
    (tmp_path / "log.jsonl").write_text(lines(exports.dialogflow_es()))
    with pytest.raises(SettingsError, match="have no labels"):
        read(tmp_path / "log.jsonl", LABELS)


@pytest.mark.parametrize("kept", [True, False])
def test_each_turn_of_an_export_is_counted_once(kept, tmp_path, run_pipeline):
    (tmp_path / "log.jsonl").write_text(lines(exports.rasa_events([*TEXTS, REPLY])))
    files = find_input(str(tmp_path / "log.jsonl"), Columns(), "--input")
    folders = [str(tmp_path / name) for name in ("data", "rejects")]
    transform = Ingest(files, Columns(), stage_files.INGEST, *folders, TextConfig())
    transform.others = str(tmp_path / "others") if kept else ""
    found = IngestCounters.of_result(run_pipeline(lambda p: p | transform))
    assert (found.rows_read, found.rows_kept) == (8, 4)
    # The customer also says what the bot says, so no utterance is the bot's alone.
    assert (found.rows_of_others, found.rows_of_both) == ((4, 4) if kept else (0, 0))
    assert found.rows_rejected == (0 if kept else 4) and not found.utterances_of_others
