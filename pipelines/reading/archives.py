"""Files inside a zip archive."""

import zipfile
from typing import BinaryIO

from advin.pipelines.errors import SettingsError
from advin.pipelines.reading.decompress import DAMAGE, DamagedError, guarded

ARCHIVE = ".zip"
# An archive is refused if its members exceed both this size and this many times their compressed
# size: text rarely shrinks to less than a fiftieth.
_MAX_BYTES = 1 << 28
_MAX_RATIO = 200
_MAX_MEMBERS = 100_000


def members(stream: BinaryIO, path: str) -> list[zipfile.ZipInfo]:
    """Return the files in an archive, sorted by name.

    Raises:
        SettingsError: if the archive is damaged or encrypted, or would become too large.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            found = [member for member in archive.infolist() if not member.is_dir()]
    except (*DAMAGE, NotImplementedError, ValueError) as error:
        raise SettingsError(f"cannot read {path} as a zip archive: {error}") from error
    if len(found) > _MAX_MEMBERS:
        raise SettingsError(
            f"{path} has {len(found)} members, but at most {_MAX_MEMBERS} are read: unpack it"
        )
    if len({member.filename for member in found}) < len(found):
        raise SettingsError(f"{path} has two members of one name: unpack it")
    for member in found:
        _check(member, path)
    packed, size = sum(m.compress_size for m in found), sum(m.file_size for m in found)
    if size > max(_MAX_BYTES, packed * _MAX_RATIO):
        raise SettingsError(
            f"{path} holds {size} bytes in {packed}, which is no text: unpack it if it is"
        )
    return sorted(found, key=lambda member: member.filename)


def open_member(stream: BinaryIO, name: str) -> BinaryIO:
    """Return a stream of one member of an archive.

    Raises:
        DamagedError: if the member is damaged, or compressed in an unknown way.
    """
    try:
        return guarded(zipfile.ZipFile(stream).open(name))
    except (*DAMAGE, NotImplementedError, RuntimeError, KeyError) as error:
        raise DamagedError(str(error)) from error


def _check(member: zipfile.ZipInfo, path: str) -> None:
    if member.flag_bits & 1:
        raise SettingsError(f"{path}: the member {member.filename} is encrypted: unpack it")
    if member.filename.lower().endswith(ARCHIVE):
        raise SettingsError(
            f"{path} holds another archive, {member.filename}: unpack it and give the files"
        )
