"""Open an input file as a stream of bytes: unpacked, decompressed and, if it is text, in UTF-8."""

import contextlib
import io
from collections.abc import Iterator
from typing import BinaryIO

from apache_beam.io.filesystems import CompressionTypes, FileSystems

from advin.pipelines.reading.archives import open_member
from advin.pipelines.reading.decompress import compression_of, decompressed
from advin.pipelines.reading.encodings import recoded
from advin.pipelines.reading.files import BINARY, InputFile


@contextlib.contextmanager
def open_stream(file: InputFile) -> Iterator[BinaryIO]:
    """Open a file for reading: the bytes of a binary format, or the text as UTF-8.

    Raises:
        OSError: while it is read, if the file cannot be read; `DamagedError` if it is damaged.
    """
    with FileSystems.open(file.path, compression_type=CompressionTypes.UNCOMPRESSED) as raw:
        stream = open_member(raw, file.member) if file.member else raw
        if file.format in BINARY:
            yield io.BytesIO(stream.read()) if file.member else stream
            return
        if compression_of(file.member or file.path):
            stream = decompressed(stream, file.member or file.path)
        layout = file.layout
        yield stream if layout.is_usual else recoded(stream, layout.encoding, layout.line_end)
