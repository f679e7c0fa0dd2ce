"""Read the training data of assistants that is not JSON: Rasa's YAML, and Botium's utterances."""

from collections.abc import Iterator
from typing import Any, BinaryIO

import yaml

from advin.pipelines.reading.columns import Columns
from advin.pipelines.reading.json_values import ROW_BYTES
from advin.pipelines.reading.lines import read_lines
from advin.pipelines.reading.nested import nested_rows
from advin.pipelines.reading.rows import Piece, Row, decoded, escaped

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MARKERS = ("- ", "* ", "+ ")


class NotYamlError(ValueError):
    """A file is not YAML, or it is nested too deeply to be read."""


def parse_nlu(data: bytes) -> dict[str, Any]:
    """Return the intents of a Rasa file as {"nlu": [{"intent": …, "examples": [text, …]}, …]}.

    Synonyms, lookup tables, regular expressions, stories and rules hold no utterances.

    Raises:
        NotYamlError: if the file is not YAML.
    """
    try:
        document = yaml.load(data, Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise NotYamlError(" ".join(str(error).split())) from error
    items = document.get("nlu") if isinstance(document, dict) else None
    intents = [i for i in items if isinstance(i, dict)] if isinstance(items, list) else []
    return {
        "nlu": [
            {"intent": item["intent"], "examples": _examples(item.get("examples"))}
            for item in intents
            if "intent" in item
        ]
    }


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
        yield Row(piece.file.name, 0, escaped(data), problem="oversized")
        return
    try:
        value = parse_nlu(data)
    except NotYamlError:
        yield Row(piece.file.name, 0, escaped(data), problem="malformed")
        return
    for number, row in enumerate(nested_rows(value, piece.file.name, 0, columns)):
        yield row._replace(position=number)


def read_utterances(stream: BinaryIO, piece: Piece, columns: Columns) -> Iterator[Row]:
    """Read a Botium file: the first line is the intent, each further line an utterance."""
    intent = None
    for position, line, whole in read_lines(stream, piece):
        if not whole:
            yield Row(piece.file.name, position, escaped(line), problem="oversized")
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
            yield Row(piece.file.name, position, escaped(line), problem="oversized")
        elif text.startswith(b"#"):
            speaker = text.split()[0].lower()
        elif text and intent is None:
            intent = text
        elif text and speaker == b"#me":
            yield decoded(piece.file.name, position, line, intent if columns.intent else None, None)
