"""Apply a model or a finished run to texts: the core of `assign` and of the transforms for Beam."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from advin.discovery.config import Config
from advin.pipelines.errors import SettingsError

if TYPE_CHECKING:
    import numpy as np

    from advin.discovery.encoding.encoder import Encoder
    from advin.discovery.intents.assignment import Intents
    from advin.discovery.intents.outcomes import Outcomes
    from advin.discovery.model import Model
    from advin.schemas.manifest import RunManifest

THREADS = 2
KNOWN_COLUMNS = ("known_intent", "probability", "novelty_score")
INTENT_COLUMNS = ("intent_id", "name", "kind", "reason", "distance", "domain")


@dataclass(frozen=True)
class TextEncoder:
    """An encoder by name, which is loaded once a process.

    Attributes:
        name: hub id or folder of a SentenceTransformer; None for the default.
        precision: "fp32" or "bf16"; None for the best one of this processor.
        threads: processor threads.
    """

    name: str | None = None
    precision: str | None = None
    threads: int = THREADS

    def load(self) -> "Encoder":
        """Load the encoder.

        Raises:
            SettingsError: if it cannot be loaded.
        """
        from advin.discovery.encoding.encoder import EncoderError, load_encoder

        try:
            return load_encoder(self.name, self.threads, self.precision)
        except EncoderError as error:
            raise SettingsError(str(error)) from error

    def encode(
        self, texts: Sequence[str | None], config: Config
    ) -> "tuple[np.ndarray, list[str], np.ndarray]":
        """Encode the usable ones among some texts, each distinct one once.

        Args:
            texts: (n,) texts; None, empty and oversized ones are not usable.
            config: how texts are prepared, and which are oversized.

        Returns:
            (m,) int64 positions of the usable texts, the (m,) texts as they were encoded, and
            their (m, d) float16 unit vectors.
        """
        import numpy as np
        import pyarrow as pa

        from advin.discovery.text.cleaning import normalize
        from advin.discovery.text.preparation import prepare
        from advin.pipelines.embed import encode_batch
        from advin.schemas.batches import vectors_from_arrow
        from advin.schemas.ids import utterance_id

        longest = config.text.max_characters
        results = [prepare(text or "", config.masking, longest) for text in texts]
        rows = [i for i, result in enumerate(results) if result.defect is None]
        prepared = [result.text for result in results]
        first: dict[str, int] = {}
        for i in rows:
            first.setdefault(prepared[i], len(first))
        encoder = self.load()
        if not first:
            return np.zeros(0, np.int64), [], np.zeros((0, encoder.dimension), np.float16)
        ids = [utterance_id(normalize(text)) for text in first]
        batch = pa.RecordBatch.from_pydict({"utterance_id": ids, "text": list(first)})
        vectors = vectors_from_arrow(
            encode_batch(batch, encoder, config.text.piece_words).column("vector")
        )
        usable = [prepared[i] for i in rows]
        return np.array(rows, np.int64), usable, vectors[[first[text] for text in usable]]


@dataclass(frozen=True)
class KnownIntents:
    """Scores of texts against the known intents of a model.

    Attributes:
        folder: the model's folder.
        threads: processor threads of the encoder.
    """

    folder: str
    threads: int = THREADS

    @property
    def model(self) -> "Model":
        """The model, read once a process."""
        from advin.pipelines.models import load_model

        return load_model(self.folder)

    @property
    def encoder(self) -> TextEncoder:
        """The encoder that the model was fitted on."""
        identity = self.model.encoder
        return TextEncoder(identity.name, identity.precision, self.threads)

    def check_encoder(self) -> None:
        """Raise SettingsError if the encoder of that name is another one than in the fit."""
        from advin.discovery.encoding.identity import EncoderIdentity
        from advin.discovery.model import ModelError

        try:
            self.model.encoder.check_same(EncoderIdentity.of(self.encoder.load()))
        except ModelError as error:
            raise SettingsError(str(error)) from error

    def assign(self, texts: Sequence[str | None]) -> list[dict[str, Any]]:
        """Return known_intent, probability and novelty_score of each text.

        All are None for a text that is not usable, and for a model without known intents.
        """
        rows, usable, vectors = self.encoder.encode(texts, self.model.config)
        return self.score(len(texts), rows, usable, vectors)

    def score(
        self, n: int, rows: "np.ndarray", usable: Sequence[str], vectors: "np.ndarray"
    ) -> list[dict[str, Any]]:
        """Score n texts, of which some rows are usable and have vectors."""
        from advin.discovery.encoding.texts import EmbeddedTexts

        results: list[dict[str, Any]] = [dict.fromkeys(KNOWN_COLUMNS) for _ in range(n)]
        novelty = self.model.novelty
        if novelty is not None and len(rows):
            scores = novelty.score(EmbeddedTexts(usable, self.model.neutral(vectors)))
            for j, i in enumerate(rows):
                results[i] = {
                    "known_intent": self.model.intents[int(scores.best_class[j])],
                    "probability": float(scores.probability[j]),
                    "novelty_score": float(scores.score[j]),
                }
        return results


@dataclass(frozen=True)
class RunIntents:
    """Assigns texts to the intents of a finished run, known and novel.

    Attributes:
        folder: the run's folder.
        threads: processor threads of the encoder.
    """

    folder: str
    threads: int = THREADS

    @cached_property
    def known(self) -> KnownIntents:
        """The model of the run: the one in its folder, or else the one that it was given."""
        from advin.pipelines import storage
        from advin.pipelines.models import model_exists

        inside = storage.join(self.folder, "model")
        found = inside if model_exists(inside) else manifest_of(self.folder).model["folder"]
        return KnownIntents(found, self.threads)

    def check_encoder(self) -> None:
        """Raise SettingsError if the encoder is another one than in the fit."""
        self.known.check_encoder()

    def assign(self, texts: Sequence[str | None]) -> list[dict[str, Any]]:
        """Return intent_id, name, kind, reason, distance and domain of each text.

        All are None for a text that is not usable.
        """
        import numpy as np

        from advin.discovery.encoding.texts import EmbeddedTexts
        from advin.discovery.intents.assignment import assign, assign_leaves
        from advin.discovery.intents.outcomes import verdicts_on

        model = self.known.model
        rows, usable, vectors = self.known.encoder.encode(texts, model.config)
        results: list[dict[str, Any]] = [dict.fromkeys(INTENT_COLUMNS) for _ in texts]
        if not len(rows):
            return results
        intents, outcomes, names = _intents(self.folder)
        categories = model.conversational(usable, vectors)
        is_conversational = np.array([category is not None for category in categories], bool)
        neutral = model.neutral(vectors)
        scores = None
        if model.novelty is not None:
            scores = model.novelty.score(EmbeddedTexts(usable, neutral))
        learned = model.head.transform(neutral)
        assigned = assign(learned, intents, model.config.intents, scores, is_conversational)
        leaves = assign_leaves(learned, intents, assigned, model.config.intents)
        found = verdicts_on(assigned, leaves, outcomes, categories, most=1)
        for j, i in enumerate(rows):
            intent, domain = found.intent_id[j], found.domain_id[j]
            results[i] = {
                "intent_id": intent,
                "name": names.get(intent),
                "kind": found.kind[j],
                "reason": found.reason[j],
                "distance": found.intent_distance[j],
                "domain": names.get(domain),
            }
        return results


def manifest_of(folder: str) -> "RunManifest":
    """Return the manifest of a finished run.

    Raises:
        SettingsError: if there is none, or it cannot be read.
    """
    from advin.pipelines.report import read_run
    from advin.schemas.manifest import ManifestError

    try:
        manifest = read_run(folder)
    except ManifestError as error:
        raise SettingsError(f"cannot read the run in {folder}: {error}") from error
    if manifest is None:
        raise SettingsError(f"no finished run in {folder}: make one with advin.discover")
    return manifest


def forget_folders() -> None:
    """Forget the intents read from runs, because a new run may replace them."""
    _intents.cache_clear()


@lru_cache(maxsize=2)
def _intents(folder: str) -> "tuple[Intents, Outcomes, dict[str | None, str]]":
    """Return a run's clusters, the outcomes of its leaves, and names of intents and domains."""
    from advin.pipelines import storage
    from advin.pipelines.assemble import outcomes_from_arrow
    from advin.pipelines.cluster import CENTROIDS, PARTS, intents_from_arrow
    from advin.pipelines.report import read_table
    from advin.pipelines.stages import Stage

    manifest = manifest_of(folder)
    stage = Stage(storage.join(folder, "stages", "cluster"))
    written, files = stage.manifest(), []
    for name in (CENTROIDS, PARTS):
        path = storage.join(stage.part().folder, name)
        if written is None or not storage.exists(path):
            raise SettingsError(
                f"{path} is missing: keep the folder stages of a run to assign texts"
            )
        storage.check_mark(path, written.marks.get(f"data/{name}"))
        files.append(storage.read_parquet(path))
    intents, domains, dropped, levels = (
        read_table(folder, manifest, name) for name in ("intents", "domains", "dropped", "levels")
    )
    names: dict[str | None, str] = {}
    for table, key in ((intents, "intent_id"), (domains, "domain_id")):
        names |= dict(zip(table[key].to_pylist(), table["name"].to_pylist(), strict=True))
    clusters, parts = files
    outcomes = outcomes_from_arrow(clusters, parts, intents, dropped, levels)
    return intents_from_arrow(clusters, parts), outcomes, names
