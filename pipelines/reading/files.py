"""Find input files and determine their formats."""

import glob
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from apache_beam.io.filesystem import FileSystem
from apache_beam.io.filesystems import CompressionTypes, FileSystems

from advin.pipelines.errors import SettingsError
from advin.pipelines.reading import archives
from advin.pipelines.reading.decompress import COMPRESSIONS, compression_of
from advin.pipelines.reading.layout import Layout

FORMATS = {
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "text",
    ".xlsx": "xlsx",
    ".yml": "yaml",
    ".yaml": "yaml",
    ".utterances.txt": "utterances",
    ".convo.txt": "conversation",
}
# Formats that are compressed inside, and whose readers seek.
BINARY = ("parquet", "xlsx")
_RECURSIVE = "**"
_GLOB = re.compile(r"[*?\[]")
_HIDDEN = (".", "_")
_ENDINGS = ", ".join([*FORMATS, archives.ARCHIVE])


@dataclass(frozen=True, slots=True)
class InputFile:
    """One input file.

    Attributes:
        path: path on any Beam file system.
        format: a value of `FORMATS`.
        size: bytes.
        modified: time of the last change, in seconds since 1970; 0 if the file system has none.
        member: name of the file inside the archive at `path`; empty for other files.
        layout: how the bytes become rows.
    """

    path: str
    format: str
    size: int
    modified: float
    member: str = ""
    layout: Layout = field(default_factory=Layout)

    @property
    def name(self) -> str:
        """The path for tables and messages: printable, and with the name of the member."""
        path = f"{self.path}!{self.member}" if self.member else self.path
        path = os.fsencode(path).decode("utf-8", "backslashreplace")
        return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in path)

    @property
    def is_plain(self) -> bool:
        """True if the bytes of the file are its text in UTF-8, so that ranges can be read."""
        packed = self.member or compression_of(self.path)
        return not packed and self.layout.is_usual


@dataclass(frozen=True, slots=True)
class Found:
    """The files of an input.

    Attributes:
        files: files with data, sorted by path.
        passed_over: files that are hidden or have no known ending.
    """

    files: list[InputFile]
    passed_over: list[str]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file as the file system lists it."""

    path: str
    size: int
    modified: float


def find_files(pattern: str) -> Found:
    """Return the files that match a path, folder or glob on any Beam file system.

    Folders are searched with their subfolders. Links to folders are not followed.

    Raises:
        SettingsError: if no file matches, or a file that was named has no known ending, is no
            regular file, or is an archive that cannot be read.
    """
    named, entries = _list_local(pattern) if _is_local(pattern) else _list_remote(pattern)
    files: list[InputFile] = []
    passed_over: list[str] = []
    fixed = _fixed_part(pattern)
    for entry in sorted(entries, key=lambda e: e.path):
        below = os.path.relpath(entry.path, fixed)
        if not named and (_is_hidden(below) or _format_of(entry.path) is None):
            passed_over.append(entry.path)
        else:
            files += _unpacked(entry, passed_over)
    if not files:
        _refuse(pattern, passed_over)
    return Found(files, passed_over)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _refuse(pattern: str, passed_over: list[str]) -> None:
    if passed_over:
        raise SettingsError(
            f"{pattern} has {os.path.basename(passed_over[0])}, but no file with a known ending: "
            f"{_ENDINGS}"
        )
    raise SettingsError(
        f"the pattern {pattern} matches no file"
        if _GLOB.search(pattern)
        else f"no such file or folder: {pattern}"
    )


def _is_local(path: str) -> bool:
    return FileSystems.get_scheme(path) is None


def _fixed_part(pattern: str) -> str:
    """Return the folder of a pattern that holds no wildcard."""
    if _is_local(pattern) and os.path.lexists(pattern):
        return pattern
    wildcard = _GLOB.search(pattern)
    return os.path.dirname(pattern[: wildcard.start()]) if wildcard else pattern


def _list_local(pattern: str) -> tuple[bool, list[_Entry]]:
    """Return whether a pattern names one file, and the files that it matches."""
    # A name may contain brackets.
    if os.path.isdir(pattern):
        return False, list(_walk(pattern))
    if os.path.lexists(pattern):
        return True, [_stat(pattern)]
    if _RECURSIVE in pattern:
        # Unlike `glob`, this does not follow links to folders.
        matches = re.compile(FileSystem.translate_pattern(pattern)).match
        return False, [e for e in _walk(_fixed_part(pattern) or os.curdir) if matches(e.path)]
    entries: list[_Entry] = []
    for path in glob.glob(pattern):
        if os.path.isdir(path):
            entries += _walk(path)
        elif os.path.isfile(path):
            entries.append(_stat(path))
    return False, entries


def _walk(folder: str) -> Iterator[_Entry]:
    # `os.walk` does not follow links to folders, which may lead in a circle.
    def refuse(error: OSError) -> None:
        raise SettingsError(f"cannot list {folder}: {error.strerror}") from error

    for parent, _, names in os.walk(folder, onerror=refuse):
        for name in names:
            path = os.path.join(parent, name)
            if os.path.isfile(path):
                yield _stat(path)


def _stat(path: str) -> _Entry:
    try:
        found = os.stat(path)
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from error
    if not stat.S_ISREG(found.st_mode):
        raise SettingsError(f"{path} is a pipe, socket or device: copy its content to a file")
    return _Entry(path, found.st_size, found.st_mtime)


def _list_remote(pattern: str) -> tuple[bool, list[_Entry]]:
    try:
        found = FileSystems.match([pattern])[0].metadata_list
        named = any(m.path == pattern for m in found)
        if not _GLOB.search(pattern) and not named:
            found = FileSystems.match([FileSystems.join(pattern, "**")])[0].metadata_list
    except Exception as error:  # each file system raises its own errors
        raise SettingsError(f"cannot list {pattern}: {first_line(error)}") from error
    return named, [_Entry(m.path, m.size_in_bytes, m.last_updated_in_seconds or 0.0) for m in found]


def _is_hidden(path: str) -> bool:
    """True if a file, or a folder on the way to it, has a name that marks it as no data."""
    return any(part.startswith(_HIDDEN) for part in path.split(os.sep) if part not in ("..", "."))


def _format_of(path: str) -> str | None:
    """Return the format that a name tells, also "zip"; None for other names."""
    name = os.path.basename(path).lower()
    if name.endswith(archives.ARCHIVE):
        return "zip"
    stem = name[: len(name) - len(compression_of(name))]
    ending = max((e for e in FORMATS if stem.endswith(e)), key=len, default="")
    found = FORMATS.get(ending)
    return None if found in BINARY and stem != name else found


def _unpacked(entry: _Entry, passed_over: list[str]) -> Iterator[InputFile]:
    """Yield the file of an entry, or the files inside an archive."""
    found = _format_of(entry.path)
    if found is None:
        raise SettingsError(
            f"{entry.path}: the file name has no known ending; use one of {_ENDINGS}, and for "
            f"compressed text add {', '.join(COMPRESSIONS)}"
        )
    file = InputFile(entry.path, found, entry.size, entry.modified)
    if found != "zip":
        yield file
        return
    with FileSystems.open(entry.path, compression_type=CompressionTypes.UNCOMPRESSED) as stream:
        inside = archives.members(stream, file.name)
    for member in inside:
        kind = _format_of(member.filename)
        if _is_hidden(member.filename) or kind is None:
            passed_over.append(f"{entry.path}!{member.filename}")
        else:
            yield replace(file, format=kind, member=member.filename, size=member.file_size)
