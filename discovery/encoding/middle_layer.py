"""The middle layer of a sentence encoder, added to its sentence vector.

The last layer is specialized on the training task, such as paraphrase or search. Lower layers keep
more of the wording, and middle layers transfer best to other tasks (Liu et al., NAACL 2019, arXiv
1903.08855). They come from the same forward pass.
"""

from typing import TYPE_CHECKING

import torch
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
    if config is None or sentence is None or getattr(config, "num_hidden_layers", 0) < 2:
        return
    config.output_hidden_states = True
    model.append(MiddleLayer(sentence, config.hidden_size))
    try:
        model.encode(["a"], show_progress_bar=False)
    except KeyError as error:
        if error.args != (_LAYERS,):
            raise
        # Custom code of a checkpoint may not return its layers.
        config.output_hidden_states = False
        model.pop(-1)
