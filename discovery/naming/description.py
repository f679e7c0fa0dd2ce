"""What is known of each cluster before it is named, and which intents are dropped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from advin.discovery.config import CoherenceConfig
from advin.discovery.intents.assignment import Intents
from advin.discovery.intents.coherence import incoherent_intents, min_coherence
from advin.discovery.intents.summary import IntentSize
from advin.discovery.labels import JUNK, NOVEL, TOO_SMALL, UNCLEAR
from advin.discovery.model import Model
from advin.discovery.naming.terms import Documents
from advin.schemas import verdicts

_REASONS = {
    NOVEL: verdicts.IN_NOVEL_INTENT,
    JUNK: verdicts.OUT_OF_DOMAIN,
    UNCLEAR: verdicts.UNCLEAR,
    TOO_SMALL: verdicts.TOO_SMALL,
}


@dataclass(frozen=True, slots=True)
class IntentSample:
    """Utterances that describe an intent, sorted by id.

    Attributes:
        ids: (s,) utterance ids.
        texts: (s,) texts.
        counts: (s,) int64, occurrences.
        vectors: (s, d) float16 vectors of the encoder.
    """

    ids: Sequence[str]
    texts: Sequence[str]
    counts: np.ndarray
    vectors: np.ndarray

    @classmethod
    def joined(cls, samples: Sequence["IntentSample"], most: int) -> "IntentSample":
        """Join the samples of several leaves; keep at most `most` utterances, the lowest ids."""
        if len(samples) == 1:
            return samples[0]
        found = [
            (utterance, s, i)
            for s, sample in enumerate(samples)
            for i, utterance in enumerate(sample.ids)
        ]
        lowest = sorted(found)[:most]
        return cls(
            [utterance for utterance, _, _ in lowest],
            [samples[s].texts[i] for _, s, i in lowest],
            np.array([samples[s].counts[i] for _, s, i in lowest]),
            np.stack([samples[s].vectors[i] for _, s, i in lowest]),
        )


@dataclass(frozen=True, slots=True)
class DescribedClusters:
    """What is known of each cluster.

    Attributes:
        ids: (k,) content-derived ids.
        reasons: (k,) reason of its utterances: an intent's, or why the cluster is dropped.
        known: (k,) label of each known intent, None for another cluster.
        centroids: (k, e) float16 in the learned space.
        radii: (k,) float32.
        sizes: (k,) sizes.
        documents: (k,) samples, with sentence vectors.
        labeled: (k,) sentence vectors (m, s) of the labeled utterances of a known intent.
    """

    ids: list[str]
    reasons: list[str]
    known: list[str | None]
    centroids: np.ndarray
    radii: np.ndarray
    sizes: list[IntentSize]
    documents: list[Documents]
    labeled: list[np.ndarray]

    @property
    def is_intent(self) -> np.ndarray:
        """(k,) bool, False for dropped clusters."""
        return np.isin(self.reasons, [verdicts.IN_KNOWN_INTENT, verdicts.IN_NOVEL_INTENT])

    def take(self, rows: np.ndarray) -> "DescribedClusters":
        """Return some of the clusters."""
        return DescribedClusters(
            ids=[self.ids[i] for i in rows],
            reasons=[self.reasons[i] for i in rows],
            known=[self.known[i] for i in rows],
            centroids=self.centroids[rows],
            radii=self.radii[rows],
            sizes=[self.sizes[i] for i in rows],
            documents=[self.documents[i] for i in rows],
            labeled=[self.labeled[i] for i in rows],
        )


def joined_leaves(
    groups: Sequence[np.ndarray],
    sizes: Mapping[int, IntentSize],
    samples: Mapping[int, IntentSample],
    most: int,
) -> tuple[dict[int, IntentSize], dict[int, IntentSample]]:
    """Add up the sizes and join the samples of groups of leaves.

    Args:
        groups: for each of k groups, the rows of its leaves.
        sizes: size of each leaf that has utterances.
        samples: sample of each leaf that has utterances.
        most: largest number of utterances in a sample.

    Returns:
        size and sample of each group that has utterances.
    """
    filled = {
        i: found
        for i, leaves in enumerate(groups)
        if (found := [leaf for leaf in leaves.tolist() if leaf in sizes])
    }
    return (
        {i: sum((sizes[leaf] for leaf in found), IntentSize()) for i, found in filled.items()},
        {
            i: IntentSample.joined([samples[leaf] for leaf in found], most)
            for i, found in filled.items()
        },
    )


def describe_clusters(
    intents: Intents,
    sizes: Mapping[int, IntentSize],
    samples: Mapping[int, IntentSample],
    model: Model,
) -> DescribedClusters:
    """Collect what is known of each cluster.

    Args:
        intents: all clusters.
        sizes: by row of the cluster, where there are utterances.
        samples: by row of the cluster, where there are utterances.
        model: with labeled utterances.
    """
    ids, known = intents.ids(model.intents), intents.known(model.intents)
    anchors = model.encoder.sentence_part(model.anchors)
    none = IntentSample([], [], np.zeros(0), np.zeros((0, model.encoder.dimension), np.float16))
    kinds = intents.kinds.tolist()
    chosen = [samples.get(i, none) for i in range(len(kinds))]
    return DescribedClusters(
        ids=ids,
        reasons=[_first_reason(kind, i in sizes) for i, kind in enumerate(kinds)],
        known=known,
        centroids=intents.centroids.astype(np.float16),
        radii=intents.radii,
        sizes=[sizes.get(i, IntentSize()) for i in range(len(kinds))],
        documents=[
            Documents(sample.texts, sample.counts, model.encoder.sentence_part(sample.vectors))
            for sample in chosen
        ],
        labeled=[
            anchors[model.anchor_labels == kind] if kind >= 0 else anchors[:0] for kind in kinds
        ],
    )


def _first_reason(kind: int, has_utterances: bool) -> str:
    """Return the reason of a cluster's utterances before incoherent intents are dropped."""
    if kind >= 0:
        return verdicts.IN_KNOWN_INTENT
    return _REASONS[kind] if has_utterances else verdicts.EMPTY


def mean_zscores(
    kinds: np.ndarray, samples: Mapping[int, IntentSample], model: Model
) -> np.ndarray:
    """Return the (k,) mean `NoveltyModel.ood_zscore` of each novel intent's sample; else 0.

    Args:
        kinds: (k,) kinds of the clusters.
        samples: by row of the cluster, where there are utterances.
        model: with stage I, if there are labels.
    """
    zscores = np.zeros(len(kinds))
    if model.novelty is not None:
        for row in np.flatnonzero(kinds == NOVEL).tolist():
            if row in samples:
                zscores[row] = model.novelty.ood_zscore(samples[row].vectors).mean()
    return zscores


def without_loose_intents(
    clusters: DescribedClusters, ood_zscores: np.ndarray, config: CoherenceConfig
) -> DescribedClusters:
    """Return the clusters with new reasons for the intents that `incoherent_intents` finds.

    Args:
        clusters: all clusters.
        ood_zscores: (k,) by `mean_zscores`.
        config: thresholds.
    """
    rows = np.flatnonzero(clusters.is_intent)
    intents = clusters.take(rows)
    samples = [documents.vectors for documents in intents.documents]
    is_novel = np.array([label is None for label in intents.known], bool)
    known = np.flatnonzero(~is_novel)
    least = min_coherence([samples[i] for i in known], [intents.labeled[i] for i in known], config)
    is_junk = incoherent_intents(samples, is_novel, ood_zscores[rows], least, config)
    reasons = list(clusters.reasons)
    for row in rows[is_junk].tolist():
        is_far = ood_zscores[row] > config.far
        reasons[row] = verdicts.INCOHERENT if is_far else verdicts.LEFTOVER
    return replace(clusters, reasons=reasons)
