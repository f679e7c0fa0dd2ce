"""ADVIN on Apache Beam: find novel intents and domains in unlabeled utterance logs.

    run = advin.discover(texts, labeled={"balance": ["what is my balance", …], …})
    run.intents          # an Arrow table; run.pandas("intents") and run.polars("intents") too
    run.assign(["my radiator stays cold"])

Importing this package loads neither Beam nor torch.
"""

from advin.api import discover, fit
from advin.discovery.config import Config
from advin.models import Model
from advin.pipelines.errors import Error, SettingsError, StageError
from advin.results import Run, read_run
from advin.version import __version__

__all__ = [
    "Config",
    "Error",
    "Model",
    "Run",
    "SettingsError",
    "StageError",
    "__version__",
    "discover",
    "fit",
    "read_run",
]
