"""The types and sizes of the arrays in the file of a model."""

from collections.abc import Sequence


def model_arrays(scores: Sequence[str]) -> dict[str, str]:
    """Return the type of each array and the names of its sizes, in the form of `ArraySpec.of`.

    Args:
        scores: names of the novelty scores.
    """
    return {
        "anchors": "float16 anchors dimension",
        "anchor_labels": "int64 anchors",
        "label_density": "float64 intents",
        "distance.grid": "float64 distances",
        "distance.quality": "float64 folds distances",
        "head.weight_in": "float32 hidden dimension",
        "head.bias_in": "float32 hidden",
        "head.weight_out": "float32 learned hidden",
        "head.bias_out": "float32 learned",
        "heads.weight_in": "float16 heads heads_hidden dimension",
        "heads.bias_in": "float16 heads heads_hidden",
        "heads.weight_out": "float16 heads heads_learned heads_hidden",
        "heads.bias_out": "float16 heads heads_learned",
        "novelty.threshold": "float64 one",
        "novelty.calibration": "float64 two",
        **{f"novelty.weights.{name}": "float64 one" for name in scores},
        **{f"novelty.scales.{name}": "float64 two" for name in scores},
        "novelty.scorers.mahalanobis.means": "float64 intents dimension",
        "novelty.scorers.mahalanobis.mean": "float64 dimension",
        "novelty.scorers.mahalanobis.within": "float64 dimension dimension",
        "novelty.scorers.mahalanobis.overall": "float64 dimension dimension",
        "novelty.scorers.exemplars": "float16 exemplars dimension",
        "novelty.scorers.learned_exemplars": "float16 exemplars space",
        "novelty.scorers.exemplar_classes": "int64 exemplars",
        "novelty.scorers.centers": "float32 intents space",
        "novelty.scorers.neighbors": "int64 one",
        "novelty.scorers.rivals": "int64 one",
        "novelty.scorers.character_weight": "float64 one",
        "novelty.scorers.characters.rarity": "float32 buckets",
        "novelty.scorers.characters.values": "float32 weights",
        "novelty.scorers.characters.buckets": "int32 weights",
        "novelty.scorers.characters.ends": "int32 character_labels",
        "novelty.scorers.characters.classes": "int64 character_labels",
        "novelty.scorers.characters.lengths": "int64 two",
        "novelty.scorers.space.weight_in": "float32 space_hidden dimension",
        "novelty.scorers.space.bias_in": "float32 space_hidden",
        "novelty.scorers.space.weight_out": "float32 space space_hidden",
        "novelty.scorers.space.bias_out": "float32 space",
        "novelty.scorers.open_set.weights": "float32 intents_and_open dimension",
        "novelty.scorers.open_set.biases": "float32 intents_and_open",
        "conversation.weights": "float64 classes conversation_inputs",
        "conversation.biases": "float64 classes",
        "directions.sentence": "float32 sentence_directions sentence",
        "directions.middle": "float32 middle_directions middle",
    }
