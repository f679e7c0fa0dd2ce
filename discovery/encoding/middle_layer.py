"""The middle layer of a sentence encoder, added to its sentence vector.

The last layer is specialized on the training task, such as paraphrase or search. Lower layers keep
more of the wording, and middle layers transfer best to other tasks (Liu et al., NAACL 2019, arXiv
1903.08855). They come from the same forward pass.
"""

from typing import TYPE_CHECKING

import torch
from sentence_transformers.util import batch_to_device
from torch.nn import functional

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# Feature in which Transformer modules return the states of all layers.
_LAYERS = "all_layer_embeddings"


class MiddleLayer(torch.nn.Module):
    """Last module of a SentenceTransformer: joins sentence vector and middle layer.

    The result is a unit vector of two parts of the same norm: the sentence vector, and the mean of
    the tokens in the middle layer.

    Attributes:
        sentence: length of the sentence vector.
        middle: length of the second part.
    """

    def __init__(self, sentence: int, middle: int):
        """Make a module for vectors of these lengths."""
        super().__init__()
        self.sentence, self.middle = sentence, middle

    def get_embedding_dimension(self) -> int:
        """Return the length of the joined vector, as SentenceTransformer asks for it."""
        return self.sentence + self.middle

    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Replace the sentence vector by the joined vector."""
        layers = features[_LAYERS]
        mask = features["attention_mask"][..., None].float()
        middle = (layers[len(layers) // 2].float() * mask).sum(1) / mask.sum(1).clamp(min=1)
        parts = (features["sentence_embedding"].float(), middle)
        whole = torch.cat([functional.normalize(part, dim=1) for part in parts], dim=1)
        return features | {"sentence_embedding": functional.normalize(whole, dim=1)}


def add_middle_layer(model: "SentenceTransformer") -> None:
    """Add the middle layer to an encoder in place; an encoder without layers does not change."""
    config = getattr(getattr(model[0], "auto_model", None), "config", None)
    sentence = model.get_embedding_dimension()
    if config is None or sentence is None:
        return
    config.output_hidden_states = True
    middle = _middle_width(model)
    if middle is None:
        config.output_hidden_states = False
        return
    model.append(MiddleLayer(sentence, middle))


def _middle_width(model: "SentenceTransformer") -> int | None:
    """Return the length of a token's vector in the middle layer.

    Returns:
        None if the first module does not return its layers, as custom code of a checkpoint may do;
        if it has fewer than two; or if the middle layer has other tokens than the input.
    """
    with torch.inference_mode():
        features = model[0](batch_to_device(model.preprocess(["a b c"]), model.device))
    # The first of the layers is the input of the network.
    layers, mask = features.get(_LAYERS), features.get("attention_mask")
    if layers is None or mask is None or len(layers) - 1 < 2:
        return None
    middle = layers[len(layers) // 2]
    return middle.shape[-1] if middle.shape[:2] == mask.shape else None
