"""Draw the pictures of the README and of the site from a finished run on the sample log.

    python docs/figures.py demo-output

The pictures are committed, so that neither the README nor `make docs` needs a run.
"""

import argparse
import csv
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pyarrow.parquet as pq
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import dendrogram, linkage

import advin

DOCS = Path(__file__).parent
TRUTH = DOCS.parent / "examples" / "truth.csv"
IMAGES = DOCS / "images"

KNOWN, NOVEL, NONE, INK = "#4c78a8", "#e4572e", "#9aa0a6", "#333333"
# Colors of domains; no other picture uses them.
DOMAINS = ("#c2478f", "#76a66f", "#b279a2", "#f2a541", "#59a5a0", "#8c6d5a", "#5b6ee1", "#a3b18a",
           "#2f6f4f", "#d9b8a0")  # fmt: skip
TREE_INTENTS = ("book_flight", "visa", "send_money", "mortgage")
TREE_UTTERANCES = 16


def main() -> None:
    """Draw all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a finished run on the sample log")
    run = parser.parse_args().run
    mpl.rcParams |= {
        "svg.fonttype": "none",
        "svg.hashsalt": "advin",
        "font.family": "sans-serif",
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "text.color": INK,
    }
    intents, domains = rows(run / "intents"), rows(run / "domains")
    _save(novel_intents(intents, domains), "novel-intents")
    _save(novelty_scores(rows(run / "assignments")), "novelty-scores")
    _save(tree(run, intents), "tree")
    _save(taxonomy(intents, domains), "taxonomy")


def rows(folder: Path) -> list[dict]:
    """Return the rows of a table."""
    return pq.read_table(folder).to_pylist()


def novel_intents(intents: list[dict], domains: list[dict]) -> Figure:
    """Draw the size of each novel intent beside its most central utterance."""
    names = {domain["domain_id"]: domain["name"] for domain in domains}
    novel = sorted((i for i in intents if i["kind"] == "novel"), key=lambda i: i["size"])
    order = list(dict.fromkeys(i["domain_id"] for i in reversed(novel)))
    figure, axes = plt.subplots(figsize=(9, 4.4), layout="constrained")
    for at, intent in enumerate(novel):
        color = DOMAINS[order.index(intent["domain_id"]) % len(DOMAINS)]
        axes.barh(at, intent["size"], color=color, height=0.72)
        axes.text(
            intent["size"] + 38, at, f"“{intent['exemplars'][0]}”", va="center", style="italic"
        )
        axes.text(intent["size"] + 32, at, str(intent["size"]), va="center", ha="right")
    axes.set_yticks(range(len(novel)), [intent["name"] for intent in novel])
    axes.set_xlim(0, max(i["size"] for i in novel) * 2.1)
    axes.set_xlabel("rows of the log")
    axes.set_title("Novel intents of the sample log, with their most central utterance", loc="left")
    patches = [mpl.patches.Patch(color=DOMAINS[k % len(DOMAINS)]) for k in range(len(order))]
    axes.legend(
        patches, [names[d] for d in order], title="domain, as ADVIN found it", loc="lower right",
        frameon=False,
    )  # fmt: skip
    return figure


def novelty_scores(assignments: list[dict]) -> Figure:
    """Draw the novelty scores of known intents, novel intents and other text, by the truth."""
    with TRUTH.with_name("known.csv").open(newline="", encoding="utf-8") as file:
        known = {row["intent"] for row in csv.DictReader(file)}
    with TRUTH.open(newline="", encoding="utf-8") as file:
        truth = {row["text"]: row["intent"] for row in csv.DictReader(file)}
    groups: dict[str, list[float]] = {"known intents": [], "novel intents": [], "no intent": []}
    for row in assignments:
        intent = truth.get(row["text"])
        if intent is None:
            continue
        kind = "known intents" if intent in known else "novel intents" if intent else "no intent"
        groups[kind].append(row["novelty_score"])
    figure, axes = plt.subplots(figsize=(8, 3.4), layout="constrained")
    bins = np.linspace(-4, 3, 71)
    clipped = [np.clip(scores, -4, 3) for scores in groups.values()]
    axes.hist(clipped, bins, stacked=True, color=(KNOWN, NOVEL, NONE), label=list(groups))
    axes.axvline(0, color=INK, linestyle="--", linewidth=1)
    axes.annotate("threshold", (0, 1), (0, 3), xycoords=("data", "axes fraction"),
                  textcoords="offset points", ha="center")  # fmt: skip
    axes.set_xlabel("novelty score (spreads of known utterances above the threshold)")
    axes.set_ylabel("distinct utterances, stacked")
    axes.legend(frameon=False)
    return figure


def tree(run: Path, intents: list[dict]) -> Figure:
    """Draw average linkage of a few intents in the learned space, cut at the learned distance."""
    model = advin.Model.load(run / "model").fitted
    cut = model.rules.distance
    vectors = {
        row["utterance_id"]: row["vector"] for row in rows(run / "stages" / "embed" / "data")
    }
    ids = {intent["name"]: intent["intent_id"] for intent in intents}
    chosen: list[tuple[str, str]] = []
    for name in TREE_INTENTS:
        of_intent = [r for r in rows(run / "assignments") if r["intent_id"] == ids[name]]
        of_intent.sort(key=lambda row: row["utterance_id"])
        chosen += [(name, row["utterance_id"]) for row in of_intent[:TREE_UTTERANCES]]
    learned = model.head.transform(np.array([vectors[i] for _, i in chosen], np.float32))
    merges = linkage(learned.astype(np.float64), "average", metric="cosine")
    figure, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
    kinds = {intent["name"]: intent["kind"] for intent in intents}
    colors = {name: {"known": KNOWN, "novel": NOVEL}[kinds[name]] for name in TREE_INTENTS}
    found = dendrogram(
        merges, ax=axes, color_threshold=cut, no_labels=True, above_threshold_color=NONE,
        link_color_func=_colors(merges, [name for name, _ in chosen], colors),
    )  # fmt: skip
    _names_below(axes, [chosen[leaf][0] for leaf in found["leaves"]], colors)
    axes.axhline(cut, color=INK, linestyle="--", linewidth=1)
    axes.annotate(f"learned\ndistance\n{cut:.2f}", (1, cut), (4, 0), va="center",
                  xycoords=("axes fraction", "data"), textcoords="offset points")  # fmt: skip
    axes.set_ylabel("mean 1 − cosine between clusters")
    lines = [mpl.lines.Line2D([], [], color=color) for color in (KNOWN, NOVEL, NONE)]
    labels = ["known intent", "novel intent", "several intents"]
    figure.legend(lines, labels, loc="outside upper center", ncols=3, frameon=False)
    return figure


def _colors(merges: np.ndarray, leaves: list[str], colors: dict[str, str]) -> Callable[[int], str]:
    """Return a function from a node to its color: of its only intent, or gray."""
    intents: list[str | None] = [*leaves]
    for left, right in merges[:, :2].astype(int):
        intents.append(intents[left] if intents[left] == intents[right] else None)
    return lambda node: colors.get(intents[node] or "", NONE)


def _names_below(axes: Axes, names: list[str], colors: dict[str, str]) -> None:
    start = 0
    for at in range(1, len(names) + 1):
        if at == len(names) or names[at] != names[start]:
            if at - start > 2:
                # A leaf is ten units wide.
                axes.text(5 * (start + at), -0.03, names[start], color=colors[names[start]],
                          ha="center", va="top")  # fmt: skip
            start = at


def taxonomy(intents: list[dict], domains: list[dict]) -> Figure:
    """Draw the domains with their intents, known ones and novel ones."""
    names = {intent["intent_id"]: intent["name"] for intent in intents}
    colors = {i["intent_id"]: KNOWN if i["kind"] == "known" else NOVEL for i in intents}
    figure, axes = plt.subplots(figsize=(8, 6.4), layout="constrained")
    axes.axis("off")
    columns = ([d for d in domains if d["kind"] == kind] for kind in ("known", "novel"))
    for x, (column, color) in enumerate(zip(columns, (KNOWN, NOVEL), strict=True)):
        y, right = 0.0, x + (0.32, 0.66)[x]
        axes.text(
            x, 1, ("Known domains", "Novel domains, as ADVIN found them")[x], weight="bold", size=12
        )
        for domain in sorted(column, key=lambda d: -d["size"]):
            top, heights = y, []
            for intent in domain["intents"]:
                heights.append(y)
                axes.text(right, -y, names[intent], va="center", color=colors[intent])
                y += 1
            middle = (top + y - 1) / 2
            axes.text(x, -middle, domain["name"], va="center", weight="bold", color=color)
            for height in heights:
                axes.plot([right - 0.1, right - 0.02], [-middle, -height], color=NONE, linewidth=1)
            y += 0.6
    axes.set_xlim(0, 2)
    axes.set_ylim(-19, 1.5)
    return figure


def _save(figure: Figure, name: str) -> None:
    IMAGES.mkdir(exist_ok=True)
    figure.savefig(IMAGES / f"{name}.svg", metadata={"Date": None}, facecolor="white")
    plt.close(figure)
    print(f"docs/images/{name}.svg")


if __name__ == "__main__":
    main()
