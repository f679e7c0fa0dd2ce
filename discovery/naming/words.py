"""Words of utterances: splitting, base forms, and function words.

Endings and the function words of names are English. Words of other languages keep their endings;
their stop words are those of Stopwords ISO.
"""

import re
from collections.abc import Collection
from functools import cache, lru_cache
from itertools import chain

from stopwordsiso import has_lang, stopwords

from advin.discovery.text.cleaning import CACHED_WORDS, normalize
from advin.discovery.text.placeholders import without_placeholders

# Words that no name needs, because they carry no topic.
DROPPED = frozenset(
    """a an the this that these those my your his her its our their mine yours i me we us you he him
    she it they them myself yourself am is are was were be been being do does did doing done have
    has had having can could will would shall should may might must want wants wanted need needs
    needed wanna gonna gotta please pls plz kindly just also really very so too some any there here
    im ive id ill youre thats and or but if then than because as while let lets get got getting
    like know help makes go going thing things something anything much many more most such about
    into onto s t re ve ll d m u ur able via per both each every other another still now again
    already yet even only well oh um uh hmm ok okay sure maybe give see look think try trying tried
    way possible right next currently actually""".split()
)


# Words allowed inside a name, and at its end if they end the utterance ("turn lights on").
INNER = frozenset(
    """to of in on at for from by with without up out off over down under not no between after
    before during until through""".split()
)


# Inner words that end a name wherever they follow its last word ("verify top up").
PARTICLES = frozenset("up out off down over".split())


# Question words, which may begin a name; their short forms are expanded.
ASKING = frozenset("how what when where who why which whose".split())


_SHORTENED = {f"{word}s": (word, "is") for word in ("how", "what", "when", "where", "who")}


_NEGATED = frozenset(
    """isnt arent wasnt werent dont doesnt didnt cant cannot couldnt wont wouldnt shouldnt hasnt
    havent hadnt aint never""".split()
)


# Words of requests that Stopwords ISO lacks, and nouns in its lists that do name intents.
_REQUESTING = frozenset(
    """quiero quisiera necesito puedo puedes podría favor ayuda gracias hola dime qué cómo
    cuál dónde cuándo möchte bitte brauche benötige danke hallo gerne würde kannst voudrais
    veux besoin merci bonjour plaît svp quero queria preciso gostaria posso obrigado olá
    vorrei voglio bisogno grazie ciao potrei puoi wil graag kan bedankt""".split()
)
_NOUNS = frozenset(
    """cuenta estado trabajo parte tiempo lugar zeit tag jahr uhr compte état travail temps
    conta estado trabalho tempo lugar conto stato lavoro tempo luogo anno giorno""".split()
)


FUNCTION = DROPPED | INNER | ASKING


# Words that look like plurals but are not.
_NO_PLURALS = frozenset({"news"})


# Everything except white space, punctuation and symbols; marks of other scripts stay in words.
_WORD = re.compile(
    "[^\\s!-&(-/:-@\\[-`{-\u00bf\u00d7\u00f7\u2010-\u206f\u20a0-\u2bff\u3000-\u3004\u3008-\u3020"
    "\u30fb\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65\u060c\u061b\u061f\u0964\u0965]+"
)


_APOSTROPHES = re.compile("[\u2018\u2019\u02bc`]")


def split_words(text: str) -> list[str]:
    """Split a text into case-folded words, without numbers and placeholders.

    Negations become "not".
    """
    runs = _WORD.findall(_APOSTROPHES.sub("'", normalize(without_placeholders(text))))
    return list(chain.from_iterable(map(_words_in, runs)))


@lru_cache(maxsize=CACHED_WORDS)
def _words_in(run: str) -> tuple[str, ...]:
    words: list[str] = []
    for word in run.replace("n't", "nt").split("'"):
        if word in _SHORTENED:
            words.extend(_SHORTENED[word])
        elif word == "s" and words and words[-1] in ASKING:
            words.append("is")
        elif word in _NEGATED:
            words.append("not")
        elif any(map(str.isalpha, word)):
            words.append(word)
    return tuple(words)


@cache
def stop_words(languages: tuple[str, ...]) -> frozenset[str]:
    """Return the words that carry no topic in some languages other than English.

    Args:
        languages: ISO 639 codes.
    """
    listed = {language for language in languages if language != "en" and has_lang(language)}
    if not listed:
        return frozenset()
    return (frozenset(stopwords(listed)) | _REQUESTING) - _NOUNS


def base_form(word: str, vocabulary: Collection[str], min_stem: int) -> str:
    """Return the base form of an English word.

    Args:
        word: a case-folded word.
        vocabulary: all words of all utterances.
        min_stem: characters of the shortest base form.

    Returns:
        the base form if it is in the vocabulary, else the word.
    """
    while (base := _base(word, vocabulary, min_stem)) is not None:
        word = base
    return word


def _base(word: str, vocabulary: Collection[str], min_stem: int) -> str | None:
    """Return the word without its last ending; None if that is not in the vocabulary."""
    if not word.isascii() or word in FUNCTION or word in _NO_PLURALS:
        return None
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        options = [word[:-1], word[:-2] if word.endswith("es") else "", _with_y(word, "ies")]
    elif word.endswith("ing"):
        options = [stem := word.removesuffix("ing"), stem + "e", _undoubled(stem)]
    elif word.endswith("ed"):
        options = [word[:-1], stem := word[:-2], _undoubled(stem), _with_y(word, "ied")]
    else:
        return None
    found = (o for o in options if len(o) >= min_stem and o in vocabulary and o not in FUNCTION)
    return next(found, None)


def _undoubled(stem: str) -> str:
    return stem[:-1] if stem[-1:] == stem[-2:-1] else ""


def _with_y(word: str, ending: str) -> str:
    return word[: -len(ending)] + "y" if word.endswith(ending) else ""


def has_meaning(lemma: str, max_length: int) -> bool:
    """True if a base form of at most `max_length` characters can carry the topic."""
    if lemma in FUNCTION or len(lemma) > max_length:
        return False
    return len(lemma) > 1 or not lemma.isascii()
