"""Texts that hold several requests, such as "cancel my order and get a refund".

Such a text is assigned as a whole, to the intent nearest to it. The rule only flags it: two clauses
in a row have enough words, and both begin as requests do. Clauses end with a sentence or before a
conjunction. The lists are our own; figures are in benchmarks/history.md, *Several requests*.
"""

import itertools
import re

# For each language: conjunctions between requests, and how a request begins. A romance infinitive
# ("recibir un reembolso") begins a request, so its ending stands for many verbs.
_LANGUAGES = {
    "en": (
        "and|and also|and then|also|plus",
        r"(i|we)('d| would)? (want|need|wanna|like)|i'm (looking|trying)|can|could|would|will"
        r"|what|what's|how|how's|when|where|where's|why|who|which|is|are|does|do (i|you|we)"
        r"|tell|show|give|get|send|make|set|add|remove|delete|cancel|change|update|book|find"
        r"|check|play|turn|call|open|close|pay|transfer|order|buy|return|refund|track|remind"
        r"|schedule|reschedule|reserve|translate|explain|let me|help me|stop|start|renew",
    ),
    "de": (
        "und|und dann|und auch|außerdem",
        "ich (will|möchte|brauche|würde|hätte)|kann|kannst|können|könnte|könnten|was|wie|wann|wo"
        "|warum|wer|welche[rs]?|ist|sind|gibt|gib|zeig|zeige|sag|schick|mach|stell|buche|storniere"
        "|ändere|lösche|suche|finde|spiel|erinnere",
    ),
    "es": (
        "y|y también|además",
        "(yo )?(quiero|quisiera|necesito|me gustaría)|puedo|puedes|puede|podría|qué|que|cómo|como"
        r"|cuándo|cuando|dónde|donde|cuál|cuánto|por qué|dime|muestra|pon|\w{3,}[aei]r",
    ),
    "fr": (
        "et|et aussi|puis",
        "je (veux|voudrais|souhaite)|j'aimerais|j'ai besoin|peux|pouvez|puis-je|pourriez"
        r"|quel(le)?s?|comment|quand|où|pourquoi|combien|est-ce|dis|donne|montre|mets|\w{3,}(er|ir|re)",
    ),
    "pt": (
        "e|e também|além disso",
        "(eu )?(quero|queria|gostaria|preciso)|posso|pode|poderia|o que|como|quando|onde|qual"
        r"|quanto|por que|me (diga|mostre)|\w{3,}[aei]r",
    ),
    "it": (
        "e|e anche|inoltre",
        "(io )?(voglio|vorrei|devo)|ho bisogno|posso|puoi|può|potrebbe|cosa|come|quando|dove|qual"
        r"|quale|quanto|perché|dimmi|mostra|metti|\w{3,}[aei]re",
    ),
}
_POLITE = r"(please|pls|bitte|por favor|per favore|s'il (te|vous) plaît|also|then|hi|hello|hey)"
_RULES = [
    (
        re.compile(rf"[.?!;¿¡\n]+|\b(?:{conjunctions})\b"),
        re.compile(rf"\W*(?:{_POLITE}\b\W*)*(?:{beginnings})\b"),
    )
    for conjunctions, beginnings in _LANGUAGES.values()
]


def has_several_requests(text: str, min_words: int) -> bool:
    """Return True if two clauses in a row have enough words and begin as requests do.

    Args:
        text: an utterance.
        min_words: fewest words of a request.
    """
    if len(text.split()) < 2 * min_words:
        return False
    folded = text.casefold().replace("’", "'")
    return any(
        first and second
        for ends, begins in _RULES
        for first, second in itertools.pairwise(
            len(clause.split()) >= min_words and begins.match(clause) is not None
            for clause in ends.split(folded)
            if clause.strip()
        )
    )
