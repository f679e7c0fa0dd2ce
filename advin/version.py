"""The version, in its only place: a leaf that any module, and setup.py, may read."""

__version__ = "0.1.0"
