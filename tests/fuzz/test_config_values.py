"""Wrong values of each tunable: refused with one line that names the tunable, and exit code 2."""

import math
import re

import pytest

from advin.discovery.compute.tunables import Tunable
from advin.discovery.config import Config
from advin.pipelines.errors import SettingsError
from advin.runners.cli import main
from advin.runners.settings import Override, configured

DEFAULTS = Config()
TUNABLES = list(DEFAULTS.tunables())
# Neither text on the command line nor a value of TOML or Python: no tunable takes any of them.
WRONG_TEXTS = ("many", "nan", "1e400", "9" * 5000, "1,many", "\x1b[31m2")
WRONG_VALUES = (None, True, math.nan, -math.inf, 10**400, 2**63, b"1", {"a": 1}, [[]], [None])
RANGE = re.compile(r"at least (?P<low>\S+?)(,|$)|(?P<from>\S+) to (?P<to>\S+?)(,|$)")


def outside(tunable: Tunable) -> list[float]:
    """Return numbers below and above the range that `advin config` prints."""
    found = RANGE.match(tunable.range)
    if found is None:
        return []
    low, high = found["low"] or found["from"], found["to"]
    below = [float(low) - 1, float(low) - 1e15]
    above = [] if high is None else [1.01 * float(high) + 1, float(high) + 1e15]
    return [math.floor(n) if "whole" in tunable.kind else n for n in below + above]


def as_value(tunable: Tunable, number: float) -> object:
    is_tuple = isinstance(tunable.default, tuple)
    return [number] * max(1, len(tunable.default)) if is_tuple else number


def check_line(line: str, name: str) -> None:
    assert line.isprintable() and len(line) <= 300 and name in line, line


@pytest.mark.parametrize("tunable", TUNABLES, ids=lambda tunable: tunable.name)
def test_a_wrong_value_is_refused_with_one_line_that_names_the_tunable(tunable):
    numbers = [as_value(tunable, number) for number in outside(tunable)]
    for value in (*WRONG_TEXTS, *map(str, numbers), *WRONG_VALUES, *numbers):
        with pytest.raises(SettingsError) as caught:
            configured([Override(tunable.name, value, "--config FILE.toml")], DEFAULTS)
        check_line(str(caught.value), tunable.name)


def test_the_command_refuses_a_wrong_value_of_each_tunable_with_exit_code_2(capsys):
    for tunable in TUNABLES:
        value = next((as_value(tunable, number) for number in outside(tunable)), "nan")
        assert main(["config", "--set", f"{tunable.name}={value}"]) == 2
        line = capsys.readouterr().err.removesuffix("\n")
        assert line.startswith("advin: ")
        check_line(line, tunable.name)


def test_most_tunables_have_a_range():
    assert sum(bool(outside(tunable)) for tunable in TUNABLES) > 0.9 * len(TUNABLES)
