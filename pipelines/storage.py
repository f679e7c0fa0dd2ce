"""Read and write files on any Beam file system. Files that are written appear complete or never."""

import io
import os
import uuid

import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystems import FileSystems

_ROW_GROUP_ROWS = 65_536


def join(*parts: str) -> str:
    """Join path parts by the rules of the first part's file system."""
    return FileSystems.join(*parts)


def absolute(path: str) -> str:
    """Return a path that does not depend on the working directory of a process."""
    return path if FileSystems.get_scheme(path) else os.path.abspath(path)


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
        use_dictionary=[f.name for f in table.schema if f.name not in vectors],
        use_byte_stream_split=[f"{name}.list.element" for name in vectors],
    )
    _write_whole(path, buffer.getbuffer())
    return buffer.getbuffer().nbytes


def read_parquet(path: str, columns: list[str] | None = None) -> pa.Table:
    """Read one Parquet file."""
    with FileSystems.open(path) as file:
        return pq.read_table(file, columns=columns)


def write_text(path: str, text: str) -> None:
    """Write a small text file that appears only when it is complete."""
    _write_whole(path, text.encode())


def read_text(path: str) -> str:
    """Read a small text file."""
    with FileSystems.open(path) as file:
        return file.read().decode()


def write_bytes(path: str, data: bytes) -> None:
    """Write a file that appears only when it is complete."""
    _write_whole(path, data)


def read_bytes(path: str) -> bytes:
    """Read a file."""
    with FileSystems.open(path) as file:
        return file.read()


def delete(path: str) -> None:
    """Delete a file or folder if it exists."""
    if FileSystems.exists(path):
        FileSystems.delete([path])


def list_files(folder: str, suffix: str) -> list[str]:
    """Return the sorted names of a folder's visible files that end in a suffix."""
    matched = FileSystems.match([FileSystems.join(folder, "*" + suffix)])[0].metadata_list
    names = (FileSystems.split(m.path)[1] for m in matched)
    return sorted(n for n in names if not n.startswith((".", "_")))


def _write_whole(path: str, data: bytes | memoryview) -> None:
    folder, name = FileSystems.split(path)
    if folder and not FileSystems.exists(folder):
        _make_folder(folder)
    # An object store shows an object once it is closed. Local files need a rename. Arrow ignores
    # names that begin with a dot, so an abandoned temporary file does no harm.
    local = FileSystems.get_scheme(path) is None
    target = FileSystems.join(folder, f".{name}.{uuid.uuid4().hex}") if local else path
    with FileSystems.create(target) as file:
        file.write(data)
    if local:
        FileSystems.rename([target], [path])


def _make_folder(folder: str) -> None:
    try:
        FileSystems.mkdirs(folder)
    except OSError:
        # Another worker may have made the folder first.
        if not FileSystems.exists(folder):
            raise


def _holds_halves(kind: pa.DataType) -> bool:
    is_list = pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind)
    return is_list and pa.types.is_float16(kind.value_type)
