"""All three stages on a log as it comes: skewed, repeated, with noise and with labels removed.

The labels of whole domains and of single other intents are removed, until the given share of the
intents is known. Of the known ones the train split is labeled. All that is left makes the log:
sizes of intents fall with their rank to the power -0.5, utterances are said several times (Pareto
with exponent 1.5), and a fifth as many lines of IRC chat and of what the set has out of scope are
mixed in.

    python -m benchmarks.end_to_end --data clinc150 --data massive_en --known 0.75 --seeds 3 \\
        --out RESULT.json

Methods: `default`, with the learned novelty threshold; `flagged_1`, `flagged_2`, `flagged_5`, with
that threshold moved until so many per cent of the known utterances of the log are flagged; `fast`,
with the learned threshold, fitted in the fast setting. Measures are those of
`discovery.evaluation.evaluate_discovery` in per cent; `recovered_20` is the share of the novel
intents of 20 or more distinct utterances of which a novel intent found holds more than half and
consists of it by more than half; `reachable_20` the share of which that is true of some cluster of
the tree that stage II cuts, at whatever distance: hardly more is to be had by a better cut.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pyarrow.parquet as pq

from advin.discovery.clustering.linkage import average_linkage
from advin.discovery.config import DomainsConfig
from advin.discovery.domains.linking import link_domains
from advin.discovery.encoding.identity import EncoderIdentity
from advin.discovery.evaluation.measures import Found, Truth, evaluate_discovery, recovery
from advin.discovery.fit import (
    MAX_LABELED,
    MAX_LOG,
    Effort,
    EmbeddedTexts,
    FitSettings,
    TrainingData,
    fit_model,
    needs_views,
)
from advin.discovery.intents.coherence import incoherent, least_coherence
from advin.discovery.intents.decision import (
    NOVEL,
    Intents,
    Points,
    assign,
    discover_intents,
    repetition_weights,
)
from advin.discovery.labels import UNLABELED
from advin.discovery.model import Model
from advin.pipelines.describe import DOCUMENTS
from benchmarks.common import (
    DATA,
    TRAIN,
    Options,
    Results,
    Utterances,
    encode,
    encode_out_of_domain,
    encoder_identity,
    load_utterances,
    parse_options,
    view_encoder,
)

SETS = ("clinc150", "massive_en")
NOISE = DATA / "irc_chat" / "utterances.parquet"
_NOISE_SHARE = 0.2
_RANK_EXPONENT, _COUNT_EXPONENT, _MAX_COUNT = 0.5, 1.5, 1000
# By what is fitted: the share of the known utterances flagged; None: by the learned threshold.
METHODS: dict[Effort, dict[str, float | None]] = {
    "full": {"default": None, "flagged_1": 0.01, "flagged_2": 0.02, "flagged_5": 0.05},
    "fast": {"fast": None},
}
_LARGE = 20
# Where linking stops for `reachable_20`: far above every distance that was ever best.
_FARTHEST = 0.9
_SHARES = ("ari", "accuracy", "novel_in_novel", "known_in_novel", "junk_in_novel", "auroc")
_SHARES += ("domain_ari", "domain_accuracy")
_NUMBERS = ("novel_intents_true", "novel_intents_found", "junk_intents")


@dataclass(frozen=True, slots=True)
class Task:
    """A labeled set and a log; domains and intents are "" where there is none.

    Attributes:
        labeled: labeled utterances, and `labeled_vectors` (m, d) theirs.
        log: distinct utterances of the log, and `log_vectors` (n, d) theirs.
        counts: (n,) how often each was said.
    """

    labeled: Utterances
    labeled_vectors: np.ndarray
    log: Utterances
    log_vectors: np.ndarray
    counts: np.ndarray


def known_intents(utterances: Utterances, share: float, random: np.random.Generator) -> set[str]:
    """Draw the known intents: whole domains make about half of what goes, single ones the rest."""
    domain_of = dict(zip(utterances.intents, utterances.domains, strict=True))
    known = {str(name) for name in utterances.names}
    remove = round((1 - share) * len(known))
    domains = sorted({d for d in domain_of.values() if d})
    for domain in random.permutation(domains):
        whole = {i for i in known if domain_of[i] == domain}
        gone = len(utterances.names) - len(known) + len(whole)
        if gone <= min(remove, max(remove / 2, len(whole))):
            known -= whole
    rest = max(0, remove - (len(utterances.names) - len(known)))
    return known - set(random.choice(sorted(known), rest, replace=False))


def draw_task(
    utterances: Utterances, vectors: np.ndarray, noise: tuple[Utterances, np.ndarray], draw
) -> Task:
    """Draw what is known and what the log holds; draw: known share and seed."""
    share, seed = draw
    random = np.random.default_rng(seed)
    known = known_intents(utterances, share, random)
    is_known = np.array([i in known for i in utterances.intents], bool)
    is_labeled = is_known & (utterances.splits == TRAIN)
    labeled = np.sort(random.permutation(np.flatnonzero(is_labeled))[:MAX_LABELED])
    rows = []
    for rank, name in enumerate(random.permutation(utterances.names), start=1):
        found = random.permutation(np.flatnonzero((utterances.intents == name) & ~is_labeled))
        rows.append(found[: max(5, round(len(found) * rank**-_RANK_EXPONENT))])
    inside = np.concatenate(rows)
    other, other_vectors = noise
    # Rows of the set, then lines of chat.
    pool = np.concatenate(
        [np.flatnonzero(utterances.intents == ""), len(vectors) + np.arange(len(other_vectors))]
    )
    drawn = random.permutation(pool)[: round(_NOISE_SHARE * len(inside))]
    chosen = np.sort(np.concatenate([inside, drawn]))
    columns = (
        np.concatenate([getattr(utterances, c), getattr(other, c)])[chosen]
        for c in ("texts", "intents", "domains", "splits")
    )
    counts = np.minimum(1 + random.pareto(_COUNT_EXPONENT, len(chosen)), _MAX_COUNT)
    return Task(
        labeled=utterances.take(labeled),
        labeled_vectors=vectors[labeled],
        log=Utterances(utterances.name, *columns),
        log_vectors=np.concatenate([vectors, other_vectors])[chosen],
        counts=counts.astype(np.int64),
    )


def learn(
    task: Task,
    ood: EmbeddedTexts,
    settings: FitSettings,
    encoder: EncoderIdentity,
    encode_views: Callable[[list[str]], np.ndarray],
) -> Model:
    """Fit a model as `advin fit` does, on a bounded sample."""
    intents = sorted(set(task.labeled.intents))
    domain_of = dict(zip(task.labeled.intents, task.labeled.domains, strict=True))
    data = TrainingData(
        log=EmbeddedTexts(task.log.texts[:MAX_LOG], task.log_vectors[:MAX_LOG]),
        labeled=EmbeddedTexts(task.labeled.texts, task.labeled_vectors),
        labels=np.searchsorted(intents, task.labeled.intents),
        intents=tuple(intents),
        domains=tuple(domain_of[i] or None for i in intents),
        out_of_domain=ood,
    )
    if needs_views(data.labels, settings):
        data = data.with_views(encode_views)
    return fit_model(data, encoder, settings)


def run(task: Task, model: Model, flagged: float | None) -> dict[str, float]:
    """Discover and evaluate: with the learned threshold, or this share of the known flagged."""
    assert model.novelty is not None
    stage_one = model.novelty.score(task.log_vectors)
    score = stage_one.score
    is_known = np.isin(task.log.intents, model.intents)
    if flagged is not None:
        score = score - np.quantile(np.repeat(score[is_known], task.counts[is_known]), 1 - flagged)
    points = _points(task, model, score)
    intents = discover_intents(points, model.rules)
    assigned = _coherent(task, model, intents, assign(points.vectors[: len(score)], intents)[0])
    domains = _domains(task, model, intents.kinds, assigned)
    in_one = assigned >= 0
    truth = Truth(
        intent=[i or None for i in task.log.intents],
        domain=[d or None for d in task.log.domains],
        known=set(model.intents),
        counts=task.counts,
    )
    found = Found(
        intent_id=[str(a) if a >= 0 else None for a in assigned],
        is_novel=np.where(in_one, intents.kinds[assigned] == NOVEL, score > 0),
        known_intent=[model.intents[c] for c in stage_one.best_class],
        novelty_score=score,
        domain=[domains[a] if a >= 0 else None for a in assigned],
    )
    measures = evaluate_discovery(truth, found)
    large = [r for r in recovery(replace(truth, counts=None), found) if r.size >= _LARGE]
    recovered = [r.recall > 0.5 and r.purity > 0.5 for r in large]
    return (
        {"recovered_20": _per_cent(recovered)}
        | {name: 100 * measures[name] for name in _SHARES if name in measures}
        | {name: measures[name] for name in _NUMBERS}
    )


def reach(task: Task, model: Model) -> dict[str, float]:
    """Measure what could be recovered at any distance: it depends on no threshold."""
    intents, sizes = np.unique(task.log.intents, return_counts=True)
    large = [
        intent
        for intent in intents[sizes >= _LARGE].tolist()
        if intent and intent not in model.intents
    ]
    points = _points(task, model, np.zeros(len(task.log_vectors), np.float32))
    return {"reachable_20": _per_cent(in_one_cluster(points, task.log.intents, large))}


def _points(task: Task, model: Model, score: np.ndarray) -> Points:
    """Return what is linked: the log with its novelty scores (n,), then the anchors."""
    anchors = len(model.anchors)
    return Points(
        vectors=model.head.transform(np.concatenate([task.log_vectors, model.anchors])),
        weights=np.concatenate([repetition_weights(task.counts), np.ones(anchors)]),
        labels=np.concatenate([np.full(len(score), UNLABELED), model.anchor_labels]),
        novelty=np.concatenate([score, np.zeros(anchors, np.float32)]),
    )


def _coherent(task: Task, model: Model, intents: Intents, assigned: np.ndarray) -> np.ndarray:
    """Return (n,) the assigned intents, -1 where one is no intent, as stage taxonomy decides."""
    assert model.novelty is not None
    part = model.encoder.sentence_part
    order = np.random.default_rng(0).permutation(len(assigned))
    rows = [order[assigned[order] == i][:DOCUMENTS] for i in range(len(intents.kinds))]
    samples = [part(task.log_vectors[r]) for r in rows]
    scored = model.novelty.ood_zscore(task.log_vectors)
    known = np.flatnonzero(intents.kinds >= 0)
    junk = incoherent(
        samples,
        intents.kinds == NOVEL,
        np.array([scored[r].mean() if len(r) else 0.0 for r in rows]),
        least_coherence(
            [samples[i] for i in known],
            [part(model.anchors[model.anchor_labels == intents.kinds[i]]) for i in known],
        ),
    )
    return np.where((assigned >= 0) & junk[assigned], -1, assigned)


def in_one_cluster(points: Points, truth: np.ndarray, intents: list[str]) -> np.ndarray:
    """Tell of which intents a cluster of the tree holds more than half, and little else.

    Args:
        points: what is linked, the log first.
        truth: (n,) the intents of the log's utterances.
        intents: those asked for.

    Returns:
        (len(intents),) bool: True if of the utterances of some cluster, at whatever distance, more
        than half are of the intent, and more than half of the intent's are in it.
    """
    sums = points.vectors * points.weights[:, None]
    tree = average_linkage(sums, points.weights, floor=1 - _FARTHEST)
    is_of = np.array([truth == intent for intent in intents], np.int64).reshape(-1, len(truth)).T
    held = np.zeros((tree.n_leaves + len(tree.children), 1 + len(intents)), np.int64)
    held[: len(truth)] = np.column_stack([np.ones(len(truth), np.int64), is_of])
    for merge, pair in enumerate(tree.children):
        held[tree.n_leaves + merge] = held[pair].sum(axis=0)
    size, hits = held[:, :1], held[:, 1:]
    return ((2 * hits > size) & (2 * hits > is_of.sum(axis=0))).any(axis=0)


def _per_cent(flags: np.ndarray | list[bool]) -> float:
    return 100 * float(np.mean(flags)) if len(flags) else np.nan


def _domains(task: Task, model: Model, kinds: np.ndarray, assigned: np.ndarray) -> list[str | None]:
    """Return the domain of each intent: linked by the means of what they hold."""
    vectors = np.concatenate([task.log_vectors, task.labeled_vectors])
    vectors = model.encoder.sentence_part(vectors).astype(np.float64)
    index = np.searchsorted(model.intents, task.labeled.intents)
    # Known intents come first among the centroids, in their order.
    owner = np.concatenate([assigned, index])
    held = np.unique(owner[owner >= 0])
    means = np.stack([vectors[owner == i].mean(axis=0) for i in held])
    known = [model.domains[kinds[i]] if kinds[i] >= 0 else None for i in held]
    linked = link_domains(means, known, model.domain_distance, DomainsConfig())
    domains: list[str | None] = [None] * len(kinds)
    for intent, domain in zip(held, linked, strict=True):
        domains[intent] = str(domain)
    return domains


def load_noise(options: Options) -> tuple[Utterances, np.ndarray]:
    """Read lines of chat that belong to no intent; one in fifty of them."""
    texts = np.unique(pq.read_table(NOISE, columns=["text"])["text"].to_pylist())[::50]
    empty = np.full(len(texts), "", object)
    chat = Utterances("irc_chat", texts.astype(object), empty, empty, empty)
    return chat, encode(chat, options)


def main() -> None:
    """Run the benchmark."""
    names = tuple(name for methods in METHODS.values() for name in methods)
    options = parse_options(__doc__, SETS, known=(0.75,), methods=names)
    ood = encode_out_of_domain(options)
    noise = load_noise(options)
    encoder, encode_views = encoder_identity(options), view_encoder(options)
    results = Results(options)
    for path in options.data:
        utterances = load_utterances(path, distinct=True)
        vectors = encode(utterances, options)
        for share in options.known:
            for seed in range(options.seeds):
                task = draw_task(utterances, vectors, noise, (share, seed))
                for effort, methods in METHODS.items():
                    asked = options.asked(methods)
                    if not asked:
                        continue
                    started = time.perf_counter()
                    settings = FitSettings(seed=seed, effort=effort)
                    model = learn(task, ood, settings, encoder, encode_views)
                    seconds = time.perf_counter() - started
                    reachable = reach(task, model)
                    for method in asked:
                        measured = run(task, model, methods[method]) | reachable
                        results.add((utterances.name, share, method), measured, seconds)
    results.finish()


if __name__ == "__main__":
    main()
