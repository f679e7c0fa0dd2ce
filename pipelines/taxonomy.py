"""Stage taxonomy: drop what is no intent, link the others into domains, name and write both."""

import dataclasses
from collections.abc import Iterator

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.metrics import Metrics

from advin.discovery.config import Config
from advin.discovery.domains.linking import link_domains
from advin.discovery.intents.coherence import incoherent, least_coherence
from advin.discovery.model import Model
from advin.discovery.naming.exemplars import exemplars
from advin.discovery.naming.names import IntentName, name_domains, name_intents
from advin.discovery.naming.terms import Documents
from advin.pipelines import storage
from advin.pipelines.cluster import CENTROIDS
from advin.pipelines.describe import mean_distance
from advin.pipelines.models import load_model
from advin.pipelines.shards import Shard, read_shard, write_shard
from advin.pipelines.stages import Stage
from advin.schemas import tables
from advin.schemas.batches import vectors_from_arrow, vectors_to_arrow
from advin.schemas.ids import known_id, novel_id

_CONFIG = Config()


@dataclasses.dataclass(frozen=True)
class Described:
    """Where the stages before left centroids, sizes and documents, and in how many shards."""

    centroids: str
    sizes: str
    size_shards: int
    documents: str
    document_shards: int

    @classmethod
    def of(cls, clusters: Stage, describe: Stage) -> "Described":
        """Point at what two finished stages wrote."""
        parts = ("sizes", "documents")
        (sizes, size_shards), (documents, document_shards) = (
            (describe.path(part), describe.files(part)) for part in parts
        )
        return cls(clusters.path(), sizes, size_shards, documents, document_shards)


@dataclasses.dataclass
class Taxonomy(beam.PTransform):
    """Described intents to the tables intents and domains: one element, the number of intents."""

    described: Described
    model: str
    intents: str
    domains: str

    def expand(self, pipeline):
        """Link and name in one place: everything it reads is bounded."""
        return (
            pipeline
            | "Described" >> beam.Create([self.described], reshuffle=False)
            | "Name" >> beam.ParDo(_Build(self.model, self.intents, self.domains))
        )


class _Build(beam.DoFn):
    def __init__(self, model: str, intents: str, domains: str):
        self._model, self._intents, self._domains = model, intents, domains

    def process(self, described: Described) -> Iterator[int]:
        model = load_model(self._model)
        found = read_found(described, model)
        junk = are_junk(found, model)
        intents, domains = build_taxonomy(found.take(np.flatnonzero(~junk)), model)
        only = Shard(0, 1)
        write_shard(self._intents, only, intents)
        write_shard(self._domains, only, domains)
        for name, table in (("intents", intents), ("domains", domains)):
            novel = sum(table.column("is_novel").to_pylist())
            Metrics.counter("taxonomy", f"known_{name}_named").inc(table.num_rows - novel)
            Metrics.counter("taxonomy", f"novel_{name}_named").inc(novel)
        Metrics.counter("taxonomy", "incoherent_intents").inc(int(np.count_nonzero(junk)))
        yield intents.num_rows


@dataclasses.dataclass(frozen=True)
class Found:
    """The intents that hold utterances, and the known ones that do not.

    Attributes:
        ids: content-derived ids.
        known: the label of each known intent, None for a novel one.
        centroids: (k, d) float16 in the learned space.
        radii: (k,) float32.
        sizes: (k, 3) int64: distinct utterances, rows, summed distance.
        documents: of each, its sample; vectors are the sentence vectors.
        labeled: of each, the sentence vectors of its labeled utterances; none of a novel one.
        ood_zscore: (k,) mean `NoveltyModel.ood_zscore` of a novel one's sample; else 0.
    """

    ids: list[str]
    known: list[str | None]
    centroids: np.ndarray
    radii: np.ndarray
    sizes: np.ndarray
    documents: list[Documents]
    labeled: list[np.ndarray]
    ood_zscore: np.ndarray

    def take(self, rows: np.ndarray) -> "Found":
        """Return some of the intents."""
        return Found(
            ids=[self.ids[i] for i in rows],
            known=[self.known[i] for i in rows],
            centroids=self.centroids[rows],
            radii=self.radii[rows],
            sizes=self.sizes[rows],
            documents=[self.documents[i] for i in rows],
            labeled=[self.labeled[i] for i in rows],
            ood_zscore=self.ood_zscore[rows],
        )


def read_found(described: Described, model: Model) -> Found:
    """Read what the stages before left.

    Raises:
        ValueError: if there are more intents than one worker takes.
    """
    table = storage.read_parquet(storage.join(described.centroids, CENTROIDS))
    kinds = table["kind"].to_numpy()
    sizes = np.zeros((len(kinds), 3), np.int64)
    for number in range(described.size_shards):
        batch = read_shard(described.sizes, Shard(number, described.size_shards))
        rows = [batch.column(c).to_numpy() for c in ("distinct_size", "size", "distance")]
        sizes[batch.column("intent").to_numpy()] = np.stack(rows, axis=1)
    keep = np.flatnonzero((kinds >= 0) | (sizes[:, 0] > 0))
    if len(keep) > _CONFIG.domains.max_intents:
        raise ValueError(
            f"{len(keep)} intents were found, but at most {_CONFIG.domains.max_intents} can be "
            "linked and named: "
            "the learned distance does not suit this log; give labeled intents with --labeled"
        )
    samples = _read_samples(described, model, kinds < 0)
    length = model.encoder.sentence_dimension
    none = _Sample(Documents([], np.zeros(0), np.zeros((0, length), np.float32)), 0.0)
    kept_samples = [samples.get(int(i), none) for i in keep]
    kept = table.take(pa.array(keep))
    return Found(
        ids=kept["intent_id"].to_pylist(),
        known=kept["known_intent"].to_pylist(),
        centroids=vectors_from_arrow(kept["centroid"]),
        radii=kept["radius"].to_numpy(),
        sizes=sizes[keep],
        documents=[sample.documents for sample in kept_samples],
        labeled=_labeled(kinds[keep], model),
        ood_zscore=np.array([sample.ood_zscore for sample in kept_samples]),
    )


@dataclasses.dataclass(frozen=True)
class _Sample:
    documents: Documents
    ood_zscore: float


def _read_samples(described: Described, model: Model, novel: np.ndarray) -> dict[int, _Sample]:
    samples: dict[int, _Sample] = {}
    for number in range(described.document_shards):
        batch = read_shard(described.documents, Shard(number, described.document_shards))
        intents = batch.column("intent").to_numpy()
        bounds = np.flatnonzero(np.diff(intents, prepend=-1, append=-1))
        for start, stop in zip(bounds[:-1], bounds[1:], strict=True):
            rows = batch.slice(start, stop - start)
            vectors = np.frombuffer(b"".join(rows.column("vector").to_pylist()), np.float16)
            vectors = vectors.reshape(-1, model.encoder.dimension)
            documents = Documents(
                texts=rows.column("text").to_pylist(),
                weights=rows.column("count").to_numpy(),
                vectors=model.encoder.sentence_part(vectors),
            )
            intent, ood_zscore = int(intents[start]), 0.0
            if novel[intent] and model.novelty is not None:
                ood_zscore = float(model.novelty.ood_zscore(vectors).mean())
            samples[intent] = _Sample(documents, ood_zscore)
    return samples


def _labeled(kinds: np.ndarray, model: Model) -> list[np.ndarray]:
    anchors = model.encoder.sentence_part(model.anchors)
    return [anchors[model.anchor_labels == kind] if kind >= 0 else anchors[:0] for kind in kinds]


def are_junk(found: Found, model: Model) -> np.ndarray:
    """Tell which novel intents (k,) hang together in the learned space only."""
    samples = [documents.vectors for documents in found.documents]
    novel = np.array([label is None for label in found.known], bool)
    known = np.flatnonzero(~novel)
    least = least_coherence([samples[i] for i in known], [found.labeled[i] for i in known])
    return incoherent(samples, novel, found.ood_zscore, least)


def build_taxonomy(found: Found, model: Model) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Return the tables intents and domains, sorted by id."""
    domain_of_label = dict(zip(model.intents, model.domains, strict=True))
    known_domains = [domain_of_label.get(k) if k is not None else None for k in found.known]
    linked = link_domains(
        _encoder_centroids(found, model), known_domains, model.domain_distance, _CONFIG.domains
    )
    # An intent that is known, but labeled without a domain, is given none.
    no_domain = [
        k is not None and d is None for k, d in zip(found.known, known_domains, strict=True)
    ]
    groups: dict[str | int, list[int]] = {}
    for i, domain in enumerate(linked):
        if not no_domain[i]:
            groups.setdefault(domain, []).append(i)

    names = _intent_names(found)
    domains = _domains(found, groups, set(filter(None, known_domains)))
    domain_ids = {i: row["domain_id"] for row, group in domains for i in group}
    intents = [
        {
            "intent_id": found.ids[i],
            "name": names[i].name,
            "is_novel": found.known[i] is None,
            "keywords": list(names[i].keywords),
            "exemplars": _exemplars(found.documents[i]),
            "size": int(found.sizes[i, 1]),
            "distinct_size": int(found.sizes[i, 0]),
            "cohesion": _cohesion(found.sizes[i]),
            "radius": float(found.radii[i]),
            "nearest_known_intent": nearest,
            "domain_id": domain_ids.get(i),
        }
        for i, nearest in enumerate(_nearest_known(found))
    ]
    order = sorted(range(len(intents)), key=lambda i: found.ids[i])
    columns = {
        f.name: pa.array([intents[i][f.name] for i in order], f.type)
        for f in tables.INTENTS
        if f.name != "centroid"
    }
    columns["centroid"] = vectors_to_arrow(found.centroids[order]).cast(
        tables.INTENTS.field("centroid").type
    )
    rows = sorted((row for row, _ in domains), key=lambda r: r["domain_id"])
    return (
        pa.RecordBatch.from_pydict(columns, schema=tables.INTENTS),
        pa.RecordBatch.from_pylist(rows, schema=tables.DOMAINS),
    )


def _encoder_centroids(found: Found, model: Model) -> np.ndarray:
    """Return (k, d) means in the encoder's own space: the learned one pulls known intents apart."""
    rows = zip(found.documents, found.labeled, strict=True)
    means = [np.concatenate([d.vectors, x]).astype(np.float64).mean(axis=0) for d, x in rows]
    return np.stack(means) if means else np.zeros((0, model.encoder.sentence_dimension))


def _intent_names(found: Found) -> list[IntentName]:
    """Return the names, keywords and evidence of all intents; known ones keep their labels."""
    taken = {k for k in found.known if k is not None}
    names = name_intents(found.documents, _CONFIG.naming, taken)
    return [
        dataclasses.replace(name, name=label) if label is not None else name
        for name, label in zip(names, found.known, strict=True)
    ]


def _domains(
    found: Found, groups: dict[str | int, list[int]], taken: set[str]
) -> list[tuple[dict, list[int]]]:
    """Return the rows of the table domains, each with its intents."""
    names = name_domains(
        [[found.documents[i] for i in g] for g in groups.values()], _CONFIG.naming, taken
    )
    rows = []
    for (domain, group), name in zip(groups.items(), names, strict=True):
        largest_first = sorted(group, key=lambda i: (-found.sizes[i, 1], found.ids[i]))
        known = domain if isinstance(domain, str) else None
        members = "".join(sorted(found.ids[i] for i in group))
        rows.append(
            (
                {
                    "domain_id": novel_id(members.encode()) if known is None else known_id(known),
                    "name": name.name if known is None else known,
                    "is_novel": known is None,
                    "keywords": list(name.keywords),
                    "intents": [found.ids[i] for i in largest_first],
                    "size": int(found.sizes[group, 1].sum()),
                },
                group,
            )
        )
    return rows


def _exemplars(documents: Documents) -> list[str]:
    chosen = exemplars(documents.vectors, documents.texts, documents.weights, _CONFIG.naming)
    return [documents.texts[i] for i in chosen]


def _cohesion(size: np.ndarray) -> float | None:
    distinct, _, distance = (int(v) for v in size)
    return 1 - mean_distance(distance, distinct) if distinct else None


def _nearest_known(found: Found) -> list[str | None]:
    known = [i for i, label in enumerate(found.known) if label is not None]
    if not known:
        return [None] * len(found.ids)
    vectors = found.centroids.astype(np.float32)
    similarity = vectors @ vectors[known].T
    similarity[known, np.arange(len(known))] = -np.inf
    nearest = similarity.argmax(axis=1)
    return [
        found.known[known[j]] if np.isfinite(similarity[i, j]) else None
        for i, j in enumerate(nearest)
    ]
