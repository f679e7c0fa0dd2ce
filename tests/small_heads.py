"""Short trainings of small metric heads, for tests."""

from advin.discovery.config import Config
from advin.discovery.metric.head import MetricHead
from advin.discovery.metric.rows import TrainingRows
from advin.discovery.metric.settings import resolve_head
from advin.discovery.metric.training import train_metric_head


def configured(config: Config | None = None, seed: int = 0, **metric: object) -> Config:
    """Return a configuration with other values of its section "metric"."""
    values = {f"metric.{name}": value for name, value in metric.items()}
    return (config or Config()).with_values({"seed": seed, **values})


def train_head(rows: TrainingRows, config: Config) -> MetricHead:
    """Train a head with the settings that the configuration resolves to."""
    return train_metric_head(rows, resolve_head(rows, config))
