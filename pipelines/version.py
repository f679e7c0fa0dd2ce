"""Which versions of our code and of the libraries that decide the bytes a process runs with.

Loads nothing heavy: workers tell their versions before a job is sent to them. They are those of the
time when this module was loaded: a worker pool that has outlived an upgrade runs the old code.
"""

import hashlib
import importlib.metadata
import platform
from pathlib import Path

_PACKAGES = (
    "advin",
    "apache-beam",
    "faiss-cpu",
    "hdbscan",
    "numpy",
    "pyarrow",
    "scikit-learn",
    "sentence-transformers",
    "torch",
)
_PARTS = ("discovery", "pipelines", "runners", "schemas")


def versions() -> dict[str, str]:
    """Return the versions of Python, of our code and of the libraries, by name."""
    return dict(_LOADED)


def _find() -> dict[str, str]:
    found = {"python": platform.python_version(), "code": code_digest()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed as a package"
    return found


def code_digest() -> str:
    """Return 16 hex digits of our source files: two trees of one release may still differ."""
    root = Path(__file__).parent.parent
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(p for part in _PARTS for p in (root / part).rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


_LOADED = _find()
