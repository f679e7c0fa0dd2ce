"""Read and write files on any Beam file system. Files that are written appear complete or never.

Paths are names, never patterns: brackets, stars and percent signs stand for themselves.
"""

import contextlib
import io
import os
import re
import shutil
import stat
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystems import CompressionTypes, FileSystems

from advin.pipelines.errors import SettingsError
from advin.schemas.ids import content_id

_ROW_GROUP_ROWS = 65_536
# fastparquet reads lists only if a dictionary holds all of their values.
_DICTIONARY_BYTES = 2**26
# Bytes at the end of a file that its mark covers: the footer of a Parquet file.
_MARKED_BYTES = 65_536
_PATTERN = re.compile(r"([*?\[])")


class FileInfo(NamedTuple):
    """A file of a folder: its name, size in bytes, and time of change in seconds (0 if unknown)."""

    name: str
    size: int
    modified: float


def join(*parts: str) -> str:
    """Join path parts by the rules of the first part's file system."""
    return FileSystems.join(*parts)


def absolute(path: str) -> str:
    """Return a path that does not depend on the working directory of a process."""
    return os.path.abspath(path) if is_local(path) else path


def is_local(path: str) -> bool:
    """Return True if a path is on this machine."""
    return FileSystems.get_scheme(path) is None


def exists(path: str) -> bool:
    """Return True if a file or folder exists."""
    return FileSystems.exists(path)


def shard_name(shard: int, shards: int) -> str:
    """Return the file name of a shard, e.g. part-00002-of-00008.parquet."""
    return f"part-{shard:05d}-of-{shards:05d}.parquet"


def write_parquet(path: str, table: pa.Table) -> int:
    """Write a table to a file that appears only when it is complete; return its size in bytes.

    Equal tables give equal bytes. So a shard that a retry or a resumed run writes again replaces
    an identical file.
    """
    vectors = [f.name for f in table.schema if _holds_halves(f.type)]
    buffer = io.BytesIO()
    pq.write_table(
        table,
        buffer,
        compression="zstd",
        row_group_size=_ROW_GROUP_ROWS,
        use_dictionary=[_leaf(f) for f in table.schema if f.name not in vectors],
        dictionary_pagesize_limit=_DICTIONARY_BYTES,
        use_byte_stream_split=[f"{name}.list.element" for name in vectors],
        write_page_checksum=True,
    )
    _write_whole(path, buffer.getbuffer())
    return buffer.getbuffer().nbytes


@contextlib.contextmanager
def open_parquet(path: str, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """Yield a writer to a file that appears when the block ends without an error.

    Equal batches give equal bytes, and memory is bounded by one batch.
    """
    options: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True}
    if not is_local(path):
        # An object store would show what was written before an error.
        with tempfile.TemporaryFile() as file:
            with pq.ParquetWriter(file, schema, **options) as writer:
                yield writer
            file.seek(0)
            _write_stream(_prepare_target(path), file)
        return
    target = _prepare_target(path)
    try:
        with pq.ParquetWriter(target, schema, **options) as writer:
            yield writer
    except BaseException:
        delete(target)
        raise
    os.replace(target, path)


def iter_parquet(path: str, rows: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file that `open_parquet` wrote, at most some rows at once.

    Raises:
        SettingsError: if there is no such file, or it is damaged.
    """
    try:
        with _open(path) as file:
            yield from pq.ParquetFile(file, page_checksum_verification=True).iter_batches(rows)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise SettingsError(f"cannot read {path}: {reason(error)}") from error


def parquet_schema(path: str) -> tuple[pa.Schema, dict[bytes, bytes]]:
    """Return the schema of a Parquet file, and the metadata of the file by key.

    Raises:
        SettingsError: if there is no such file, or it is damaged.
    """
    try:
        with _open(path) as file:
            found = pq.ParquetFile(file)
            return found.schema_arrow, dict(found.metadata.metadata or {})
    except (OSError, ValueError, pa.ArrowException) as error:
        raise SettingsError(f"cannot read {path}: {reason(error)}") from error


def read_parquet(path: str, columns: list[str] | None = None) -> pa.Table:
    """Read one Parquet file that `write_parquet` wrote.

    Raises:
        SettingsError: if there is no such file, or it is damaged.
    """
    try:
        with _open(path) as file:
            return pq.read_table(file, columns=columns, page_checksum_verification=True)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise SettingsError(f"cannot read {path}: {reason(error)}") from error


def mark(path: str) -> str:
    """Return the size of a file and a digest of its end, which change if the file is replaced.

    The end of a Parquet file describes all its pages, and each page carries its own checksum.
    """
    with _open(path) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _MARKED_BYTES))
        return f"{size}-{content_id(file.read())}"


def check_mark(path: str, expected: str | None) -> None:
    """Check that a file has its mark.

    Raises:
        SettingsError: if it cannot be read, or has another mark.
    """
    try:
        found = mark(path)
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {reason(error)}") from error
    if found != expected:
        raise SettingsError(
            f"{path} has changed since it was written: delete the output folder and start again"
        )


def reason(error: BaseException) -> str:
    """Return why an operation on a file failed, without the file's name."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.splitlines()[0]


def write_text(path: str, text: str) -> None:
    """Write a small text file that appears only when it is complete."""
    _write_whole(path, text.encode())


def read_text(path: str) -> str:
    """Read a small text file."""
    return read_bytes(path).decode()


def write_bytes(path: str, data: bytes) -> None:
    """Write a file that appears only when it is complete."""
    _write_whole(path, data)


def read_bytes(path: str) -> bytes:
    """Read a file."""
    with _open(path) as file:
        return file.read()


def copy(source: str, target: str) -> None:
    """Copy a file; the copy appears only when it is complete."""
    _write_whole(target, read_bytes(source))


def delete(path: str) -> None:
    """Delete a file or folder if it exists."""
    if not is_local(path):
        if FileSystems.exists(path):
            FileSystems.delete([path])
    elif os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.remove(path)


def list_folder(folder: str) -> list[FileInfo]:
    """Return the files of a folder, sorted by name, without those in folders below it.

    A folder that does not exist has none.
    """
    return [file for _, file in _list(folder, "*")]


def list_parts(folder: str) -> dict[str, list[FileInfo]]:
    """Return the visible files of each folder in a folder, both sorted by name."""
    parts: dict[str, list[FileInfo]] = {}
    for parent, file in _list(folder, "*", "*"):
        if not file.name.startswith((".", "_")):
            parts.setdefault(parent, []).append(file)
    return parts


def file_info(path: str) -> FileInfo:
    """Return the name, size and time of change of a file that exists."""
    folder, name = FileSystems.split(path)
    return next(file for file in list_folder(folder) if file.name == name)


def list_files(folder: str, suffix: str) -> list[str]:
    """Return the sorted names of a folder's visible files that end in a suffix."""
    names = (file.name for file in list_folder(folder))
    return [n for n in names if n.endswith(suffix) and not n.startswith((".", "_"))]


def _list(folder: str, *below: str) -> list[tuple[str, FileInfo]]:
    """Return the files of a folder, or of the folders in it, with the names of their folders."""
    if is_local(folder):
        paths = [Path(folder)]
        for _ in below[1:]:
            paths = [entry for path in paths for entry in _entries(path) if entry.is_dir()]
        files = (entry for path in paths for entry in _entries(path) if entry.is_file())
        found = [
            (f.parent.name, FileInfo(f.name, f.stat().st_size, f.stat().st_mtime)) for f in files
        ]
    else:
        # There is no way to quote a character but as a set.
        pattern = FileSystems.join(_PATTERN.sub(r"[\1]", folder), *below)
        found = []
        for file in FileSystems.match([pattern])[0].metadata_list:
            parent, name = FileSystems.split(file.path)
            modified = float(file.last_updated_in_seconds or 0)
            info = FileInfo(name, file.size_in_bytes, modified)
            found.append((FileSystems.split(parent)[1], info))
    return sorted(found)


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _open(path: str) -> BinaryIO:
    """Open a file. A pipe or device in its place would block the process."""
    if is_local(path):
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise OSError(0, "it is not a file")
        return open(path, "rb")
    return FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)


def _prepare_target(path: str) -> str:
    """Make the folder of a file, and return the path to write before it is renamed."""
    folder, name = FileSystems.split(path)
    if folder and not FileSystems.exists(folder):
        _make_folder(folder)
    # An object store shows an object once it is closed. Local files need a rename. Arrow ignores
    # names that begin with a dot, so an abandoned temporary file does no harm.
    return FileSystems.join(folder, unfinished(name) + uuid.uuid4().hex) if is_local(path) else path


def _write_whole(path: str, data: bytes | memoryview) -> None:
    target = _prepare_target(path)
    with FileSystems.create(target, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        file.write(data)
    if target != path:
        FileSystems.rename([target], [path])


def _write_stream(path: str, data: BinaryIO) -> None:
    with FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        shutil.copyfileobj(data, file)


def unfinished(name: str) -> str:
    """Return the beginning of the names of temporary files, which are renamed to a file's name."""
    return f".{name}."


def _make_folder(folder: str) -> None:
    try:
        FileSystems.mkdirs(folder)
    except OSError:
        # Another worker may have made the folder first.
        if not FileSystems.exists(folder):
            raise


def _leaf(field: pa.Field) -> str:
    """Return the path of the values of a column, as Parquet names it."""
    return f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name


def _holds_halves(kind: pa.DataType) -> bool:
    is_list = pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind)
    return is_list and pa.types.is_float16(kind.value_type)
