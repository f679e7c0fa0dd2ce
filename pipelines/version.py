"""Versions of Python, of this project's code and of the libraries that affect the tables.

Workers report their versions before a job is submitted, so this module imports only the standard
library. Versions are read once, on import. So a worker pool that was started before an upgrade
reports the old code that it still runs.
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
    """Return the version of each component, by name: "python", "code" and the libraries."""
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
    """Return a digest of the source files, 16 hex digits: checkouts of one release may differ."""
    root = Path(__file__).parent.parent
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(p for part in _PARTS for p in (root / part).rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


_LOADED = _find()
