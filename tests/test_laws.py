"""The import laws of ARCHITECTURE.md."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# What each room may import of the project, and of the libraries that tell rooms apart.
ALLOWED = {
    "schemas": {"schemas", "schemas.ids"},
    "discovery": {"discovery", "schemas.ids"},
    "pipelines": {"pipelines", "discovery", "schemas", "schemas.ids", "apache_beam"},
    "runners": {"runners", "pipelines", "discovery", "schemas", "schemas.ids", "apache_beam"},
}
WATCHED = {*ALLOWED, "schemas.ids", "apache_beam", "benchmarks", "tests"}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {_room(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found.add(_room(node.module))
    return found


def _room(module: str) -> str:
    parts = module.split(".")
    if parts[:3] == ["advin", "schemas", "ids"]:
        return "schemas.ids"
    return parts[1] if parts[0] == "advin" and len(parts) > 1 else parts[0]


@pytest.mark.parametrize("room", ALLOWED)
def test_rooms_import_only_what_they_may(room):
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    for path in files:
        name = path.relative_to(ROOT).as_posix()
        wrong = (imports(path) & WATCHED) - ALLOWED[room]
        assert not wrong, f"{name} imports {wrong}"


def test_the_science_does_not_load_beam():
    modules = [
        ".".join(("advin", *p.relative_to(ROOT).with_suffix("").parts))
        for p in sorted((ROOT / "discovery").rglob("[a-z]*.py"))
    ]
    code = f"import sys, {', '.join(modules)}; sys.exit('apache_beam' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_a_wrong_set_up_is_told_before_torch_is_loaded():
    code = "import sys, advin.runners.commands; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_nothing_is_unpickled_or_evaluated():
    for room in ALLOWED:
        for path in (ROOT / room).rglob("*.py"):
            assert not imports(path) & {"pickle", "cloudpickle", "dill", "joblib", "marshal"}, path
            calls = {
                node.func.id
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            }
            assert not calls & {"eval", "exec"}, path


def test_modules_are_rooms_not_halls():
    for room in ALLOWED:
        for path in (ROOT / room).rglob("*.py"):
            assert len(path.read_text().splitlines()) <= 500, path
