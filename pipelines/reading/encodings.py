"""Find out how a file encodes its text, and recode it as UTF-8."""

import codecs
import io
from typing import Any, BinaryIO

import charset_normalizer

UTF8 = "utf-8"
_BOMS = (
    (codecs.BOM_UTF8, UTF8),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Encodings of one byte for each character, and those of East Asia. The first is the most frequent.
_LEGACY = [
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "mac_roman"),
    *("koi8_r", "shift_jis", "gb18030", "big5", "euc_kr", "euc_jp"),
]
# Letters and signs that texts of Western Europe use besides ASCII.
_WESTERN = set(
    "äöüßÄÖÜéèêëàâáãåæçîïíìñôóòõøœùúûÿÉÈÊÀÂÁÃÅÆÇÎÍÑÔÓÕØŒÙÚÛ¿¡ªº«»°€¤£§©®–—‘’‚“”„…•·´\xa0"
)
# In UTF-16, at least one character in this many is ASCII and so has a null byte.
_NULLS_IN = 10
# Bytes that a guess looks at.
_GUESSED_BYTES = 1 << 14
_CHUNK_BYTES = 1 << 18


def detect(data: bytes) -> str:
    """Return the encoding of a file, given its first bytes.

    A mark at the beginning decides first, then null bytes, which only UTF-16 has in text, then
    whether the data is UTF-8. If at least half of the lines that are not ASCII are valid UTF-8, the
    file is UTF-8, and its invalid lines become rejects. All else is guessed.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return encoding
    wide = _wide(data)
    if wide is not None:
        return wide
    try:
        codecs.getincrementaldecoder(UTF8)().decode(data)
    except UnicodeDecodeError:
        return _legacy(data)
    return UTF8


def recoded(stream: BinaryIO, encoding: str, line_end: str) -> BinaryIO:
    """Return a stream of the same text as UTF-8, whose lines end in line feeds.

    Invalid bytes stay invalid, or become U+FFFD if the encoding has no way to represent them.
    """
    return io.BufferedReader(_Recoded(stream, encoding, line_end), _CHUNK_BYTES)


class _Recoded(io.RawIOBase):
    def __init__(self, stream: Any, encoding: str, line_end: str) -> None:
        # UTF-16 has no way to represent an invalid byte.
        self._errors = "replace" if encoding.startswith("utf") else "surrogateescape"
        self._decoder = codecs.getincrementaldecoder(encoding)(self._errors)
        self._stream, self._line_end = stream, line_end
        self._left, self._ended = b"", False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left and not self._ended:
            data = self._stream.read(_CHUNK_BYTES)
            self._ended = not data
            text = self._decoder.decode(data, final=self._ended)
            self._left = text.replace(self._line_end, "\n").encode(UTF8, self._errors)
        part, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def _wide(data: bytes) -> str | None:
    """Return the byte order of UTF-16 without a mark; None if the data is not UTF-16."""
    even, odd = data[0::2].count(0), data[1::2].count(0)
    more, fewer = max(even, odd), min(even, odd)
    # Line breaks and spaces alone give UTF-16 this many null bytes, all at even or all at odd
    # offsets. In other files, null bytes are at both.
    if more * _NULLS_IN < len(data) // 2 or fewer * _NULLS_IN > more:
        return None
    encoding = "utf-16-le" if odd > even else "utf-16-be"
    try:
        data[: len(data) // 2 * 2].decode(encoding, "strict")
    except UnicodeDecodeError as error:
        if error.end < len(data) - 2:
            return None
    return encoding


def _legacy(data: bytes) -> str:
    lines = [line for line in data.split(b"\n")[:-1] or [data] if not line.isascii()]
    valid = sum(_is_utf8(line) for line in lines)
    if valid >= len(lines) - valid:
        return UTF8
    sample = b"\n".join(lines)[:_GUESSED_BYTES]
    unusual = {c for c in sample.decode("cp1252", "replace") if not c.isascii()}
    if unusual <= _WESTERN:
        return "cp1252"
    best = charset_normalizer.from_bytes(sample, cp_isolation=_LEGACY).best()
    return "cp1252" if best is None else best.encoding


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
