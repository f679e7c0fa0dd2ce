"""Settings of a fit in a second, for tests in which the quality does not matter."""

QUICK = {
    "conversation.rules": "phrases",
    "views.count": 0,
    "novelty.space.steps": 40,
    "novelty.space.hidden": 64,
    "novelty.open_set.steps": 20,
    "metric.steps": 20,
    "metric.refresh": 10,
    "metric.hidden": 64,
    "stability.max_steps": 20,
    "stability.max_hidden": 64,
}
QUICK_FLAGS = [part for name, value in QUICK.items() for part in ("--set", f"{name}={value}")]
