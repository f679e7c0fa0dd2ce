"""Small inputs of every format, and damage to them, from a seeded generator.

make    writes a file and returns what is known about it
"""

import bz2
import csv
import gzip
import io
import json
import lzma
import random
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from exports import lines, rasa_trackers
from workbooks import write_workbook

TEXTS = (
    *("where is my parcel", "cancel order", "Überweisung nach Zürich", "日本語の質問", "ok"),
    *('say "hello", please', "a;b,c\td|e", "100% of [this]*", "=1+1", "emoji 🎉 here"),
    *("no\u202ebidi", "\x1b[31mred", "tab\there", "n\u0308ame", "x" * 3000),
    *("null", "NaN", "1e400", "{}", "[]"),
)
NAMES = ("log", "my log", "log[1]", "100%", "lög", "-log", "lo\ng", "a'b\"c", "*", "log.csv")
ENCODINGS = ("utf-8", "utf-8", "utf-8-sig", "utf-16", "cp1252")
UTF8 = ("utf-8", "utf-8-sig")


@dataclass(frozen=True)
class Made:
    """A file that was made.

    Attributes:
        path: the file.
        rows: number of records that a reader must account for; None if it cannot be known.
        what: format, encoding and damage, for messages.
    """

    path: Path
    rows: int | None
    what: str


def _table(texts: list[str], delimiter: str) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerows([["text", "n"], *([text, i] for i, text in enumerate(texts))])
    return out.getvalue()


def _rows(texts: list[str]) -> list[dict[str, str]]:
    return [{"text": text} for text in texts]


def _parquet(texts: list[str]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"text": texts}), out)
    return out.getvalue()


def _workbook(texts: list[str]) -> bytes:
    out = io.BytesIO()
    # XML has no control characters.
    cells = [["".join(c for c in text if c >= " ")] for text in texts]
    write_workbook(out, {"log": [["text"], *cells]})
    return out.getvalue()


def _nlu(texts: list[str]) -> str:
    examples = "".join(f"    - {json.dumps(text)[1:-1]}\n" for text in texts)
    return f"version: '3.1'\nnlu:\n- intent: help\n  examples: |\n{examples}"


TEXT_FORMATS: dict[str, Callable[[list[str]], str]] = {
    ".csv": lambda texts: _table(texts, ","),
    ".semicolon.csv": lambda texts: _table(texts, ";"),
    ".sep.csv": lambda texts: "sep=;\n" + _table(texts, ";"),
    ".tsv": lambda texts: "text\tn\n" + "".join(f"{t}\t1\n" for t in texts),
    ".jsonl": lambda texts: "".join(json.dumps(row) + "\n" for row in _rows(texts)),
    ".json": lambda texts: json.dumps(_rows(texts)),
    ".txt": lambda texts: "".join(f"{text}\n" for text in texts),
    ".yml": _nlu,
    ".trackers.jsonl": lambda texts: lines(rasa_trackers(texts)),
}
BINARY_FORMATS: dict[str, Callable[[list[str]], bytes]] = {
    ".parquet": _parquet,
    ".xlsx": _workbook,
}
WRAPPERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.compress,
}
# In these formats, damage inside a line touches one record.
LINES = (".csv", ".semicolon.csv", ".jsonl", ".txt", ".tsv")


def _flip(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice([1, 1, 8])):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _truncate(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


def _insert(data: bytearray, chance: random.Random) -> None:
    odd = [b"\0", b"\xff\xfe", b"\r", b'"', b"\xef\xbb\xbf", b"\x1b[2J", b"{" * 5000, b"\n" * 9]
    at = chance.randrange(len(data) + 1)
    data[at:at] = chance.choice(odd)


def _repeat(data: bytearray, chance: random.Random) -> None:
    head = data.split(b"\n")[0] + b"\n"
    data[0:0] = head


def _huge(data: bytearray, chance: random.Random) -> None:
    # Longer than the longest line.
    data += b"y" * 1_100_000


def _empty(data: bytearray, chance: random.Random) -> None:
    data.clear()


DAMAGE: dict[str, Callable[[bytearray, random.Random], None]] = {
    "flipped": _flip,
    "truncated": _truncate,
    "inserted": _insert,
    "header twice": _repeat,
    "huge": _huge,
    "empty": _empty,
}


def _damage_row(text: str, chance: random.Random) -> str:
    """Change a letter of one line after the first, so that one record is damaged."""
    lines = text.split("\n")
    at = chance.randrange(1, max(2, len(lines) - 1))
    if at >= len(lines) or not lines[at]:
        return text
    position = chance.randrange(len(lines[at]))
    odd = chance.choice(['"', "'", "\\", "\0", "\x1b", "é", "\x85", "{", ","])
    lines[at] = lines[at][:position] + odd + lines[at][position:]
    return "\n".join(lines)


def make(folder: Path, seed: int) -> Made:
    """Write a file from a seed."""
    chance = random.Random(seed)
    suffix = chance.choice([*TEXT_FORMATS, *BINARY_FORMATS])
    texts = [chance.choice(TEXTS) for _ in range(chance.randrange(2, 12))]
    encoding = chance.choice(ENCODINGS)
    damage = chance.choice(["none", "none", "row", "row", "row", *DAMAGE])
    # A tracker holds a text and a reply.
    rows: int | None = len(texts) * (2 if suffix == ".trackers.jsonl" else 1)
    if suffix in BINARY_FORMATS:
        data = bytearray(BINARY_FORMATS[suffix](texts))
    else:
        text = TEXT_FORMATS[suffix](texts)
        if damage == "row":
            text = _damage_row(text, chance)
        data = bytearray(text.encode(encoding, "replace"))
    if damage in DAMAGE:
        DAMAGE[damage](data, chance)
    known = damage == "none" or (damage == "row" and suffix in LINES)
    # A letter that is changed in another encoding may make the file look like a third one.
    if not known or suffix == ".yml" or (damage == "row" and encoding not in UTF8):
        rows = None
    name = chance.choice(NAMES)
    wrap = "" if suffix in BINARY_FORMATS else chance.choice(["", "", *WRAPPERS, ".zip"])
    wrong = chance.random() < 0.1
    ending = chance.choice([*TEXT_FORMATS, *BINARY_FORMATS, ".doc", ""]) if wrong else suffix
    if wrong:
        rows = None
    content = bytes(data)
    if wrap == ".zip":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("log" + ending, content)
        content = out.getvalue()
        path = folder / f"{name}{wrap}"
    else:
        content = WRAPPERS[wrap](content) if wrap else content
        path = folder / f"{name}{ending}{wrap}"
    if chance.random() < 0.1 and wrap:
        broken = bytearray(content)
        chance.choice([_flip, _truncate])(broken, chance)
        content, rows, damage = bytes(broken), None, damage + ", damaged again"
    path.write_bytes(content)
    return Made(path, rows, f"seed {seed}: {suffix}{wrap} as {ending!r}, {encoding}, {damage}")
