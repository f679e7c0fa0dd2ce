"""Errors that are shown to the user as one line."""

import re

_CAUSE = re.compile(r"^(?!java\.|org\.|Caused by)[\w.]*(?:Error|Exception)\b.*$", re.MULTILINE)
_JAVA_CAUSE = re.compile(r"^Caused by: (?:[\w.$]+: )*(.*)$", re.MULTILINE)
# Prefixes that Flink's client and Java put before the cause of an error.
_BEFORE = re.compile(r"^Pipeline \S+ failed in state \w+: |\b(?:java|org|io)\.[\w.$]+: ")
# A worker's error, in the text of the engine's error.
_REFUSED = re.compile(r"\bSettingsError: (.*?)(?: \[while running .*)?$", re.MULTILINE)
_HUNG_UP = "client cancelled"
_MAX_CHARACTERS = 300
_CUT = " … "


class Error(Exception):
    """Base of the errors that are shown to the user. The message is one printable line."""

    def __init__(self, message: object = "") -> None:
        """Shorten the message, and escape what a terminal would interpret."""
        super().__init__(one_line(message))


class SettingsError(Error, ValueError):
    """A setting or an input is wrong. The command line prints the message and exits with code 2."""


class StageError(Error, RuntimeError):
    """A stage failed on its engine; exit code 1. The same command resumes the run at the stage."""


def one_line(message: object) -> str:
    """Return a message as one printable line of at most 300 characters, cut in the middle.

    >>> one_line("a\\tb\\nc")
    'a b c'
    """
    words = " ".join(str(message).split())
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in words)
    if len(text) <= _MAX_CHARACTERS:
        return text
    # A long value stands in the middle: what is wrong with it follows at the end.
    end = _MAX_CHARACTERS // 2
    return text[: _MAX_CHARACTERS - end - len(_CUT)] + _CUT + text[-end:]


def refusal(error: BaseException | str) -> str | None:
    """Return the message of a worker's SettingsError from an engine's error; None if it is none.

    >>> refusal("RuntimeError: x.errors.SettingsError: no such file [while running 'Read']")
    'no such file'
    """
    found = _REFUSED.findall(str(error))
    return found[-1] if found else None


def cause(error: BaseException | str) -> str:
    """Return the most informative line of an engine's error message.

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
