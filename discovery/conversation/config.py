"""The tunables of this package, which `advin.discovery.config` includes."""

from dataclasses import dataclass
from typing import Literal

from advin.discovery.compute.tunables import Section, fraction, tunable


@dataclass(frozen=True, slots=True)
class ConversationConfig(Section):
    """Which utterances are conversational: greetings, thanks, bare answers and the like."""

    rules: Literal["all", "phrases", "none"] = tunable(
        "all", "all: phrases and the learned rule; phrases: only these; none: no rule"
    )
    max_words: int = tunable(40, "longest utterance that phrases match", "words", 1)
    max_answer_words: int = tunable(8, "longest utterance that the learned rule marks", "words", 1)
    max_name_words: int = tunable(3, "longest name after a lead-in", "words", 1)
    max_code: int = tunable(3, "longest part of a code without a digit", "characters", 0)
    min_corrected: int = tunable(5, "shortest word that is corrected or split", "characters", 2)
    min_split: int = tunable(3, "shortest phrase that a word is split for", "characters", 2)
    max_parts: int = tunable(4, "most words that are split from one", "words", 1)
    max_requests: float = fraction(0.03, "most requests that the learned rule marks")
    max_labeled: float = fraction(0.01, "most labeled utterances that the learned rule marks")
    min_probability: float = fraction(0.73, "least probability that the learned rule marks")
    folds: int = tunable(3, "parts of the phrase set; each is held out once", low=2)
    inverse_regularization: float = tunable(1.0, "C of the logistic regression", low=1e-6)
    max_iterations: int = tunable(1000, "most iterations of the regression", low=1)
    other_languages: float = fraction(0.01, "weight of requests in other languages than English")
    phrase_share: int = tunable(4, "one of so many phrases trains the learned rule", low=1)
    intent_share: float = fraction(
        0.5, "share of an intent's labels above which it is a conversational intent"
    )
    category_share: float = fraction(
        0.2, "share of such an intent's labels above which it owns a category"
    )
