"""The flags of the configuration, and the command that lists all tunables."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from advin.discovery.config import Config
from advin.pipelines.errors import SettingsError, one_line
from advin.runners.cli import main
from advin.runners.flags import parse
from advin.runners.settings import SHORTHANDS, configured, flat, for_model, overrides
from advin.schemas.tables import TABLES
from advin.schemas.verdicts import KINDS, REASONS
from advin.version import __version__

ROOT = Path(__file__).parent.parent
NAMES = [tunable.name for tunable in Config().tunables()]


def config_of(*flags: str) -> Config:
    parsed, _ = parse(["config", *flags])
    return configured(overrides(parsed))


@pytest.fixture
def toml(tmp_path):
    """Write a TOML file: its path."""

    def write(text: str) -> str:
        (tmp_path / "my.toml").write_text(text)
        return str(tmp_path / "my.toml")

    return write


def test_without_flags_all_tunables_have_their_defaults():
    assert config_of() == Config()
    assert config_of("--effort", "full") == Config()


def test_the_effort_is_a_preset():
    assert config_of("--effort", "fast") == Config.preset("fast")


def test_later_values_win(toml):
    file = ["--config", toml('[metric]\nsteps = 30\nrefresh = 3\nloss = "margin"\n')]
    assert config_of("--effort", "fast", *file).metric.steps == 30
    assert config_of(*file, "--set", "metric.steps=40", "--effort", "fast").metric.steps == 40
    assert config_of("--set", "metric.steps=1", "--set", "metric.steps=2").metric.steps == 2
    both = config_of(*file, "--set", "metric.loss=margin", "--loss", "contrastive")
    assert (both.metric.loss, both.metric.refresh) == ("contrastive", 3)


def test_shorthands_are_values_of_the_configuration():
    flags = ["--seed", "3", "--loss", "margin", "--clustering", "density", "--max-linked", "50"]
    config = config_of(*flags)
    assert (config.seed, config.metric.loss) == (3, "margin")
    assert (config.intents.clustering, config.linkage.max_clusters) == ("density", 50)
    assert set(SHORTHANDS.values()) <= set(NAMES)


def test_numbers_lists_and_auto_are_read_from_text():
    flags = ("distance.grid=0.1,0.9,0.05", "metric.neighbors=auto", "intents.junk_odds=3")
    config = config_of(*(part for text in flags for part in ("--set", text)))
    assert config.distance.grid == (0.1, 0.9, 0.05)
    assert config.metric.neighbors == "auto"
    assert config.intents.junk_odds == 3.0


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--set", "metric.stps=3"], ["--set metric.stps=3", "did you mean 'metric.steps'"]),
        (["--set", "metric.steps"], ["--set metric.steps", "NAME=VALUE"]),
        (["--set", "metric=3"], ["'metric'"]),
        (["--set", "=3"], ["--set =3"]),
        (["--set", "metric.steps=many"], ["metric.steps", "'many'", "whole number"]),
        (["--set", "metric.steps=0"], ["metric.steps is 0", "at least 1"]),
        (["--set", "metric.steps=" + "9" * 5000], ["metric.steps"]),
        (["--set", "metric.dropout=nan"], ["metric.dropout is nan"]),
        (["--set", "distance.grid=1"], ["distance.grid", "3 numbers"]),
        (["--set", "metric.\x1b[31mred=1"], ["no tunable"]),
        (["--seed", "-1"], ["--seed -1", "must be 0 to"]),
        (["--loss", "hinge"], ["--loss hinge", "contrastive, margin"]),
        (["--effort", "slow"], ["--effort", "'slow'", "fast"]),
        (["--config", "none.toml"], ["cannot read none.toml"]),
        (["--no-such-flag"], ["--no-such-flag"]),
    ],
)
def test_a_wrong_name_or_value_gives_one_line(flags, words, capsys):
    try:
        code = main(["config", *flags])
    except SystemExit as end:
        code = end.code
    (line,) = capsys.readouterr().err.splitlines()
    assert code == 2
    assert line.startswith("advin: ")
    assert line.isprintable() and len(line) <= 310
    assert all(word in line for word in words), line


@pytest.mark.parametrize(
    "text",
    [
        "metric",
        "[metric",
        "steps = ",
        "a = [1,",
        "\x00",
        "[metric]\nsteps = 1\nsteps = 2",
        "[" * 5000,
    ],
)
def test_a_file_that_does_not_parse_gives_one_line(text, toml, capsys):
    assert main(["config", "--config", toml(text)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "is not TOML" in line and len(line) <= 310


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[metric]\nsteps = true\n", ["metric.steps is True"]),
        ("[metric]\nsteps = [1]\n", ["metric.steps is [1]"]),
        ("[metric]\nsteps = 2026-01-01\n", ["metric.steps"]),
        ("[metrics]\nsteps = 1\n", ["'metrics.steps'", "metric.steps"]),
        ("metric = 1\n", ["'metric'"]),
    ],
)
def test_a_wrong_value_in_a_file_gives_one_line(text, words, toml, capsys):
    assert main(["config", "--config", toml(text)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--config" in line
    assert all(word in line for word in words), line


def test_toml_that_is_printed_can_be_read_back(capsys, toml):
    assert main(["config", "--format", "toml", "--effort", "fast", "--seed", "7"]) == 0
    printed = capsys.readouterr().out
    assert config_of("--config", toml(printed)) == config_of("--effort", "fast", "--seed", "7")
    assert sorted(name for name, _ in flat(tomllib.loads(printed))) == sorted(NAMES)


@pytest.mark.parametrize("style", ["table", "markdown"])
def test_every_tunable_is_listed_with_its_meaning(style, capsys):
    assert main(["config", "--format", style]) == 0
    printed = capsys.readouterr().out
    for tunable in Config().tunables():
        assert tunable.name in printed
        assert tunable.meaning.split()[0] in printed


def test_a_fitted_model_takes_settings_that_act_after_the_fit():
    fitted = Config.preset("fast")
    flags, _ = parse(["config", "--set", "naming.keywords=3", "--clustering", "density"])
    config = for_model(overrides(flags), "folder", fitted)
    assert config == fitted.with_values({"naming.keywords": 3, "intents.clustering": "density"})


def test_a_fitted_model_refuses_settings_of_the_fit():
    flags, _ = parse(["config", "--set", "naming.keywords=3", "--set", "metric.steps=3"])
    with pytest.raises(SettingsError, match=r"--set metric\.steps=3: .*folder.*leave out --set"):
        for_model(overrides(flags), "folder", Config())


def test_a_fitted_model_takes_the_file_that_it_was_fitted_with(toml):
    path = toml("[metric]\nsteps = 30\n")
    flags, _ = parse(["config", "--config", path])
    fitted = configured(overrides(flags))
    assert for_model(overrides(flags), "folder", fitted) == fitted


def test_help_and_version_load_neither_beam_nor_torch():
    for flag, expected in (("--help", "evaluate"), ("--version", f"advin {__version__}")):
        code = (
            "import sys\nfrom advin.runners.cli import main\n"
            f"try:\n    main([{flag!r}])\nexcept SystemExit:\n"
            "    sys.exit(any(m in sys.modules for m in ('torch', 'apache_beam')))"
        )
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout


def test_messages_are_one_printable_line():
    assert one_line("a\tb\nc") == "a b c"
    assert one_line("\x1b[31m\udcff") == "\\x1b[31m\\udcff"
    assert len(one_line("x" * 1000)) == 300
    assert one_line("x" * 1000 + ", but must be a number").endswith("xx, but must be a number")
    assert str(SettingsError("a\n\x1b[31m")) == "a \\x1b[31m"


@pytest.mark.parametrize("value", ["9" * 400, "9" * 5000, "x" * 100_000, "\x1b[31m\n"])
def test_a_value_of_any_length_gives_one_short_line_with_the_reason(value, capsys):
    assert main(["config", "--set", f"metric.steps={value}"]) == 2
    message = capsys.readouterr().err.removesuffix("\n")
    assert message.isprintable()
    assert len(message) <= 300
    assert message.endswith("must be a whole number")


def test_deeply_nested_toml_gives_one_line(toml, capsys):
    assert main(["config", "--config", toml(".".join("a" * 3000) + " = 1\n")]) == 2
    assert "there is no tunable" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["distance.grid", "stability.cuts", "domains.grid"])
@pytest.mark.parametrize("bounds", ["0.1,0.9,0", "0.9,0.1,0.1", "0.1,0.9,0.001"])
def test_a_grid_without_distinct_values_is_refused(name, bounds):
    with pytest.raises(SettingsError, match="first at most last"):
        config_of("--set", f"{name}={bounds}")
    with pytest.raises(SettingsError, match="must be 0 to"):
        config_of("--set", f"{name}=0,1e300,0.01")


def test_json_holds_every_tunable():
    assert json.loads(json.dumps(Config().to_dict())).keys() == Config().to_dict().keys()


def test_advin_tables_lists_every_column_and_every_reason(capsys):
    assert main(["tables"]) == 0
    words = set(capsys.readouterr().out.split())
    columns = {field.name for schema in TABLES.values() for field in schema}
    assert columns | REASONS.keys() | KINDS.keys() <= words


def test_advin_tables_takes_no_other_flag(capsys):
    assert main(["tables", "--rows"]) == 2
    assert "unknown flag --rows" in capsys.readouterr().err
