"""The errors that a user is told about in one line."""

import re

_CAUSE = re.compile(r"^(?!java\.|org\.|Caused by)[\w.]*(?:Error|Exception)\b.*$", re.MULTILINE)
_JAVA_CAUSE = re.compile(r"^Caused by: (?:[\w.$]+: )*(.*)$", re.MULTILINE)
# What Flink's client and Java put before what has happened.
_BEFORE = re.compile(r"^Pipeline \S+ failed in state \w+: |\b(?:java|org|io)\.[\w.$]+: ")
_HUNG_UP = "client cancelled"
_MAX_CHARACTERS = 300


class Error(Exception):
    """Base of the errors that users are meant to see."""


class SettingsError(Error, ValueError):
    """A setting or a file is wrong. The message is one clear line; exit code 2."""


class StageError(Error, RuntimeError):
    """A stage failed on its engine. The same command resumes the run; exit code 1."""


def one_line(message: object) -> str:
    """Return a message as one printable line of at most 300 characters.

    >>> one_line("a\\tb\\nc")
    'a b c'
    """
    words = " ".join(str(message).split())
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in words)
    return text if len(text) <= _MAX_CHARACTERS else text[: _MAX_CHARACTERS - 2] + " …"


def cause(error: BaseException | str) -> str:
    """Return the one line of an engine's long message that tells most.

    >>> cause(RuntimeError("java.lang.X: Traceback:\\nOSError: disk full\\n  at java.y"))
    'OSError: disk full'
    """
    text = str(error).strip()
    found = _CAUSE.findall(text) or _JAVA_CAUSE.findall(text)
    line = found[-1] if found else (text.splitlines() or [type(error).__name__])[0]
    line = _BEFORE.sub("", line)
    if line.endswith(_HUNG_UP):
        line = f"a worker has died or was stopped ({line})"
    return line[:_MAX_CHARACTERS]
