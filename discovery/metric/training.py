"""The metric head of stage II: a small network that pulls the utterances of one intent together.

``z = normalize(x' + MLP(x))`` with one hidden layer; x' are the first `MAX_DIMENSION` of x. It
learns from labeled pairs (supervised contrastive loss, Khosla et al., arXiv 2004.11362) and from
all utterances (nearest neighbors as positives, after MTP-CLNN, Zhang et al., ACL 2022), near in
the space and by their words; ADVIN's pairwise margin loss (arXiv 2006.01208) is the other choice.
What stage I doubts is not pulled towards labeled utterances: a new intent beside a known one would
be learned to be a part of it. Labels make known intents tight, and draw new ones into them: where
many utterances are labeled, those that random batches hold are enough, where few are, batches of
labeled ones make up for it. And where many are, an intent without labels is far smaller than one
with: fewer neighbors of a row without a label are positives.
"""

from dataclasses import dataclass, fields
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch.nn import functional

from advin.discovery.compute.parallel import run_parallel
from advin.discovery.compute.precision import FP32, autocast, best_precision
from advin.discovery.labels import SUSPECTED_NOVEL
from advin.discovery.metric.losses import LOSSES, same_label

# Neighbor search is quadratic; callers sample a larger log down to this many rows.
MAX_ROWS = 100_000
_SEARCH_ROWS = 1024
# Of the learned space: linkage, and all files after it, cost in proportion. The default encoder's
# sentence vector, with which its vectors begin, is as long.
MAX_DIMENSION = 384
# What the likeness of words counts for beside that in the space, where neighbors are searched.
_LEXICAL_WEIGHT = 0.5
_MIN_INTENTS = 4
_RANKED_PER_INTENT = 40
_FEWEST_NEIGHBORS = 5
_NEIGHBORS_WITHOUT_LABELS = 30


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """What a metric head learns from.

    Attributes:
        vectors: (n, d) float32 of utterances, unit norm.
        labels: (n,) int64: 0 or above, UNLABELED, or SUSPECTED_NOVEL: not to be pulled towards labeled.
        lexical: (n, e) float32 of the same utterances by `lexical_vectors`; None looks for
            neighbors by the vectors alone.
        views: (v, n, d) of the same utterances by `embedded_views`; None trains on whole ones only.

    Raises:
        ValueError: if the numbers of rows differ, or values are not finite.
    """

    vectors: np.ndarray
    labels: np.ndarray
    lexical: np.ndarray | None = None
    views: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Check and convert."""
        object.__setattr__(self, "vectors", _checked_vectors(self.vectors))
        object.__setattr__(self, "labels", np.asarray(self.labels, np.int64))
        if self.labels.shape != (len(self),):
            raise ValueError(
                f"{len(self)} vectors, but labels of shape {self.labels.shape}: give one label each"
            )
        if self.lexical is not None:
            object.__setattr__(self, "lexical", np.asarray(self.lexical, np.float32))
            if len(self.lexical) != len(self):
                raise ValueError(
                    f"{len(self)} vectors, but {len(self.lexical)} lexical ones: give one each"
                )
        if self.views is not None and self.views.shape[1:] != self.vectors.shape:
            raise ValueError(
                f"vectors of shape {self.vectors.shape}, but views of shape {self.views.shape}: "
                "give as many of each"
            )

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.vectors)

    def take(self, rows: np.ndarray) -> "TrainingRows":
        """Return some of the rows."""
        lexical = None if self.lexical is None else self.lexical[rows]
        views = None if self.views is None else self.views[:, rows]
        return TrainingRows(self.vectors[rows], self.labels[rows], lexical, views)


@dataclass(frozen=True, slots=True)
class MetricSettings:
    """How a metric head is trained.

    Attributes:
        loss: "contrastive", or "margin" for ADVIN's pairwise margin loss.
        hidden: units of the hidden layer.
        batch: rows drawn for a step.
        labeled_batch: labeled rows drawn beside them.
        labeled_weight: what the loss of those counts for; None: what random batches lack.
        steps: batches trained on, however many rows there are: distances in two spaces compare
            only when both were trained alike.
        refresh: steps after which the neighbors are searched anew.
        temperature: of the contrastive loss.
        neighbors: nearest neighbors that count as positives; 0 takes `default_neighbors`.
        unlabeled_neighbors: the same of a row without a label; 0 takes those that
            `unlabeled_neighbors` returns.
        dropout: share of input features dropped in training.
        seed: of the weights, the batches and the dropout.
    """

    loss: Literal["contrastive", "margin"] = "contrastive"
    hidden: int = 1024
    steps: int = 400
    batch: int = 768
    labeled_batch: int = 512
    labeled_weight: float | None = None
    learning_rate: float = 3e-3
    temperature: float = 0.07
    neighbors: int = 0
    unlabeled_neighbors: int = 0
    refresh: int = 40
    dropout: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the choices."""
        if self.loss not in ("contrastive", "margin"):
            raise ValueError(f"loss is {self.loss!r}; choose 'contrastive' or 'margin'")
        for name in ("hidden", "steps", "batch", "labeled_batch", "refresh"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, but must be at least 1")
        if self.temperature <= 0:
            raise ValueError(f"temperature is {self.temperature}, but must be above 0")


# Two thirds of the time, for a little quality: `python -m benchmarks.intent_discovery` has both. A
# hidden layer of half the size would spare a tenth of that, and recover less of small intents
# (`benchmarks/history.md`, *The fast setting*).
FAST = MetricSettings(steps=200, refresh=50)


@dataclass(frozen=True, slots=True)
class MetricHead:
    """A trained head: z = normalize(x' + W2 gelu(W1 x + b1) + b2), where x' are the first of x."""

    weight_in: np.ndarray
    bias_in: np.ndarray
    weight_out: np.ndarray
    bias_out: np.ndarray

    def transform(self, vectors: np.ndarray) -> np.ndarray:
        """Map vectors (n, d) into the learned space: (n, e) float32, unit norm."""
        vectors = _checked_vectors(vectors)
        if vectors.shape[1] != self.weight_in.shape[1]:
            raise ValueError(
                f"vectors have {vectors.shape[1]} dimensions, but the head was trained on "
                f"{self.weight_in.shape[1]}: use the encoder it was trained with"
            )
        weights = [torch.from_numpy(np.asarray(getattr(self, f.name))) for f in fields(self)]
        with torch.inference_mode():
            parts = [
                forward(torch.from_numpy(vectors[start : start + _SEARCH_ROWS]), weights)
                for start in range(0, len(vectors), _SEARCH_ROWS)
            ]
        none = np.zeros((0, len(self.bias_out)), np.float32)
        return torch.cat(parts).numpy() if parts else none

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the state as named arrays."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "MetricHead":
        """Restore a head from what `to_arrays` returned."""
        return cls(**{f.name: np.asarray(arrays[f.name], np.float32) for f in fields(cls)})


def labels_suffice(labels: np.ndarray) -> bool:
    """Say whether labels (n,) tell how large intents are: enough intents have two of them."""
    counts = np.unique(labels[labels >= 0], return_counts=True)[1]
    return int(np.count_nonzero(counts >= 2)) >= _MIN_INTENTS


def default_neighbors(vectors: np.ndarray, labels: np.ndarray) -> int:
    """Choose how many neighbors count as positives: what finds 30 % of a labeled intent.

    The rank, among all rows, within which an utterance finds that share of the other labeled
    utterances of its intent, averaged over intents. It follows the size of intents and how far
    they overlap, and depends neither on the share of rows that carry labels nor on how many
    intents are known. Where labels do not suffice, a constant; `stable_clusters` learns better.
    """
    largest = max(1, len(vectors) // 20)
    if not labels_suffice(labels):
        return min(_NEIGHBORS_WITHOUT_LABELS, largest)
    ranks, weights = [], []
    for intent in np.unique(labels[labels >= 0]):
        rows = np.flatnonzero(labels == intent)
        rows = rows[:: -(-len(rows) // _RANKED_PER_INTENT)]
        if len(rows) < 2:
            continue
        scores = vectors[rows] @ vectors.T
        for row in range(len(rows)):
            others = np.delete(scores[row, rows], row)
            ordered = np.sort(scores[row])
            # How many rows are nearer; the utterance itself is one of them.
            ranks.append(len(ordered) - np.searchsorted(ordered, others, side="right"))
            weights.append(np.full(len(others), 1.0 / (len(rows) * len(others))))
    rank, weight = np.concatenate(ranks), np.concatenate(weights)
    order = np.argsort(rank, kind="stable")
    reached = np.searchsorted(np.cumsum(weight[order]), 0.3 * weight.sum())
    return int(np.clip(rank[order[reached]], min(_FEWEST_NEIGHBORS, largest), min(100, largest)))


def unlabeled_neighbors(neighbors: int, labels: np.ndarray) -> int:
    """Choose how many neighbors of a row without a label count as positives.

    `neighbors` are as many as find 30 % of a known intent, labeled rows among them. Of an intent
    without labels there is what the log holds, and of that no more than 60 % are asked for: which
    are fewer only where most rows are labeled (`benchmarks/history.md`, *Small beside labels*).

    Args:
        neighbors: by `default_neighbors`.
        labels: (n,) of all rows, 0 or above where labeled.
    """
    share = np.count_nonzero(labels < 0) / max(1, len(labels))
    return max(min(_FEWEST_NEIGHBORS, neighbors), round(neighbors * min(1, 2 * share)))


def labeled_weight(labels: np.ndarray, settings: MetricSettings) -> float:
    """Return what labeled batches count for: the settings' weight, or what random ones lack.

    Args:
        labels: (n,) of all rows, 0 or above where labeled.
        settings: of the head.
    """
    if settings.labeled_weight is not None:
        return settings.labeled_weight
    in_random = settings.batch * np.count_nonzero(labels >= 0) / max(1, len(labels))
    return max(0.0, 1 - in_random / settings.labeled_batch)


def train_metric_head(rows: TrainingRows, settings: MetricSettings | None = None) -> MetricHead:
    """Train a metric head.

    Works with no labels at all (neighbor loss alone). On a processor the same rows, settings and
    thread count give the same weights; a GPU is used where there is one.

    Raises:
        ValueError: if there are more than `MAX_ROWS` rows.
    """
    settings = settings or MetricSettings()
    if len(rows) > MAX_ROWS:
        raise ValueError(f"{len(rows)} rows, but at most {MAX_ROWS} can be trained on: sample them")
    generator = torch.Generator().manual_seed(settings.seed)
    weights = initial_weights(rows.vectors.shape[1], settings.hidden, generator)
    if len(rows) >= 2:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        weights = _train(rows, [weight.to(device) for weight in weights], settings, generator)
    arrays = [weight.detach().cpu().numpy() for weight in weights]
    return MetricHead(*arrays)


def _train(rows: TrainingRows, weights, settings: MetricSettings, generator) -> list[torch.Tensor]:
    n, device = len(rows), weights[0].device
    vectors, labels = (torch.from_numpy(a).to(device) for a in (rows.vectors, rows.labels))
    lexical = torch.zeros(n, 0) if rows.lexical is None else torch.from_numpy(rows.lexical)
    lexical = _LEXICAL_WEIGHT * lexical.to(device)
    views = None if rows.views is None else torch.from_numpy(rows.views).to(device)
    weights = [weight.requires_grad_() for weight in weights]
    optimizer = torch.optim.AdamW(weights, lr=settings.learning_rate, weight_decay=1e-2, fused=True)
    labeled, unlabeled = (torch.nonzero(of).flatten() for of in (labels >= 0, labels < 0))
    k = min(settings.neighbors or default_neighbors(rows.vectors, rows.labels), n - 1)
    few = settings.unlabeled_neighbors or unlabeled_neighbors(k, rows.labels)
    loss_of = LOSSES[settings.loss]
    weight = labeled_weight(rows.labels, settings)
    place = torch.full((n,), -1, device=device)
    neighbors = torch.empty(0)
    order = torch.empty(0, dtype=torch.int64)
    precision = best_precision()
    for step in range(settings.steps):
        if step % settings.refresh == 0:
            with torch.no_grad(), autocast(precision):
                searched = torch.cat([_embed(vectors, weights), lexical], dim=1)
            neighbors = nearest_neighbors(searched, k, precision)
            # No row is a positive of its own: in place of a neighbor it leaves that out.
            neighbors[unlabeled, few:] = unlabeled[:, None]
        if not len(order):
            order = torch.randperm(n, generator=generator)
        batch, order = order[: settings.batch].to(device), order[settings.batch :]
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * _schedule(step / settings.steps)
        seen = _seen(batch, vectors, views, generator)
        batches = [(1.0, seen, _neighbor_positives(batch, neighbors, labels, place))]
        if weight > 0 and len(labeled) >= 2:
            pick = torch.randperm(len(labeled), generator=generator)[: settings.labeled_batch]
            batch = labeled[pick.to(device)]
            batches.append((weight, vectors[batch], same_label(labels[batch])))
        with autocast(precision):
            losses = [
                share
                * loss_of(
                    forward(drop(seen, settings.dropout, generator), weights),
                    positives,
                    settings.temperature,
                )
                for share, seen, positives in batches
            ]
        optimizer.zero_grad()
        torch.stack(losses).sum().backward()
        optimizer.step()
    return weights


def _schedule(progress: float) -> float:
    """Warm up over the first twentieth, then fall along a cosine."""
    warm = min(1.0, (progress + 1e-3) / 0.05)
    return warm * 0.5 * (1 + float(np.cos(np.pi * progress)))


def _seen(rows, vectors, views, generator) -> torch.Tensor:
    """Return what a batch trains on: of each row the whole or a view, all as likely."""
    whole = vectors[rows]
    if views is None:
        return whole
    drawn = torch.randint(-1, len(views), (len(rows),), generator=generator).to(rows.device)
    return torch.where((drawn < 0)[:, None], whole, views[drawn, rows].to(whole.dtype))


def _neighbor_positives(rows, neighbors, labels, place) -> torch.Tensor:
    """Weight of every pair of a batch as a positive: (b, b), zero on the diagonal."""
    within = torch.arange(len(rows), device=rows.device)
    place[rows] = within
    at = place[neighbors[rows]]
    place[rows] = -1
    # A neighbor that is not in the batch counts on the diagonal, which is cleared.
    at = torch.where(at < 0, within[:, None], at)
    positives = torch.zeros(len(rows), len(rows), device=rows.device)
    positives.scatter_(1, at, 1.0).fill_diagonal_(0)
    own = labels[rows]
    labeled, doubted = (torch.nonzero(of).flatten() for of in (own >= 0, own == SUSPECTED_NOVEL))
    positives[labeled[:, None], labeled] = same_label(own[labeled])
    positives[labeled[:, None], doubted] = 0
    positives[doubted[:, None], labeled] = 0
    return positives


def nearest_neighbors(vectors: torch.Tensor, k: int, precision: str = FP32) -> torch.Tensor:
    """Return the k nearest other rows of every row by inner product: (n, k) int64."""

    def search(start: int) -> torch.Tensor:
        # Threads begin with gradients, and in float32.
        with torch.no_grad(), autocast(precision):
            scores = vectors[start : start + _SEARCH_ROWS] @ vectors.T
            own = torch.arange(start, start + len(scores), device=vectors.device)
            scores[own - start, own] = -torch.inf
            return scores.topk(k, dim=1).indices

    starts = range(0, len(vectors), _SEARCH_ROWS)
    return torch.cat(run_parallel([partial(search, start) for start in starts]))


def initial_weights(dimension: int, hidden: int, generator) -> list[torch.Tensor]:
    """Return a head's four weights: the output layer is zero, so z begins as the first of x."""
    learned = min(dimension, MAX_DIMENSION)
    return [
        torch.randn(hidden, dimension, generator=generator) / dimension**0.5,
        torch.zeros(hidden),
        torch.zeros(learned, hidden),
        torch.zeros(learned),
    ]


def forward(x: torch.Tensor, weights: list[torch.Tensor]) -> torch.Tensor:
    """Map (n, d) rows through a head given as its four weights: (n, e), unit norm."""
    weight_in, bias_in, weight_out, bias_out = weights
    inner = functional.gelu(functional.linear(x, weight_in, bias_in))
    own = x[:, : len(bias_out)]
    return functional.normalize(own + functional.linear(inner, weight_out, bias_out), dim=1)


def _embed(vectors: torch.Tensor, weights: list[torch.Tensor]) -> torch.Tensor:
    return torch.cat([forward(part, weights) for part in vectors.split(_SEARCH_ROWS)])


def drop(x: torch.Tensor, share: float, generator) -> torch.Tensor:
    """Set a share of the features to zero, and scale the others to make up for it."""
    if share == 0:
        return x
    keep = torch.rand(x.shape, generator=generator).to(x.device) >= share
    return x * keep / (1 - share)


def _checked_vectors(vectors: np.ndarray) -> np.ndarray:
    vectors = np.ascontiguousarray(vectors, np.float32)
    if vectors.ndim != 2:
        raise ValueError(f"vectors have shape {vectors.shape}, but must be (rows, dimensions)")
    if not np.isfinite(vectors).all():
        raise ValueError("vectors hold values that are not finite: drop those rows first")
    return vectors
