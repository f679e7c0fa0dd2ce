"""Small exports of bot platforms, in the layouts that their documentation describes."""

import json
from collections.abc import Iterable
from typing import Any

TEXTS = ["where is my parcel", "please cancel my order", "the discount did not come off"]
REPLY = "Sorry, can you rephrase?"


def lines(rows: Iterable[Any]) -> str:
    """Return rows as JSON Lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def rasa_events(texts: list[str] = TEXTS) -> list[dict]:
    """Return the events of a Rasa event broker: an action, texts, and replies."""
    events: list[dict] = [{"event": "action", "name": "action_session_start"}]
    for text in texts:
        events.append({"event": "user", "text": text, "parse_data": {"text": text}})
        events.append({"event": "bot", "text": REPLY, "data": {"buttons": None}})
    return [{"sender_id": "s0", "timestamp": 1.7e9 + i, **e} for i, e in enumerate(events)]


def rasa_trackers(texts: list[str] = TEXTS) -> list[dict]:
    """Return the trackers of a Rasa tracker store, one for each text."""
    return [
        {"sender_id": f"s{i}", "slots": {}, "events": rasa_events([text])}
        for i, text in enumerate(texts)
    ]


def rasa_sql() -> list[dict]:
    """Return rows of the table `events` of a tracker store in SQL."""
    return [
        {
            "id": i,
            "sender_id": event["sender_id"],
            "type_name": event["event"],
            "timestamp": event["timestamp"],
            "intent_name": None,
            "action_name": event.get("name"),
            "data": json.dumps(event),
        }
        for i, event in enumerate(rasa_events())
    ]


def dialogflow_es() -> list[dict]:
    """Return answers of Dialogflow ES."""
    return [
        {
            "responseId": f"r{i}",
            "queryResult": {"queryText": text, "intent": {"displayName": "Fallback"}},
        }
        for i, text in enumerate(TEXTS)
    ]


def dialogflow_cx() -> list[dict]:
    """Return rows of the table in BigQuery; the last turn was spoken."""
    requests = [{"queryInput": {"text": {"text": text}}} for text in TEXTS[:-1]]
    spoken = {"queryInput": {"audio": {"config": {}}}}
    return [
        {
            "conversation_name": "c0",
            "turn_position": i,
            "request_time": "2026-03-01 10:00:00 UTC",
            "request": json.dumps(request),
            "response": json.dumps({"queryResult": {"transcript": text}}),
        }
        for i, (request, text) in enumerate(zip([*requests, spoken], TEXTS, strict=True))
    ]


def watson_logs() -> dict:
    """Return an answer of Watson's method list_logs."""
    logs = [
        {
            "log_id": f"l{i}",
            "request": {"input": {"text": text}, "context": {}},
            "response": {"input": {"text": text}, "intents": [], "output": {"text": [REPLY]}},
            "workspace_id": "w",
        }
        for i, text in enumerate(TEXTS)
    ]
    return {"logs": logs, "pagination": {"next_url": "/v1/logs?cursor=x"}}


def lex_transcript() -> dict:
    """Return a transcript of Amazon Lex; the agent answers each text."""
    turns = [turn for text in TEXTS for turn in (("C1", text), ("A1", REPLY))]
    return {
        "Participants": [
            {"ParticipantId": "A1", "ParticipantRole": "AGENT"},
            {"ParticipantId": "C1", "ParticipantRole": "CUSTOMER"},
        ],
        "Version": "1.1.0",
        "Transcript": [
            {"ParticipantId": who, "Id": f"T{i}", "Content": text}
            for i, (who, text) in enumerate(turns)
        ],
    }


def lex_logs() -> list[dict]:
    """Return conversation logs of Amazon Lex."""
    return [
        {"messageVersion": "2.0", "sessionId": "s", "inputTranscript": text, "interpretations": []}
        for text in TEXTS
    ]


RASA_YAML = """\
version: "3.1"
nlu:
- intent: track
  examples: |
    - where is [my parcel](item)
    - has [it]{"entity": "item", "role": "parcel"} arrived
- intent: cancel
  examples:
  - text: cancel my order
    metadata: {sentiment: neutral}
- synonym: parcel
  examples: |
    - package
"""
RASA_JSON = {
    "rasa_nlu_data": {
        "common_examples": [
            {"text": "where is my parcel", "intent": "track", "entities": []},
            {"text": "has it arrived", "intent": "track"},
            {"text": "cancel my order", "intent": "cancel"},
        ],
        "regex_features": [],
    }
}
EXAMPLES = [
    ("where is my parcel", "track"),
    ("has it arrived", "track"),
    ("cancel my order", "cancel"),
]
WATSON_WORKSPACE = {
    "name": "shop",
    "intents": [
        {
            "intent": "track",
            "examples": [{"text": "where is my parcel"}, {"text": "has it arrived"}],
        },
        {"intent": "cancel", "examples": [{"text": "cancel my order"}]},
    ],
    "entities": [{"entity": "item", "values": []}],
    "dialog_nodes": [],
}
LEX_BOT = {
    "manifest.json": {"metadata": {"fileFormat": "LexJson"}},
    "Shop/Bot.json": {"name": "Shop"},
    "Shop/BotLocales/en_US/Intents/track/Intent.json": {
        "name": "track",
        "sampleUtterances": [{"utterance": "where is my parcel"}, {"utterance": "has it arrived"}],
    },
    "Shop/BotLocales/en_US/Intents/cancel/Intent.json": {
        "name": "cancel",
        "sampleUtterances": [{"utterance": "cancel my order"}],
    },
}
DIALOGFLOW_AGENT = {
    "agent.json": {"language": "en"},
    "intents/track.json": {"name": "track", "responses": []},
    "intents/track_usersays_en.json": [
        {
            "id": "1",
            "data": [
                {"text": "where is ", "userDefined": False},
                {"text": "my parcel", "alias": "item", "meta": "@item", "userDefined": True},
            ],
            "isTemplate": False,
        },
        {"id": "2", "data": [{"text": "has it arrived"}]},
    ],
    "intents/cancel_usersays_en.json": [{"id": "3", "data": [{"text": "cancel my order"}]}],
}
DIALOGFLOW_CX_AGENT = {
    "agent.json": {"displayName": "shop"},
    "intents/track/trainingPhrases/en.json": {
        "trainingPhrases": [
            {"parts": [{"text": "where is "}, {"text": "my parcel", "parameterId": "item"}]},
            {"parts": [{"text": "has it arrived"}]},
        ]
    },
    "intents/cancel/trainingPhrases/en.json": {
        "trainingPhrases": [{"parts": [{"text": "cancel my order"}]}]
    },
}
BOTIUM = {
    "track.utterances.txt": "track\nwhere is my parcel\nhas it arrived\n",
    "cancel.convo.txt": "cancel\n\n#me\ncancel my order\n\n#bot\nDone.\n",
}
