"""Ready readers: where the exports of bot platforms keep texts, speakers and intents.

`EXPORTS` is the table of the layouts. Sources, by platform:

* Rasa: https://rasa.com/docs/rasa/tracker-stores, /event-brokers and /training-data-format
* Dialogflow ES: https://cloud.google.com/dialogflow/es/docs, `DetectIntentResponse`, and an agent
  that was exported as a zip file
* Dialogflow CX: https://cloud.google.com/dialogflow/cx/docs/concept/export-bq
* Watson Assistant: https://cloud.ibm.com/apidocs/assistant, `listLogs`, and a workspace as JSON
* Amazon Lex: https://docs.aws.amazon.com/lexv2/latest/dg, "Input transcript format",
  "Conversation logs" and "JSON format for importing and exporting"
* Botium: https://github.com/codeforequity-at/botium-core, utterances files
"""

import re
from dataclasses import dataclass
from typing import Any

from advin.pipelines.reading.paths import has_path, parse_path

# A marked entity of Rasa: the text in square brackets, then its type, its groups, or both.
_ENTITY = re.compile(r"\[([^\[\]]+)\](?:\([^()]*\)|\{[^{}]*\})")


@dataclass(frozen=True, slots=True)
class Fields:
    """Where the fields of a row are. All are paths, see `reading.paths`.

    Attributes:
        text: the text.
        intent: label; None without one.
        domain: domain of the label; None without one.
        joined: True if the last list of the path holds the parts of one text.
        entities: True if the text marks entities as Rasa does: `[Paris](city)`.
    """

    text: str
    intent: str | None = None
    domain: str | None = None
    joined: bool = False
    entities: bool = False


@dataclass(frozen=True, slots=True)
class Speakers:
    """Who speaks in the turns of a conversation.

    Attributes:
        path: path of the speaker of a turn.
        customer: the speaker whose texts are read, in lower case.
        others: speakers of the other turns, in lower case; a row with any other value is no turn.
            None if every row is a turn.
        roles: where a row lists its speakers: the paths of the list, of an id and of a role; None
            if turns name the role itself.
        command: prefix of a turn that is a command, such as the payload of a button; None without
            commands.
    """

    path: str
    customer: str
    others: tuple[str, ...] | None
    roles: tuple[str, str, str] | None = None
    command: str | None = None


@dataclass(frozen=True, slots=True)
class Export:
    """The layout of an export.

    Attributes:
        title: its name in messages.
        fields: where its rows keep their fields; the first text that a row has counts.
        marks: paths that all rows of this layout have, and rows of other layouts do not.
        speakers: who speaks; None if all texts are the customer's.
        files: pattern of the paths of the files that hold rows, if an export has many files; its
            group, if it has one, is the intent.
    """

    title: str
    fields: tuple[Fields, ...]
    marks: tuple[str, ...] = ()
    speakers: Speakers | None = None
    files: str | None = None

    @property
    def labels(self) -> bool:
        """True if the export has labels: it is the training data of an assistant."""
        return self.files is not None or any(f.intent is not None for f in self.fields)

    @property
    def paths(self) -> list[str]:
        """All paths that are read in a row."""
        found = [path for f in self.fields for path in (f.text, f.intent, f.domain)]
        if self.speakers is not None:
            found += [self.speakers.path, *(self.speakers.roles or ())[:1]]
        return [path for path in found if path is not None]


def _rasa(path: str) -> Speakers:
    return Speakers(path, "user", ("bot", "agent"), command="/")


# By the names that --input-format and --labeled-format take. The first that matches is detected.
EXPORTS: dict[str, Export] = {
    "rasa-tracker": Export(
        "a Rasa tracker store",
        (Fields("events[].text"),),
        marks=("sender_id", "events[].event", "events[].timestamp"),
        speakers=_rasa("events[].event"),
    ),
    "rasa-events": Export(
        "Rasa events",
        (Fields("text"),),
        marks=("event", "timestamp", "sender_id"),
        speakers=_rasa("event"),
    ),
    "rasa-sql": Export(
        "the table of events of a Rasa tracker store in SQL",
        (Fields("data.text"),),
        marks=("sender_id", "type_name", "action_name", "data"),
        speakers=_rasa("type_name"),
    ),
    "dialogflow-es": Export(
        "Dialogflow ES responses",
        (Fields("queryResult.queryText"), Fields("query_result.query_text")),
        marks=("responseId", "queryResult.queryText"),
    ),
    "dialogflow-cx": Export(
        "Dialogflow CX turns from BigQuery",
        (
            Fields("request.queryInput.text.text"),
            Fields("response.queryResult.text"),
            Fields("response.queryResult.transcript"),
        ),
        marks=("conversation_name", "turn_position", "request", "response"),
    ),
    "watson-logs": Export(
        "Watson Assistant logs",
        (Fields("request.input.text"),),
        marks=("log_id", "request.input", "response"),
    ),
    "lex-transcript": Export(
        "Amazon Lex transcripts",
        (Fields("Transcript[].Content"),),
        marks=("Participants", "Transcript"),
        speakers=Speakers(
            "Transcript[].ParticipantId",
            "customer",
            None,
            ("Participants[]", "ParticipantId", "ParticipantRole"),
        ),
    ),
    "lex-logs": Export(
        "Amazon Lex conversation logs",
        (Fields("inputTranscript"),),
        marks=("inputTranscript", "sessionId"),
    ),
    "rasa-nlu": Export(
        "Rasa training data",
        (
            Fields("nlu[].examples[]", "nlu[].intent", entities=True),
            Fields(
                "rasa_nlu_data.common_examples[].text", "rasa_nlu_data.common_examples[].intent"
            ),
        ),
    ),
    "watson-workspace": Export(
        "a Watson Assistant workspace",
        (
            Fields("intents[].examples[].text", "intents[].intent"),
            Fields("workspace.intents[].examples[].text", "workspace.intents[].intent"),
        ),
    ),
    "lex-bot": Export(
        "an Amazon Lex bot",
        (
            Fields("sampleUtterances[].utterance", "name"),
            Fields("resource.intents[].sampleUtterances[]", "resource.intents[].name"),
        ),
        files=r"(?:^|[/!])Intents/[^/]+/Intent\.json$",
    ),
    "dialogflow-agent": Export(
        "a Dialogflow agent",
        (Fields("data[].text", joined=True), Fields("trainingPhrases[].parts[].text", joined=True)),
        files=r"(?:^|[/!])intents/(?:([^/]+)_usersays_[\w-]+\.json|([^/]+)/trainingPhrases/[^/]+\.json)$",
    ),
    "botium": Export(
        "Botium utterances",
        (),  # the files are not JSON: see `reading.training`
        files=r"\.(?:utterances|convo)\.txt$",
    ),
}

# Columns of tables by which an export is detected.
MARKED = {str(parse_path(mark)[0]) for export in EXPORTS.values() for mark in export.marks}


def detect(rows: list[Any]) -> str | None:
    """Return the name of the export that some rows belong to; None if there is none."""
    for name, export in EXPORTS.items():
        if rows and all(_belongs(row, export) for row in rows):
            return name
    return None


def _belongs(row: Any, export: Export) -> bool:
    if export.marks:
        return all(has_path(row, mark) for mark in export.marks)
    return any(
        has_path(row, fields.text) and fields.intent is not None and has_path(row, fields.intent)
        for fields in export.fields
    )


def has_text(row: Any, name: str) -> bool:
    """Return True if a row has a text where an export keeps it."""
    return any(has_path(row, fields.text) for fields in EXPORTS[name].fields)


def intent_of_file(export: Export, path: str) -> str | None:
    """Return the intent that the name of a file gives; None if it gives none."""
    match = re.search(export.files, path) if export.files else None
    return next((group for group in match.groups() if group), None) if match else None


def strip_entities(text: str) -> str:
    """Return a text without Rasa's marks of entities.

    >>> strip_entities('fly to [Paris](city) at [noon]{"entity": "time", "value": "12:00"}')
    'fly to Paris at noon'
    """
    return _ENTITY.sub(r"\1", text)
