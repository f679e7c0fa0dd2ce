"""The project's source code as syntax trees, for the laws in test_laws.py."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
# Folders of the checkout that are packages below `advin`, where they are symbolic links.
PACKAGES = ("schemas", "discovery", "pipelines", "runners")


@dataclass(frozen=True)
class Module:
    """One Python file: its dotted name, its path and its syntax tree."""

    name: str
    path: Path

    @property
    def lines(self) -> list[str]:
        """The lines of the file."""
        return self.path.read_text(encoding="utf-8").splitlines()

    @property
    def tree(self) -> ast.Module:
        """The syntax tree of the file."""
        return _parse(self.path)

    @property
    def package(self) -> str:
        """The top-level package: "pipelines" for advin.pipelines.fit, "advin" for advin.api."""
        parts = self.name.split(".")
        return parts[1] if len(parts) > 1 and parts[1] in PACKAGES else parts[0]

    @property
    def group(self) -> str:
        """The package; of `discovery`, the sub-package or module; of `advin`, the module."""
        if self.package == "discovery":
            return ".".join(self.name.split(".")[1:3])
        return self.name if self.package == "advin" else self.package

    def at(self, node: ast.AST) -> str:
        """Where a node is, to be read in the message of a failing test."""
        line = getattr(node, "lineno", 0)
        return f"{self.path.relative_to(ROOT)}:{line}: {self.lines[line - 1].strip()}"


@cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def modules(*folders: str) -> tuple[Module, ...]:
    """Return the modules of some folders of the checkout, `advin` without its symbolic links."""
    found = []
    for folder in folders:
        root = ROOT / folder
        for path in sorted(root.glob("*.py") if folder == "advin" else root.rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            found.append(Module(".".join(("advin", *parts) if folder in PACKAGES else parts), path))
    return tuple(found)


def imported(module: Module, known: Iterable[str]) -> set[str]:
    """Return the dotted names that a module imports; `from package import module` is resolved."""
    known, found = set(known), set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.at(node)}: imports are absolute"
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= below & known or {node.module or ""}
    return found


def circles(arrows: dict[str, set[str]]) -> set[str]:
    """Return the nodes of a directed graph that are on a circle."""

    def reachable(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = list(arrows[start])
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                waiting += arrows.get(node, ())
        return seen

    return {node for node in arrows if node in reachable(node)}


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield all functions and methods, nested ones too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def number(node: ast.AST) -> int | float | None:
    """Return the value of a numeric literal, with its sign, or None."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = number(node.operand)
        return None if value is None else -value
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value
    return None


def is_numeric(node: ast.AST | None) -> bool:
    """True if an expression is made of numeric literals only: `64 << 20`, `(0.1, 0.2)`."""
    match node:
        case ast.BinOp():
            return is_numeric(node.left) and is_numeric(node.right)
        case ast.Tuple() | ast.List() | ast.Set():
            return bool(node.elts) and all(map(is_numeric, node.elts))
        case ast.Dict():
            return bool(node.values) and all(map(is_numeric, node.values))
        case ast.Call():
            return bool(node.args) and not node.keywords and all(map(is_numeric, node.args))
        case None:
            return False
    return number(node) is not None


def constants(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    """Yield the names that a module or class body binds to numbers, with the statements."""
    for statement in body:
        if isinstance(statement, ast.Assign) and is_numeric(statement.value):
            for target in statement.targets:
                for name in target.elts if isinstance(target, ast.Tuple) else [target]:
                    if isinstance(name, ast.Name):
                        yield name.id, statement
        elif isinstance(statement, ast.AnnAssign):  # noqa: SIM102 (the types need two steps)
            if isinstance(statement.target, ast.Name) and is_numeric(statement.value):
                yield statement.target.id, statement
