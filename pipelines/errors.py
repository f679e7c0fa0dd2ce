"""The errors that a user is told about in one line."""

import re

_CAUSE = re.compile(r"^(?!java\.|org\.|Caused by)[\w.]*(?:Error|Exception)\b.*$", re.MULTILINE)
_JAVA_CAUSE = re.compile(r"^Caused by: (?:[\w.$]+: )*(.*)$", re.MULTILINE)
# What Flink's client and Java put before what has happened.
_BEFORE = re.compile(r"^Pipeline \S+ failed in state \w+: |\b(?:java|org|io)\.[\w.$]+: ")
_HUNG_UP = "client cancelled"
_MAX_CHARACTERS = 300


class SettingsError(ValueError):
    """A setting or a file is wrong: one clear line for the user, exit code 2."""


class StageError(RuntimeError):
    """A stage failed on its engine; the run can be started again. Exit code 1."""


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
