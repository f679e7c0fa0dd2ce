"""The results that a command prints at its end. Utterances are untrusted: never as markup."""

from typing import Any

from rich.text import Text

from advin.discovery.evaluation.meanings import MEANINGS, WEIGHTS
from advin.discovery.evaluation.recovery import Recovery, Unmatched
from advin.pipelines.evaluate import Evaluation
from advin.pipelines.models import load_model
from advin.pipelines.report import read_table
from advin.pipelines.stages import readable
from advin.runners.console import console, new_table, plain
from advin.schemas.manifest import RunManifest
from advin.schemas.verdicts import KNOWN, NOVEL

_NOVEL_SHOWN = 15
_NOVEL_COLUMNS = "intent_id name kind exemplars size distinct_size domain_id confidence".split()
_DROPPED_SHOWN = 5
# Columns of a pipe for the measures and their meanings.
_WIDTH = 150
_RECOVERED = (
    "found as: the found group that fits the true one best. recall: share of the true group in it. "
    "purity: share of it that belongs to the true group. A true intent is recovered if it is found "
    "as a novel intent, and recall and purity both exceed 0.5."
)
_NO_INTENT = "(no intent)"
# What a distance is learned from.
_GROUPS = {
    "intent_distance": "known intents with two or more labels",
    "domain_distance": "known domains with two or more intents",
}


def print_run(folder: str, manifest: RunManifest) -> None:
    """Print the funnel, the largest novel intents, and where the tables are."""
    out = console()
    funnel = new_table("Rows, utterances and intents", "", "count")
    for label, count in manifest.funnel:
        funnel.add_row(Text(label), f"{count:,}")
    out.print(funnel)
    if manifest.rejected:
        reasons = ", ".join(f"{reason} {rows:,}" for reason, rows in manifest.rejected.items())
        out.print(plain(f"Rows rejected, by reason: {reasons}."))
    _print_traffic(manifest)
    several, rows = manifest.several_requests, sum(n for _, _, n in manifest.traffic)
    if several:
        share = f"{several:,} ({several / rows:.1%})"
        out.print(plain(f"Rows with several requests: {share}. Each is assigned as a whole."))
    masked = {k: n for k, n in manifest.masking["rows_changed"].items() if n}
    if masked:
        rules = ", ".join(f"{name} {count:,}" for name, count in masked.items())
        out.print(plain(f"Rows changed by masking rules: {rules}."))
    for line in manifest.warnings:
        out.print(Text(f"Warning: {line}"))

    _print_novel(folder, manifest)
    _print_dropped(read_table(folder, manifest, "dropped").to_pylist())

    for line in manifest.findings:
        out.print(plain(line))
    for name, groups in manifest.model.get("shortages", {}).items():
        out.print(
            Text(
                f"The {name.replace('_', ' ')} is a default from public data. Learning it takes "
                f"{groups['needed']} {_GROUPS[name]}; the labels have {groups['given']}."
            )
        )
    stages = new_table("Stages", "stage", "seconds", "MB written", "counts")
    for name, stage in manifest.stages.items():
        seconds, megabytes = f"{stage['seconds']:.1f}", f"{stage['bytes'] / 1e6:.1f}"
        stages.add_row(plain(name), seconds, megabytes, plain(readable(stage["counters"])))
    out.print(stages)
    total = sum(s["seconds"] for s in manifest.stages.values())
    out.print(plain(f"{total:.0f} s in all. Tables: {folder}/<table>/*.parquet"))


def _print_traffic(manifest: RunManifest) -> None:
    """Print how many rows of the log have each kind and reason."""
    table = new_table("Traffic by kind", "kind", "reason", "rows", "share")
    total = sum(rows for _, _, rows in manifest.traffic)
    for kind, reason, rows in manifest.traffic:
        table.add_row(plain(kind), plain(reason), f"{rows:,}", f"{rows / max(total, 1):.1%}")
    table.add_row("all", "", f"{total:,}", f"{1:.1%}")
    console().print(table)


def _print_novel(folder: str, manifest: RunManifest) -> None:
    """Print the largest novel intents."""
    intents = read_table(folder, manifest, "intents", _NOVEL_COLUMNS).to_pylist()
    domains = read_table(folder, manifest, "domains", ["domain_id", "name"]).to_pylist()
    domain_names = {d["domain_id"]: d["name"] for d in domains}
    novel = sorted(
        (i for i in intents if i["kind"] == NOVEL), key=lambda i: (-i["size"], i["intent_id"])
    )
    title = f"Largest novel intents ({min(len(novel), _NOVEL_SHOWN)} of {len(novel)})"
    table = new_table(
        title, "name", "domain", "rows", "distinct", "confidence", "most central utterance"
    )
    for intent in novel[:_NOVEL_SHOWN]:
        table.add_row(
            Text(intent["name"]),
            Text(domain_names.get(intent["domain_id"], "")),
            f"{intent['size']:,}",
            f"{intent['distinct_size']:,}",
            "" if intent["confidence"] is None else f"{intent['confidence']:.2f}",
            Text((intent["exemplars"] or [""])[0], overflow="ellipsis", no_wrap=True),
        )
    console().print(table if novel else Text("No novel intent was found."))


def _print_dropped(dropped: list[dict[str, Any]]) -> None:
    """Print the largest clusters that are no intents."""
    held = [row for row in dropped if row["size"]]
    largest = sorted(held, key=lambda row: (-row["size"], row["dropped_id"]))[:_DROPPED_SHOWN]
    empty = f"; {len(dropped) - len(held):,} are empty" if len(held) < len(dropped) else ""
    title = f"Largest clusters that are no intents ({len(largest)} of {len(dropped):,}{empty})"
    table = new_table(title, "reason", "rows", "distinct", "nearest known", "most central")
    for row in largest:
        table.add_row(
            row["reason"],
            f"{row['size']:,}",
            f"{row['distinct_size']:,}",
            Text(row["nearest_known_intent"] or ""),
            Text((row["exemplars"] or [""])[0], overflow="ellipsis", no_wrap=True),
        )
    if largest:
        console().print(table)


def print_model(folder: str) -> None:
    """Print what a fit has learned."""
    model = load_model(folder)
    table = new_table(f"The model in {folder}", "", "")
    table.add_row("encoder", plain(f"{model.encoder.name} ({model.encoder.digest[:12]})"))
    table.add_row("known intents", f"{len(model.intents):,}")
    table.add_row("known domains", f"{len({d for d in model.domains if d}):,}")
    for name, value in (
        ("intent_distance", model.rules.distance),
        ("domain_distance", model.domain_distance),
    ):
        table.add_row(name.replace("_", " "), f"{value:.3f} ({model.origins[name]})")
    console().print(table)


def print_evaluation(result: Evaluation) -> None:
    """Print how each true novel intent and domain was found, wrong novel intents, and measures."""
    out = console(_WIDTH)
    if result.recovery:
        _print_recovery("True novel intents", "intent", result.recovery)
    if result.unmatched:
        _print_unmatched(result.unmatched)
    if result.domains:
        _print_recovery("True domains", "domain", result.domains)
    if result.recovery or result.domains:
        out.print(Text(_RECOVERED))
    measures = new_table("Measures", "measure", "value", "meaning")
    for name, value in result.metrics.items():
        shown = f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
        measures.add_row(name, shown, MEANINGS.get(name, ""))
    out.print(measures)
    out.print(Text(WEIGHTS))


def _print_recovery(title: str, group: str, rows: list[Recovery]) -> None:
    kinds = [KNOWN if row.is_known else NOVEL for row in rows]
    shown = ["kind"] if KNOWN in kinds else []
    table = new_table(title, group, *shown, "rows", "found as", "recall", "purity")
    for row, kind in zip(rows, kinds, strict=True):
        table.add_row(
            Text(row.label),
            *([kind] if shown else []),
            f"{row.size:,}",
            Text(row.found_name or "–"),
            f"{row.recall:.2f}",
            f"{row.purity:.2f}",
        )
    console(_WIDTH).print(table)


def _print_unmatched(rows: list[Unmatched]) -> None:
    title = "Found novel intents that match no true novel intent"
    table = new_table(title, "intent", "rows", "most frequent true intent", "its kind", "share")
    for row in rows:
        kind = "" if row.label is None else KNOWN if row.is_known else NOVEL
        label = _NO_INTENT if row.label is None else row.label
        table.add_row(Text(row.found_name), f"{row.size:,}", Text(label), kind, f"{row.share:.2f}")
    console(_WIDTH).print(table)
