"""Read the training data of assistants that is not JSON: Rasa's YAML, and Botium's utterances."""

from collections.abc import Iterator
from typing import Any, BinaryIO

import yaml

from advin.pipelines.reading.columns import Columns
from advin.pipelines.reading.json_values import ROW_BYTES
from advin.pipelines.reading.lines import read_lines
from advin.pipelines.reading.nested import nested_rows
from advin.pipelines.reading.rows import MALFORMED, OVERSIZED, Piece, Row, decoded, rejected

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Deepest nesting of a YAML file; training data has five levels.
_MAX_DEPTH = 32
_KEY = object()
_MARKERS = ("- ", "* ", "+ ")


class NotYamlError(ValueError):
    """A file is not YAML, or it is nested too deeply to be read."""


def parse_nlu(data: bytes) -> dict[str, Any]:
    """Return the intents of a Rasa file as {"nlu": [{"intent": …, "examples": [text, …]}, …]}.

    Synonyms, lookup tables, regular expressions, stories and rules hold no utterances.

    Raises:
        NotYamlError: if the file is not YAML.
    """
    document = _parse_yaml(data)
    items = document.get("nlu") if isinstance(document, dict) else None
    intents = [i for i in items if isinstance(i, dict)] if isinstance(items, list) else []
    return {
        "nlu": [
            {"intent": item["intent"], "examples": _examples(item.get("examples"))}
            for item in intents
            if "intent" in item
        ]
    }


def _parse_yaml(data: bytes) -> Any:
    """Return the first document of a YAML file; all scalars are strings, and aliases are None.

    A loader of the library would follow aliases, which can grow without bound, and recurse.

    Raises:
        NotYamlError: if the file is not YAML, or is nested too deeply.
    """
    documents: list[Any] = []
    # Containers that are open, and the key of a mapping's next value or `_KEY` if a key comes next.
    path: list[Any] = [documents]
    keys: list[Any] = [None]

    def add(value: Any) -> None:
        if isinstance(path[-1], list):
            path[-1].append(value)
        elif keys[-1] is _KEY:
            keys[-1] = value if isinstance(value, str) else None
        else:
            path[-1][keys[-1]] = value
            keys[-1] = _KEY

    try:
        for event in yaml.parse(data, Loader=_Loader):
            if isinstance(event, yaml.ScalarEvent):
                add(event.value)
            elif isinstance(event, yaml.AliasEvent):
                add(None)
            elif isinstance(event, yaml.CollectionStartEvent):
                value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
                add(value)
                path.append(value)
                keys.append(_KEY)
            elif isinstance(event, yaml.CollectionEndEvent):
                path.pop()
                keys.pop()
            if len(path) > _MAX_DEPTH:
                raise NotYamlError(f"it is nested more than {_MAX_DEPTH} levels deep")
    except yaml.YAMLError as error:
        raise NotYamlError(" ".join(str(error).split())) from error
    return documents[0] if documents else None


def _examples(examples: Any) -> list[Any]:
    """Return the texts of a block of lines `- text`, or of a list of texts with metadata."""
    if isinstance(examples, str):
        lines = (line.strip() for line in examples.splitlines())
        return [line[2:].strip() if line.startswith(_MARKERS) else line for line in lines if line]
    if isinstance(examples, list):
        return [e.get("text") if isinstance(e, dict) else e for e in examples]
    return []


def read_nlu(stream: BinaryIO, piece: Piece, columns: Columns) -> Iterator[Row]:
    """Read the examples of a whole Rasa file; positions are their numbers."""
    data = stream.read(ROW_BYTES + 1)
    if len(data) > ROW_BYTES:
        yield rejected(piece.file.name, 0, data, OVERSIZED)
        return
    try:
        value = parse_nlu(data)
    except NotYamlError:
        yield rejected(piece.file.name, 0, data, MALFORMED)
        return
    for number, row in enumerate(nested_rows(value, piece.file.name, 0, columns)):
        yield row._replace(position=number)


def read_utterances(stream: BinaryIO, piece: Piece, columns: Columns) -> Iterator[Row]:
    """Read a Botium file: the first line is the intent, each further line an utterance."""
    intent = None
    for position, line, whole in read_lines(stream, piece):
        if not whole:
            yield rejected(piece.file.name, position, line, OVERSIZED)
        elif line.strip() and intent is None:
            intent = line.strip()
        elif line.strip():
            yield decoded(piece.file.name, position, line, intent if columns.intent else None, None)


def read_conversation(stream: BinaryIO, piece: Piece, columns: Columns) -> Iterator[Row]:
    """Read a Botium conversation: the first line is the intent, sections `#me` hold utterances."""
    intent, speaker = None, b""
    for position, line, whole in read_lines(stream, piece):
        text = line.strip()
        if not whole:
            yield rejected(piece.file.name, position, line, OVERSIZED)
        elif text.startswith(b"#"):
            speaker = text.split()[0].lower()
        elif text and intent is None:
            intent = text
        elif text and speaker == b"#me":
            yield decoded(piece.file.name, position, line, intent if columns.intent else None, None)
