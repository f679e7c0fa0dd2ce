"""The laws of the code: who imports whom, how long things are, where numbers may be."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from itertools import chain

import pytest

from tests.source_code import (
    PACKAGES,
    ROOT,
    circles,
    constants,
    functions,
    imported,
    modules,
    number,
)

# Plain functions and words, which `discovery` needs, too.
SHARED = ("advin.schemas.ids", "advin.schemas.typed_json", "advin.schemas.verdicts")
VOCABULARY = "vocabulary"
# What each package may import of the project and of Beam.
ALLOWED = {
    "schemas": {"schemas", VOCABULARY},
    "discovery": {"discovery", VOCABULARY},
    "pipelines": {"pipelines", "discovery", "schemas", VOCABULARY, "apache_beam"},
    "runners": {"advin", "runners", "pipelines", "discovery", "schemas", VOCABULARY, "apache_beam"},
    "advin": {"advin", *PACKAGES, VOCABULARY, "apache_beam"},
}
SOURCES = modules(*PACKAGES, "advin")
ALL_CODE = modules(*PACKAGES, "advin", "benchmarks", "tests")
NAMES = {module.name for module in ALL_CODE}


def _package(name: str) -> str:
    """Return the package of an imported name: "pipelines" for advin.pipelines.fit."""
    parts = name.split(".")
    if name in SHARED:
        return VOCABULARY
    return parts[1] if parts[0] == "advin" and len(parts) > 1 and parts[1] in PACKAGES else parts[0]


@pytest.mark.parametrize("package", ALLOWED)
def test_packages_import_only_what_they_may(package):
    files = [module for module in SOURCES if module.package == package]
    assert files
    watched = {*ALLOWED, VOCABULARY, "benchmarks", "tests", "apache_beam"}
    for module in files:
        wrong = {_package(name) for name in imported(module, NAMES)} & watched - ALLOWED[package]
        assert not wrong, f"{module.name} imports {wrong}"


def test_no_module_imports_itself_in_a_circle():
    arrows = {m.name: imported(m, NAMES) & NAMES for m in SOURCES}
    assert not circles(arrows)


def test_no_package_imports_itself_in_a_circle():
    groups = {module.name: module.group for module in SOURCES}
    arrows = defaultdict(set)
    for module in SOURCES:
        found = {groups[name] for name in imported(module, NAMES) if name in groups}
        arrows[module.group] |= found - {module.group}
    # `discovery` is its sub-packages and modules; its __init__.py may say what it exports.
    assert not circles(dict(arrows))


def test_every_import_of_the_project_begins_with_advin():
    for module in ALL_CODE:
        roots = {name.split(".")[0] for name in imported(module, NAMES)}
        assert not roots & set(PACKAGES), module.path


def test_discovery_does_not_load_beam():
    names = [module.name for module in SOURCES if module.package == "discovery"]
    code = f"import sys, {', '.join(names)}; sys.exit('apache_beam' in sys.modules)"
    assert _succeeds(code)


def test_the_command_line_does_not_load_torch():
    code = "import sys, advin.runners.commands; sys.exit('torch' in sys.modules)"
    assert _succeeds(code)


def _succeeds(code: str) -> bool:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def test_nothing_is_unpickled_or_evaluated():
    for module in SOURCES:
        roots = {name.split(".")[0] for name in imported(module, NAMES)}
        assert not roots & {"pickle", "cloudpickle", "dill", "joblib", "marshal"}, module.path
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec"}, module.at(node)


def test_discovery_has_few_packages_and_modules():
    top = ROOT / "discovery"
    packages = [path.name for path in top.iterdir() if (path / "__init__.py").exists()]
    assert len(packages) <= 12, packages
    files = sorted(path.name for path in top.glob("*.py") if path.name != "__init__.py")
    assert len(files) <= 6, files


def test_packages_are_described_in_a_few_lines():
    for module in SOURCES:
        if module.path.name == "__init__.py":
            text = ast.get_docstring(module.tree)
            assert text and len(text.splitlines()) <= 8, module.path


def test_public_functions_have_docstrings():
    for module in chain(SOURCES, modules("benchmarks")):
        for scope in [module.tree, *_classes(module.tree)]:
            for node in scope.body:
                public = isinstance(node, ast.FunctionDef | ast.ClassDef)
                if public and not node.name.startswith("_"):
                    assert ast.get_docstring(node), module.at(node)


def _classes(tree: ast.Module) -> list[ast.ClassDef]:
    return [n for n in tree.body if isinstance(n, ast.ClassDef) and not n.name.startswith("_")]


def test_no_module_is_longer_than_400_lines():
    long = {str(m.path): len(m.lines) for m in ALL_CODE if len(m.lines) > 400}
    assert not long


def test_no_function_is_longer_than_60_lines():
    long = {}
    for module in chain(SOURCES, modules("benchmarks")):
        for function in functions(module.tree):
            length = (function.end_lineno or 0) - function.lineno + 1
            if length > 60:
                long[f"{module.path.relative_to(ROOT)} {function.name}"] = length
    assert not long


# Numbers in functions of `discovery` that are part of a formula, not a choice.
FORMULAS = {
    ("partition", "homes", 8): "digits of a hexadecimal hash",
    ("partition", "homes", 16): "base of a hexadecimal hash",
    ("partition", "of", 127): "largest signed byte",
    ("identity", "check_same", 12): "characters of a digest in a message",
    ("model", "of", 0.16): "a normal score is below its mean by one standard deviation",
    ("model", "of", 0.84): "a normal score is above its mean by one standard deviation",
    ("stability", "_distance", 3): "a mean with both neighbors",
    ("multilingual", "_tensor", 4): "bits of a quantized weight",
    ("multilingual", "_tensor", 15): "mask of a quantized weight",
    ("multilingual", "_tensor", 8): "the quantized weight that stands for zero",
    ("tunables", "_check_grid", 0.01): "grids are rounded to two decimals",
    ("tunables", "grid", 10): "includes the last value despite rounding",
    ("tunables", "_unknown", 0.4): "likeness of a name that an error suggests",
}
ALWAYS_ALLOWED = {0, 1, 2, 0.5, -1, -2}


def _is_tolerance(value: float) -> bool:
    return isinstance(value, float) and 0 < value <= 1e-5


def _rounding_digits(function: ast.AST) -> set[ast.AST]:
    """Return the nodes that are the number of digits in a call of `round`."""
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    names = [getattr(call.func, "id", getattr(call.func, "attr", "")) for call in calls]
    return {a for c, name in zip(calls, names, strict=True) if name == "round" for a in c.args[1:]}


def test_discovery_has_fewer_than_30_constants_outside_its_configuration():
    found = []
    for module in modules("discovery"):
        if module.path.name not in {"config.py", "labels.py"}:
            classes = [c for c in ast.walk(module.tree) if isinstance(c, ast.ClassDef)]
            fields = [s for c in classes for s in c.body if not _is_neutral(s)]
            names = [name for name, _ in constants([*module.tree.body, *fields])]
            found += [f"{module.path.stem}.{name}" for name in names]
    assert len(found) < 30, sorted(found)


def _is_neutral(statement: ast.stmt) -> bool:
    value = getattr(statement, "value", None)
    return value is not None and number(value) in {0, 1}


def test_functions_of_discovery_hold_no_tuned_number():
    wrong = []
    for module in modules("discovery"):
        if module.path.name == "config.py":
            continue
        for function in functions(module.tree):
            digits = _rounding_digits(function)
            for node in ast.walk(function):
                value = number(node) if isinstance(node, ast.Constant) else None
                if value is None or value in ALWAYS_ALLOWED or _is_tolerance(value):
                    continue
                if node not in digits and (module.path.stem, function.name, value) not in FORMULAS:
                    wrong.append(module.at(node))
    assert not wrong, "\n".join(["", *wrong])


def test_pipelines_hold_no_threshold():
    """No comparison with a number but 0, 1 and 2, nor with a constant that is a fraction."""
    wrong = []
    for module in modules("pipelines"):
        fractions = {
            name
            for name, statement in constants(module.tree.body)
            if any(isinstance(number(n), float) for n in ast.walk(statement))
        }
        for compare in ast.walk(module.tree):
            if isinstance(compare, ast.Compare):
                for operand in chain.from_iterable(
                    map(_terms, [compare.left, *compare.comparators])
                ):
                    value = number(operand)
                    literal = value is not None and value not in {0, 1, 2, -1}
                    if literal or (isinstance(operand, ast.Name) and operand.id in fractions):
                        wrong.append(module.at(compare))
    assert not wrong, "\n".join(["", *wrong])


def _terms(node: ast.AST) -> list[ast.AST]:
    """Return the operands of arithmetic, without what is inside calls and subscripts."""
    if isinstance(node, ast.BinOp):
        return _terms(node.left) + _terms(node.right)
    return [node]


def test_scores_have_no_positional_columns():
    wrong = []
    for module in chain(SOURCES, modules("benchmarks")):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Subscript) and "score" in ast.unparse(node.value).lower():
                index = node.slice
                column = index.elts[-1] if isinstance(index, ast.Tuple) else None
                if column is not None and number(column) is not None:
                    wrong.append(module.at(node))
    assert not wrong, "\n".join(["", *wrong])


def test_no_counter_is_looked_up_by_a_string():
    wrong = []
    for module in modules("pipelines", "runners", "advin"):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Subscript):
                owner, key = node.value, node.slice
            elif (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in {"get", "counter", "pop"}
                and node.args
            ):
                owner, key = node.func.value, node.args[-1 if node.func.attr == "counter" else 0]
            else:
                continue
            by_string = isinstance(key, ast.Constant) and isinstance(key.value, str)
            if by_string and re.search(r"counter|metrics", ast.unparse(owner), re.IGNORECASE):
                wrong.append(module.at(node))
    assert not wrong, "\n".join(["", *wrong])


# British spelling: words that end in -our or -re, doubled consonants, and verbs in -ise.
BRITISH = re.compile(
    r"(neighbour|behaviour|colour|favour|honour|labour|flavour|harbour"
    r"|\bcentres?\b|\bcentred\b|\bmetres?\b|\bfibres?\b|catalogue|\bgrey\b|\bdefence|\boffence"
    r"|(label|model|cancel|travel|signal|channel|level|total|fuel|tunnel)l(ed|ing)\b"
    r"|\b(judgement|acknowledgement|artefact|whilst|amongst|learnt|spelt|fulfil)\b"
    r"|(normal|organ|optim|summar|serial|general|special|initial|recogn|minim|maxim|token|vector"
    r"|parallel|categor|standard|regular|quant|visual|random|synchron|util|priorit|penal|emphas"
    r"|character|real|final|local|equal|custom|author|memor|stabil|anonym)is(e|ed|es|er|ing|ation)"
    r"|\banalys(e|ed|er|ing)\b)",
    re.IGNORECASE,
)
# Written over-eagerly as if American: words that end in -ism have no z.
NOT_A_WORD = re.compile(r"(izm|centerd|centerr)", re.IGNORECASE)
ROOM = re.compile(r"\brooms?\b", re.IGNORECASE)
WRITTEN = {".py", ".md", ".toml", ".yml", ".yaml", ".cff", ".xml", ".json", ".ipynb"}
NOT_OURS = {".git", ".venv", ".engines", ".cache", "build", "dist", "site", "results", "examples"}
NOT_OURS |= {"phrases"}  # words that users write


def _written_files():
    """Yield the code and documents of the checkout, without this file and without data."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        ours = not any(p in NOT_OURS or p.endswith(("_cache", ".egg-info")) for p in parts[:-1])
        text = path.suffix in WRITTEN or path.name in {"Makefile", "Dockerfile"}
        if ours and text and path.is_file() and path.name != "test_laws.py":
            yield path


@pytest.mark.parametrize(
    "pattern",
    [BRITISH, NOT_A_WORD, ROOM],
    ids=["British", "typo", "room"],
)
def test_words_are_american_and_a_package_is_no_room(pattern):
    wrong = []
    for path in _written_files():
        for number_of, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if pattern.search(line) and "client cancelled" not in line:  # said by gRPC
                wrong.append(f"{path.relative_to(ROOT)}:{number_of}: {line.strip()[:100]}")
    assert not wrong, "\n".join(["", *wrong])
