"""What a user sees at the end of a command. Utterances are untrusted: plain text, no markup."""

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from advin.pipelines.evaluate import Evaluation
from advin.pipelines.models import load_model
from advin.pipelines.report import read_table
from advin.pipelines.stages import readable
from advin.schemas.manifest import RunManifest

_NOVEL_SHOWN = 15
_WIDTH = 110
_NUMBERS = ("count", "rows", "distinct", "value", "recall", "purity", "seconds", "MB written")


def print_run(folder: str, manifest: RunManifest) -> None:
    """Print the funnel, the largest novel intents, and where the tables are."""
    console = _console()
    funnel = _table("What went in and what came out", "", "count")
    for label, count in manifest.funnel:
        funnel.add_row(Text(label), f"{count:,}")
    console.print(funnel)

    columns = ["intent_id", "name", "is_novel", "exemplars", "size", "distinct_size", "domain_id"]
    intents = read_table(folder, manifest, "intents", columns).to_pylist()
    domains = read_table(folder, manifest, "domains", ["domain_id", "name"]).to_pylist()
    domain_names = {d["domain_id"]: d["name"] for d in domains}
    novel = sorted(
        (i for i in intents if i["is_novel"]), key=lambda i: (-i["size"], i["intent_id"])
    )
    title = f"The largest novel intents ({min(len(novel), _NOVEL_SHOWN)} of {len(novel)})"
    table = _table(title, "name", "domain", "rows", "distinct", "the most central utterance")
    for intent in novel[:_NOVEL_SHOWN]:
        table.add_row(
            Text(intent["name"]),
            Text(domain_names.get(intent["domain_id"], "")),
            f"{intent['size']:,}",
            f"{intent['distinct_size']:,}",
            Text((intent["exemplars"] or [""])[0], overflow="ellipsis", no_wrap=True),
        )
    console.print(table if novel else Text("No novel intent was found."))

    defaults = sorted(k for k, v in manifest.model["origins"].items() if v == "default")
    if defaults:
        console.print(
            Text(
                f"Not learned from labels, but defaults learned on public data: "
                f"{', '.join(d.replace('_', ' ') for d in defaults)}."
            )
        )
    stages = _table("Stages", "stage", "seconds", "MB written", "counted by the workers")
    for name, stage in manifest.stages.items():
        seconds, megabytes = f"{stage['seconds']:.1f}", f"{stage['bytes'] / 1e6:.1f}"
        stages.add_row(name, seconds, megabytes, Text(readable(stage["counters"])))
    console.print(stages)
    seconds = sum(s["seconds"] for s in manifest.stages.values())
    console.print(Text(f"{seconds:.0f} s in all stages. Tables: {folder}/<table>/*.parquet"))


def print_model(folder: str) -> None:
    """Print what was learned."""
    model = load_model(folder)
    table = _table(f"The model in {folder}", "", "")
    table.add_row("encoder", Text(f"{model.encoder.name} ({model.encoder.digest[:12]})"))
    table.add_row("known intents", f"{len(model.intents):,}")
    table.add_row("known domains", f"{len({d for d in model.domains if d}):,}")
    for name, value in (
        ("intent_distance", model.rules.distance),
        ("domain_distance", model.domain_distance),
    ):
        table.add_row(name.replace("_", " "), f"{value:.3f} ({model.origins[name]})")
    _console().print(table)


def print_evaluation(result: Evaluation) -> None:
    """Print all metrics, and how each novel intent of the truth was recovered."""
    console = _console()
    metrics = _table("Metrics", "metric", "value")
    for name, value in result.metrics.items():
        metrics.add_row(name, f"{value:,}" if isinstance(value, int) else f"{value:.4f}")
    console.print(metrics)
    if result.recovery:
        table = _table(
            "Novel intents of the truth", "intent", "rows", "found as", "recall", "purity"
        )
        for row in result.recovery:
            table.add_row(
                Text(row.intent),
                f"{row.size:,}",
                Text(row.found_name or "–"),
                f"{row.recall:.2f}",
                f"{row.purity:.2f}",
            )
        console.print(table)


def _console() -> Console:
    # A pipe has no width of its own; columns should not be cut to 80 there.
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDTH, highlight=False)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for i, column in enumerate(columns):
        numeric = column in _NUMBERS
        table.add_column(column, justify="right" if numeric and i else "left")
    return table
