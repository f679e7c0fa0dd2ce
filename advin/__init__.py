"""ADVIN on Apache Beam: find novel intents and domains in unlabeled utterance logs."""

__version__ = "0.1.0"
