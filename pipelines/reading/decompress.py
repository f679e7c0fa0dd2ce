"""Decompress streams. Damaged data raises `DamagedError`, after all that precedes it was read."""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO
from zipfile import BadZipFile

import zstandard

# What the decompressors raise for damaged, truncated or foreign data.
DAMAGE = (
    EOFError,
    BadZipFile,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    zstandard.ZstdError,
)
# The message of bz2, whose error has the type of errors of the file system.
_BZ2_DAMAGE = "Invalid data stream"
_CHUNK_BYTES = 1 << 20


class DamagedError(OSError):
    """Compressed data is damaged, truncated, or of another kind than its name says."""


def compression_of(name: str) -> str:
    """Return the suffix of a compressed file, such as ".gz"; an empty string for other names."""
    return next((suffix for suffix in COMPRESSIONS if name.lower().endswith(suffix)), "")


def decompressed(stream: Any, name: str) -> BinaryIO:
    """Return a stream of the decompressed bytes; `name` tells how they are compressed."""
    return guarded(COMPRESSIONS[compression_of(name)](stream))


def guarded(stream: Any) -> BinaryIO:
    """Return a stream with the same bytes, which raises `DamagedError` for damaged data."""
    return io.BufferedReader(_Guarded(stream), _CHUNK_BYTES)


class _Guarded(io.RawIOBase):
    """Reads no more than one block at a time, so that no block is lost before an error."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._stream.read1(len(buffer))
        except DAMAGE as error:
            raise DamagedError(str(error) or type(error).__name__) from error
        except OSError as error:
            if str(error) == _BZ2_DAMAGE:
                raise DamagedError(_BZ2_DAMAGE) from error
            raise
        buffer[: len(data)] = data
        return len(data)


class _Zstd:
    """Decompresses frames of Zstandard; unlike its own reader, it notices that data is cut off."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._left = stream, b""
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._began = False

    def read1(self, size: int) -> bytes:
        """Return some bytes, at least one unless the end is reached."""
        while len(self._left) == 0:
            data = self._frame.unused_data if self._frame.eof else self._stream.read(1 << 16)
            if self._frame.eof:
                data = data or self._stream.read(1 << 16)
                if not data:
                    return b""
                self._frame, self._began = zstandard.ZstdDecompressor().decompressobj(), False
            if not data:
                if self._began:
                    raise EOFError("the file ends before its last frame does")
                return b""
            self._began = True
            self._left = self._frame.decompress(data)
        data, self._left = self._left[:size], self._left[size:]
        return data


COMPRESSIONS: dict[str, Callable[[Any], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": _Zstd,
}
