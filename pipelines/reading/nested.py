"""Rows from nested values: texts at paths, lists of turns, n-best lists, exports of bot platforms.

One value can hold many texts, such as the messages of a conversation. The first text has the
position of the value, and each further one is `ELEMENT` higher.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from advin.pipelines.reading.cells import cell_text, problem_of
from advin.pipelines.reading.columns import Columns
from advin.pipelines.reading.exports import (
    EXPORTS,
    Fields,
    Speakers,
    intent_of_file,
    strip_entities,
)
from advin.pipelines.reading.paths import (
    Elements,
    has_path,
    root_column,
    select,
    select_at,
)
from advin.pipelines.reading.rows import Row

# Distance between the positions of two texts of one value; positions in files are below it.
ELEMENT = 1 << 40
OTHER_SPEAKER = "other_speaker"
COMMAND = "command"


def nested_rows(value: Any, source: str, position: int, columns: Columns) -> Iterator[Row]:
    """Yield the rows of a nested value.

    Args:
        value: a parsed line of JSONL, an element of a JSON array, or a row of a table.
        source: path of the file.
        position: position of the value in the file.
        columns: paths of the fields, or the export that the file belongs to.

    Yields:
        rows; those with a problem have no text, except for rows of other speakers. What is no turn
        in a conversation, such as an action of the bot, is no row.
    """
    fields, speakers, file_intent = Fields(*columns.names), None, None
    if columns.export is not None:
        export = EXPORTS[columns.export]
        fields = next((f for f in export.fields if has_path(value, f.text)), export.fields[0])
        speakers, file_intent = export.speakers, intent_of_file(export, source)
    for i, (text, problem, elements) in enumerate(_turns(value, fields, speakers)):
        labels: tuple[Any, Any]
        if columns.intent is None:
            # In a log, the domain column names the speaker, who may be a number.
            speaker = _at(value, columns.domain, elements)
            labels = None, str(speaker) if isinstance(speaker, int | float) else speaker
        else:
            intent = file_intent or _at(value, fields.intent, elements)
            labels = intent, _at(value, fields.domain, elements)
        defect = problem or problem_of((text, *labels))
        at = position + i * ELEMENT
        if defect is None or (defect == OTHER_SPEAKER and problem_of([text]) is None):
            extra = tuple(
                None if path in columns.native else _at(value, path, elements)
                for path in columns.extra
            )
            yield Row(source, at, text, labels[0], labels[1], defect, extra)
        else:
            yield Row(source, at, None, problem=defect)


def cells_of(columns: Columns, header: list[str]) -> tuple[list[int | None], bool]:
    """Return where a table has the text, the intent and the domain, and True if they nest.

    Fields nest if the table belongs to an export, or if a path leads into a column.
    """
    names = [name.strip() if name is not None else None for name in columns.names]
    roots = [root_column(name, header) if name is not None else None for name in names]
    nested = any(root not in (None, name) for root, name in zip(roots, names, strict=True))
    at = [header.index(root) if root is not None else None for root in roots]
    return at, nested or columns.export is not None


def _turns(
    value: Any, fields: Fields, speakers: Speakers | None
) -> Iterator[tuple[str | None, str | None, Elements]]:
    """Yield (text, problem, elements) of each turn; without any text, one with a problem."""
    found = list(_texts(value, fields))
    if not found:
        found = [((), None, "no_text_column")]
    for elements, text, problem in found:
        if speakers is None:
            bare = strip_entities(text) if text is not None and fields.entities else text
            yield bare, problem, elements
            continue
        speaker = _speaker(value, speakers, elements)
        if speaker == speakers.customer:
            is_command = speakers.command and (text or "").startswith(speakers.command)
            yield text, COMMAND if is_command else problem, elements
        elif speakers.others is None or speaker in speakers.others:
            yield text, OTHER_SPEAKER, elements


def _texts(value: Any, fields: Fields) -> Iterator[tuple[Elements, str | None, str | None]]:
    """Yield (elements, text, problem) of each text."""
    found = select(value, fields.text)
    if not fields.joined:
        for elements, cell in found:
            yield elements, *cell_text(cell)
        return
    for elements, parts in groupby(found, key=lambda pair: pair[0][:-1]):
        cells = [cell for _, cell in parts]
        if all(isinstance(cell, str) for cell in cells):
            yield elements, "".join(cells), None
        else:
            yield elements, None, "not_text"


def _speaker(value: Any, speakers: Speakers, elements: Elements) -> str:
    speaker = _at(value, speakers.path, elements)
    if speakers.roles is not None:
        people, identity, role = speakers.roles
        listed = [person for _, person in select(value, people) if isinstance(person, dict)]
        speaker = next((p.get(role) for p in listed if p.get(identity) == speaker), speaker)
    return str(speaker).lower()


def _at(value: Any, path: str | None, elements: Elements) -> Any:
    return None if path is None else select_at(value, path, elements)
