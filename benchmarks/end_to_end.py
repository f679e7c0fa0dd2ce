"""All three stages on a realistic log: skewed, repeated, noisy, and with labels removed.

The labels of whole domains and of other single intents are removed until the given share of intents
is known. The train split of the known intents is labeled. All other rows form the log. The sizes of
intents fall with their rank to the power -0.5, and the count of an utterance follows a Pareto
distribution with exponent 1.5. The log also has 20 % of noise: lines of IRC chat, and the
out-of-scope rows of the data set.

    python -m benchmarks.end_to_end --data clinc150 --data massive_en --known 0.75 --seeds 3 \\
        --out RESULT.json

Methods: `default` uses the learned novelty threshold. `flagged_1`, `flagged_2` and `flagged_5` move
that threshold until 1, 2 or 5 % of the known utterances in the log are flagged. `fast` uses the
fast preset.

Measures are those of `evaluate_discovery` in per cent, and two more. `recovered_20` is the share of
novel intents with 20 or more distinct utterances that are recovered: some novel cluster has more
than half of the intent, and more than half of the cluster is that intent. `reachable_20` is the
share for which some cluster of stage II's tree does so, at any distance. It bounds what a better
cut could reach.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow.parquet as pq

from advin.discovery.clustering.linkage import average_linkage
from advin.discovery.config import Config, SampleConfig
from advin.discovery.discover import Assignments, Log, discover
from advin.discovery.encoding.identity import EncoderIdentity
from advin.discovery.encoding.texts import EmbeddedTexts
from advin.discovery.evaluation.measures import evaluate_discovery
from advin.discovery.evaluation.recovery import recovery
from advin.discovery.evaluation.rows import Found, Truth
from advin.discovery.fit import (
    TrainingData,
    fit_conversation,
    fit_model,
    needs_views,
)
from advin.discovery.intents.points import (
    Points,
    anchor_clusters,
    points_of,
    utterance_clusters,
)
from advin.discovery.model import Model
from advin.discovery.text.cleaning import normalize
from advin.schemas.ids import utterance_id
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
# By preset: the share of known utterances to flag; None uses the learned threshold.
METHODS: dict[str, dict[str, float | None]] = {
    "full": {"default": None, "flagged_1": 0.01, "flagged_2": 0.02, "flagged_5": 0.05},
    "fast": {"fast": None},
}
_LARGE = 20
# Linkage stops here for `reachable_20`, far above any useful distance.
_FARTHEST = 0.9
_SHARES = ("ari", "accuracy", "novel_in_novel", "known_in_novel", "junk_in_novel", "auroc")
_SHARES += ("domain_ari", "domain_accuracy")
Measures = dict[str, float]
_NUMBERS = ("novel_intents_true", "novel_intents_found", "junk_intents")


@dataclass(frozen=True, slots=True)
class Task:
    """A labeled set and a log; "" stands for no domain or no intent.

    Attributes:
        labeled: the labeled utterances.
        labeled_vectors: (m, d) vectors of the labeled utterances.
        log: the distinct utterances of the log.
        log_vectors: (n, d) vectors of the log.
        counts: (n,) int64, occurrences of each utterance in the log.
    """

    labeled: Utterances
    labeled_vectors: np.ndarray
    log: Utterances
    log_vectors: np.ndarray
    counts: np.ndarray


def known_intents(utterances: Utterances, share: float, random: np.random.Generator) -> set[str]:
    """Draw the known intents. About half of the removed intents are whole domains."""
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
    """Draw the labeled set and the log; `draw` is the known share and the seed."""
    share, seed = draw
    random = np.random.default_rng(seed)
    known = known_intents(utterances, share, random)
    is_known = np.array([i in known for i in utterances.intents], bool)
    is_labeled = is_known & (utterances.splits == TRAIN)
    labeled = np.sort(random.permutation(np.flatnonzero(is_labeled))[: SampleConfig().max_labeled])
    rows = []
    for rank, name in enumerate(random.permutation(utterances.names), start=1):
        found = random.permutation(np.flatnonzero((utterances.intents == name) & ~is_labeled))
        rows.append(found[: max(5, round(len(found) * rank**-_RANK_EXPONENT))])
    inside = np.concatenate(rows)
    other, other_vectors = noise
    # Rows of the data set come first, then lines of chat.
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
    config: Config,
    encoder: EncoderIdentity,
    encode_views: Callable[[list[str]], np.ndarray],
) -> Model:
    """Fit a model like `advin fit`, on a bounded sample."""
    intents = sorted(set(task.labeled.intents))
    domain_of = dict(zip(task.labeled.intents, task.labeled.domains, strict=True))
    most = config.sample.max_log
    data = TrainingData(
        log=EmbeddedTexts(task.log.texts[:most], task.log_vectors[:most]),
        labeled=EmbeddedTexts(task.labeled.texts, task.labeled_vectors),
        labels=np.searchsorted(intents, task.labeled.intents),
        intents=tuple(intents),
        domains=tuple(domain_of[i] or None for i in intents),
        out_of_domain=ood,
    )
    conversation = fit_conversation(data, encode_views, config)
    data = data.requests(conversation)
    if needs_views(data.labels, config):
        data = data.with_views(encode_views, config)
    return fit_model(data, encoder, config, conversation)


def run(log: Log, rows: np.ndarray, task: Task, model: Model, flagged: float | None) -> Measures:
    """Discover and evaluate; return the measures.

    Args:
        log: the log of the task, sorted by id.
        rows: (n,) for each utterance of the log, its row in the task.
        task: the task, with the true intents.
        model: a model that was fitted to the task.
        flagged: share of the log's known utterances to flag; None uses the learned threshold.
    """
    assert model.novelty is not None
    scores = model.novelty.score(EmbeddedTexts(log.texts, log.vectors))
    is_known = np.isin(task.log.intents[rows], model.intents)
    if flagged is not None:
        of_known = np.repeat(scores.score[is_known], log.counts[is_known])
        score = scores.score - np.quantile(of_known, 1 - flagged)
        scores = replace(scores, score=score, probability=model.novelty.probability(score))
    assignments = discover(log, model, scores).assignments
    truth, answer = truth_and_answer(log, task.log.take(rows), model, assignments)
    measures = evaluate_discovery(truth, answer)
    large = [r for r in recovery(replace(truth, counts=None), answer) if r.size >= _LARGE]
    recovered = [row.is_recovered for row in large]
    return (
        {"recovered_20": _per_cent(recovered)}
        | {name: 100 * measures[name] for name in _SHARES if name in measures}
        | {name: measures[name] for name in _NUMBERS}
    )


def truth_and_answer(
    log: Log, gold: Utterances, model: Model, assignments: Assignments
) -> tuple[Truth, Found]:
    """Return the rows to evaluate.

    Args:
        log: n utterances.
        gold: the same utterances with their true intents and domains.
        model: its intents are the known ones.
        assignments: what was found.
    """
    truth = Truth(
        intent=[i or None for i in gold.intents],
        domain=[d or None for d in gold.domains],
        known=set(model.intents),
        counts=log.counts,
    )
    answer = Found(
        intent_id=assignments.intent_id,
        kind=assignments.kind,
        known_intent=assignments.known_intent,
        novelty_score=assignments.novelty_score,
        domain=assignments.domain_id,
    )
    return truth, answer


def reach(task: Task, model: Model) -> Measures:
    """Measure which intents are reachable at any distance; no threshold matters here."""
    intents, sizes = np.unique(task.log.intents, return_counts=True)
    large = [
        intent
        for intent in intents[sizes >= _LARGE].tolist()
        if intent and intent not in model.intents
    ]
    log, rows = log_of(task)
    vectors = model.head.transform(log.vectors)
    points = points_of(
        utterance_clusters(log.ids, vectors, log.counts, None, model.label_density),
        anchor_clusters(model.head.transform(model.anchors)),
        model.anchor_labels,
    )
    return {"reachable_20": _per_cent(in_one_cluster(points, task.log.intents[rows], large))}


def log_of(task: Task) -> tuple[Log, np.ndarray]:
    """Return the task's log sorted by id, and the row of the task for each of its utterances.

    Of texts that are equal after normalization, such as lines of chat, the first one is kept.
    """
    ids = np.array([utterance_id(normalize(text)) for text in task.log.texts], "S32")
    ids, rows = np.unique(ids, return_index=True)
    log = Log(ids, task.log.texts[rows].tolist(), task.counts[rows], task.log_vectors[rows])
    return log, rows


def in_one_cluster(points: Points, truth: np.ndarray, intents: list[str]) -> np.ndarray:
    """Return which intents some cluster of the tree recovers, at any distance.

    Args:
        points: the points to link, the log first.
        truth: (n,) true intents of the log's utterances.
        intents: the intents to look for.

    Returns:
        (len(intents),) bool: True if some cluster has more than half of the intent's utterances,
        and more than half of that cluster's utterances belong to the intent.
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


def load_noise() -> Utterances:
    """Return one in fifty lines of IRC chat, which belong to no intent."""
    texts = np.unique(pq.read_table(NOISE, columns=["text"])["text"].to_pylist())[::50]
    empty = np.full(len(texts), "", object)
    return Utterances("irc_chat", texts.astype(object), empty, empty, empty)


def draw_tasks(options: Options) -> Iterator[tuple[str, float, int, Task]]:
    """Yield the name of the set, the known share, the seed and the task of each draw."""
    chat = load_noise()
    noise = chat, encode(chat, options)
    for path in options.data:
        utterances = load_utterances(path, distinct=True, masked=True)
        vectors = encode(utterances, options)
        for share in options.known:
            for seed in range(options.seeds):
                task = draw_task(utterances, vectors, noise, (share, seed))
                yield utterances.name, share, seed, task


def main() -> None:
    """Run the benchmark."""
    names = tuple(name for methods in METHODS.values() for name in methods)
    options = parse_options(__doc__, SETS, known=(0.75,), methods=names)
    ood = encode_out_of_domain(options)
    encoder, encode_views = encoder_identity(options), view_encoder(options)
    results = Results(options)
    for name, share, seed, task in draw_tasks(options):
        log, rows = log_of(task)
        for effort, methods in METHODS.items():
            asked = options.asked(methods)
            if not asked:
                continue
            started = time.perf_counter()
            config = replace(Config.preset(effort), seed=seed)
            model = learn(task, ood, config, encoder, encode_views)
            seconds = time.perf_counter() - started
            reachable = reach(task, model)
            for method in asked:
                measured = run(log, rows, task, model, methods[method]) | reachable
                results.add((name, share, method), measured, seconds)
    results.finish()


if __name__ == "__main__":
    main()
