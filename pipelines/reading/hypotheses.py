"""N-best lists: the hypotheses of a speech recognizer for one utterance.

A list holds strings, the best one first, or objects with a transcript and a confidence. Speech
services name these differently; the names below cover Google, Amazon, Azure, Vosk and the DSTC.
"""

import math
from typing import Any

# A list of hypotheses may stand inside an object, under one of these keys.
_LISTS = ("alternatives", "nbest", "n_best", "hypotheses", "hyps", "asr_hyps")
_TRANSCRIPTS = ("transcript", "hypothesis", "hyp", "asr_hyp", "display", "lexical", "text")
_CONFIDENCES = ("confidence", "score", "probability", "log_probability", "logprob")
# A text under this key is a hypothesis only if it has a confidence: messages have texts, too.
_NEEDS_CONFIDENCE = "text"


def best_hypothesis(value: Any) -> str | None:
    """Return the most confident hypothesis of an n-best list, or None if the value is no such list.

    The first one counts where confidences are missing or equal.

    >>> best_hypothesis(["pay my bill", "play my bill"])
    'pay my bill'
    >>> best_hypothesis([{"text": "a", "score": -3.5}, {"text": "b", "score": -1.5}])
    'b'
    """
    if isinstance(value, dict):
        members = _simple_names(value)
        value = next((members[name] for name in _LISTS if name in members), None)
    if not isinstance(value, list) or not value:
        return None
    hypotheses = [_hypothesis(element) for element in value]
    readable = [h for h in hypotheses if h is not None]
    if len(readable) < len(hypotheses):
        return None
    confidences = [confidence for confidence, _ in readable]
    return readable[confidences.index(max(confidences))][1]


def _hypothesis(element: Any) -> tuple[float, str] | None:
    """Return (confidence, text); the confidence is -inf where there is none."""
    if isinstance(element, str):
        return -math.inf, element
    if not isinstance(element, dict):
        return None
    members = _simple_names(element)
    confidences = [_number(members[name]) for name in _CONFIDENCES if name in members]
    for name in _TRANSCRIPTS:
        text = members.get(name)
        if isinstance(text, str) and (name != _NEEDS_CONFIDENCE or confidences):
            return max(confidences, default=-math.inf), text
    return None


def _simple_names(members: dict[Any, Any]) -> dict[str, Any]:
    return {str(k).lower().replace("-", "_"): v for k, v in members.items()}


def _number(value: Any) -> float:
    """Return a confidence; -inf for a value that is no number."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return -math.inf
    return -math.inf if math.isnan(number) else number
