"""Damaged and odd files: refused in one line at the start, or read up to the damage."""

import bz2
import gzip
import io
import json
import lzma
import os
import random
import socket
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from advin.pipelines.errors import SettingsError
from advin.pipelines.reading import archives
from advin.pipelines.reading.columns import Columns
from advin.pipelines.reading.rows import Row
from tests.readers import layout_of, read, refusal
from tests.workbooks import write_workbook

COMPRESS = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lambda data: lzma.compress(data, preset=0),
    "zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}
# Digits do not compress well, so that the damage is beyond the first megabyte.
ROWS = 80_000


def rows_or_refusal(path) -> bool:
    """True if a file is read, or refused in one line."""
    try:
        return all(isinstance(row, Row) for row in read(path))
    except SettingsError as error:
        return str(error).isprintable()


@pytest.fixture(scope="module")
def lines() -> bytes:
    draw = random.Random(0)
    return b"".join(b'{"text": "%d"}\n' % draw.getrandbits(64) for _ in range(ROWS))


@pytest.mark.parametrize("ending", COMPRESS)
def test_compressed_files_are_read(tmp_path, lines, ending):
    head = lines[: lines.index(b"\n", 100_000) + 1]
    (tmp_path / f"a.jsonl.{ending}").write_bytes(COMPRESS[ending](head) + COMPRESS[ending](head))
    assert len(read(tmp_path / f"a.jsonl.{ending}")) == 2 * head.count(b"\n")


@pytest.mark.parametrize("ending", COMPRESS)
def test_a_compressed_file_that_is_cut_off_is_read_to_the_cut(tmp_path, lines, ending):
    data = COMPRESS[ending](lines)
    (tmp_path / f"a.jsonl.{ending}").write_bytes(data[: len(data) * 9 // 10])
    *rows, last = read(tmp_path / f"a.jsonl.{ending}")
    assert last.problem == "damaged_file" and "reading ended here" in (last.text or "")
    assert len(rows) > ROWS // 2 and not any(row.problem for row in rows)


@pytest.mark.parametrize("ending", COMPRESS)
@pytest.mark.parametrize("damage", ["cut", "flipped", "foreign", "empty"])
def test_a_compressed_file_that_is_damaged_at_the_start_is_refused(tmp_path, ending, damage):
    data = bytearray(COMPRESS[ending](b'{"text": "hello"}\n' * 1000))
    if damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "flipped":
        data[len(data) // 2] ^= 0xFF
        data[len(data) // 2 + 1] ^= 0xFF
    elif damage == "foreign":
        data = bytearray(b'{"text": "not compressed"}\n')
    else:
        data = bytearray(b"\0" * 20)
    (tmp_path / f"a.jsonl.{ending}").write_bytes(data)
    assert "as jsonl" in refusal(tmp_path / f"a.jsonl.{ending}")


@pytest.mark.parametrize("ending", COMPRESS)
def test_a_flipped_byte_anywhere_ends_in_rows_or_one_line(tmp_path, lines, ending):
    head = lines[: lines.index(b"\n", 20_000) + 1]
    data = COMPRESS[ending](head)
    draw = random.Random(1)
    for _ in range(30):
        broken = bytearray(data)
        broken[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        (tmp_path / f"a.jsonl.{ending}").write_bytes(broken)
        assert rows_or_refusal(tmp_path / f"a.jsonl.{ending}")


def parquet(rows: int = 40_000, **options) -> bytes:
    draw = random.Random(0)
    buffer = io.BytesIO()
    table = pa.table({"text": [f"{draw.getrandbits(64)}" for _ in range(rows)]})
    pq.write_table(table, buffer, row_group_size=rows, use_dictionary=False, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd"])
def test_a_damaged_page_of_parquet_ends_reading_there(tmp_path, compression):
    data = bytearray(
        parquet(compression=compression, data_page_size=1 << 14, write_page_checksum=True)
    )
    at = len(data) * 2 // 3
    data[at : at + 64] = bytes(64)
    (tmp_path / "a.parquet").write_bytes(data)
    *rows, last = read(tmp_path / "a.parquet")
    assert last.problem == "damaged_file"
    assert 0 < len(rows) < 40_000 and last.position == len(rows)


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
def test_a_flipped_byte_in_parquet_ends_in_rows_or_one_line(tmp_path, compression):
    data = parquet(200, compression=compression)
    draw = random.Random(2)
    for _ in range(60):
        broken = bytearray(data)
        broken[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        (tmp_path / "a.parquet").write_bytes(broken)
        assert rows_or_refusal(tmp_path / "a.parquet")


@pytest.mark.parametrize("size", [0, 4, 100, -1, -8, -100])
def test_parquet_that_is_cut_off_is_refused(tmp_path, size):
    data = parquet(1000)
    (tmp_path / "a.parquet").write_bytes(data[:size] or b"P")
    assert "as parquet" in refusal(tmp_path / "a.parquet")


# Zip archives.


def write_zip(path, members: dict[str, bytes], **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content, **options)


def test_the_members_of_an_archive_are_files(tmp_path):
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": ["three"]}), buffer)
    members = {
        "b/a.csv": b"n;text\n1;one\n",
        "a.jsonl.gz": gzip.compress(b'{"text": "two"}\n'),
        "c.parquet": buffer.getvalue(),
        "__MACOSX/._a.csv": b"not data",
        "README.md": b"not data",
    }
    write_zip(tmp_path / "log.zip", members)
    rows = read(tmp_path / "log.zip")
    assert [(r.source.partition("!")[2], r.text) for r in rows] == [
        ("a.jsonl.gz", "two"),
        ("b/a.csv", "one"),
        ("c.parquet", "three"),
    ]


def test_archives_within_archives_and_bombs_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_MAX_BYTES", 1 << 20)
    write_zip(tmp_path / "a.zip", {"b.zip": b"PK", "a.txt": b"x"})
    assert "another archive, b.zip" in refusal(tmp_path / "a.zip")
    write_zip(tmp_path / "b.zip", {"a.txt": b"0" * (3 << 20)})
    assert "unpack it" in refusal(tmp_path / "b.zip")


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.99])
def test_an_archive_that_is_cut_off_is_refused(tmp_path, cut):
    write_zip(tmp_path / "a.zip", {"a.txt": b"hello\n" * 100})
    data = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(data[: int(len(data) * cut)])
    assert "as a zip archive" in refusal(tmp_path / "a.zip")


def test_a_damaged_member_is_refused(tmp_path):
    write_zip(tmp_path / "a.zip", {"a.txt": os.urandom(1000).hex().encode()})
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[200:220] = bytes(20)
    (tmp_path / "a.zip").write_bytes(data)
    assert "a.zip!a.txt as text" in refusal(tmp_path / "a.zip")


# Workbooks.


HEADER = ["id", "text", "intent"]


def test_the_first_sheet_with_the_columns_is_read(tmp_path):
    sheets = {
        "Notes": [["made by", "someone"]],
        "Log": [HEADER, [1, "wo ist es & was?", "parcel"], [2, None, "parcel"], [3, 4.5, "x"]],
        "Copy": [HEADER, [1, "not read", "x"]],
    }
    write_workbook(tmp_path / "a.xlsx", sheets)
    assert layout_of(tmp_path / "a.xlsx").sheet == "Log"
    rows = read(tmp_path / "a.xlsx", Columns("text", "intent"))
    assert [(r.text, r.intent, r.problem) for r in rows] == [
        ("wo ist es & was?", "parcel", None),
        ("", "parcel", None),
        ("4.5", None, "not_text"),
    ]


def test_a_workbook_without_the_columns_or_with_numbers_for_texts_is_refused(tmp_path):
    write_workbook(tmp_path / "a.xlsx", {"Log": [["id", "Message"], [1, "hello"]]})
    assert "no column 'text'" in refusal(tmp_path / "a.xlsx")
    assert "likely 'Message'" in refusal(tmp_path / "a.xlsx")
    write_workbook(tmp_path / "a.xlsx", {"Log": [["text"], [1], [2]]})
    assert "not text" in refusal(tmp_path / "a.xlsx")
    write_workbook(tmp_path / "a.xlsx", {"Empty": []})
    assert "a.xlsx" in refusal(tmp_path / "a.xlsx")


def test_a_workbook_in_an_archive_is_read(tmp_path):
    write_workbook(tmp_path / "a.xlsx", {"Log": [HEADER, [1, "hello", "x"]]})
    write_zip(tmp_path / "a.zip", {"a.xlsx": (tmp_path / "a.xlsx").read_bytes()})
    assert [r.text for r in read(tmp_path / "a.zip")] == ["hello"]


def test_a_damaged_workbook_is_refused(tmp_path):
    (tmp_path / "a.xlsx").write_bytes(b"no workbook")
    assert "a.xlsx as" in refusal(tmp_path / "a.xlsx")
    write_zip(tmp_path / "a.xlsx", {"[Content_Types].xml": b"<broken"})
    assert "a.xlsx" in refusal(tmp_path / "a.xlsx")


# Folders and names.


def line(text: str) -> str:
    return json.dumps({"text": text}) + "\n"


def test_partitions_are_read_and_foreign_files_are_named(tmp_path, caplog):
    for i, name in enumerate(["date=2024-01-01", "date=2024-01-02", "_temporary", ".cache"]):
        (tmp_path / name).mkdir()
        (tmp_path / name / "part-0.jsonl").write_text(line(str(i)))
    (tmp_path / "README.pdf").write_text("not data")
    (tmp_path / "_SUCCESS").touch()
    assert [r.text for r in read(tmp_path)] == ["0", "1"]
    (warning,) = (r.getMessage() for r in caplog.records if r.levelname == "WARNING")
    assert "4 hidden or foreign files" in warning and len(warning) <= 300


def test_links_in_a_circle_do_not_hang(tmp_path):
    (tmp_path / "a.jsonl").write_text(line("x"))
    (tmp_path / "loop").symlink_to(tmp_path)
    assert len(read(tmp_path)) == 1
    assert len(read(f"{tmp_path}/**")) == 1


@pytest.mark.parametrize("name", ["log[1].jsonl", "log*.jsonl", "a b?.jsonl"])
def test_a_name_with_signs_of_a_pattern_is_a_name_if_it_exists(tmp_path, name):
    (tmp_path / name).write_text(line("x"))
    (tmp_path / "log1.jsonl").write_text(line("y"))
    assert [r.text for r in read(tmp_path / name)] == ["x"]


def test_a_folder_with_brackets_in_its_name_is_read(tmp_path):
    (tmp_path / "logs[2024]").mkdir()
    (tmp_path / "logs[2024]" / "a.jsonl").write_text(line("x"))
    assert len(read(tmp_path / "logs[2024]")) == 1


def test_names_that_are_not_utf8_or_not_printable_are_escaped(tmp_path):
    for name in (b"caf\xe9.jsonl", b"a\nb\x1b[31m.jsonl"):
        path = os.path.join(os.fsencode(tmp_path), name)
        with open(path, "wb") as file:
            file.write(line("x").encode())
    rows = read(tmp_path)
    assert len(rows) == 2
    assert all(row.source.isprintable() and row.source.encode() for row in rows)
    with open(path, "wb") as file:
        file.write(b"{}\n")
    assert "no column" in refusal(tmp_path)


def test_pipes_sockets_and_devices_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.jsonl")
    assert "is a pipe" in refusal(tmp_path / "pipe.jsonl")
    assert "is a pipe" in refusal("/dev/null")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.jsonl"))
        assert "is a pipe" in refusal(tmp_path / "s.jsonl")
    (tmp_path / "a.jsonl").write_text(line("x"))
    assert len(read(tmp_path)) == 1


def test_a_link_to_nowhere_is_refused(tmp_path):
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "none")
    assert "cannot read" in refusal(tmp_path / "a.jsonl")
