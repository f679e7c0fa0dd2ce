"""The middle layer of a sentence encoder, beside the vector that it was trained to give.

The last layer says of a text what its training asked for, paraphrase or search. What else the text
holds, which words and how they are put, is plainer in the layers below, and those in the middle
serve other tasks best (Liu et al., NAACL 2019, arXiv 1903.08855). It costs no further pass.
"""

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# What Transformer modules call the states of all layers.
_LAYERS = "all_layer_embeddings"


class MiddleLayer(torch.nn.Module):
    """Last module of a SentenceTransformer: sentence vector and middle layer as one unit vector.

    First comes the sentence vector, then the mean of the tokens in the middle layer; both have the
    same norm.

    Attributes:
        sentence: length of the sentence vector.
        middle: length of what comes after.
    """

    def __init__(self, sentence: int, middle: int):
        """Take the lengths of both."""
        super().__init__()
        self.sentence, self.middle = sentence, middle

    def get_embedding_dimension(self) -> int:
        """Tell the SentenceTransformer how long its vectors are now."""
        return self.sentence + self.middle

    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Set the middle layer beside the sentence vector."""
        layers = features[_LAYERS]
        mask = features["attention_mask"][..., None].float()
        middle = (layers[len(layers) // 2].float() * mask).sum(1) / mask.sum(1).clamp(min=1)
        parts = (features["sentence_embedding"].float(), middle)
        whole = torch.cat([functional.normalize(part, dim=1) for part in parts], dim=1)
        return features | {"sentence_embedding": functional.normalize(whole, dim=1)}


def add_middle_layer(model: "SentenceTransformer") -> None:
    """Let an encoder give its middle layer, too; one that is not made of layers stays as it is."""
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
        # Code that came with a checkpoint may keep its layers to itself.
        config.output_hidden_states = False
        model.pop(-1)
