"""Files of bytes, compressed or not."""

import bz2
import contextlib
import gzip
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from apache_beam.io.filesystems import CompressionTypes, FileSystems

COMPRESSIONS: dict[str, Callable[[BinaryIO], Any]] = {".gz": gzip.open, ".bz2": bz2.open}


@contextlib.contextmanager
def open_stream(path: str) -> Iterator[BinaryIO]:
    """Open a file for reading bytes. A file whose name ends in .gz or .bz2 is decompressed."""
    with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as raw:
        decompress = COMPRESSIONS.get(compression_of(path))
        if decompress is None:
            yield raw
        else:
            with decompress(raw) as stream:
                yield stream


def compression_of(path: str) -> str:
    """Return ".gz" or ".bz2" if the name of a file ends so, else an empty string."""
    return next((suffix for suffix in COMPRESSIONS if path.endswith(suffix)), "")
