"""The rule for names of people: lists of names, context and capital letters.

A word begins a name if it is a first name that seldom means anything else, if it follows words such
as "my name is", or if its capital letter within a sentence confirms it. Further words belong to the
name if they can be surnames.
"""

import re

from advin.discovery.text.config import MaskingConfig
from advin.discovery.text.lexicon import Traits, lexicon
from advin.discovery.text.wordlists import word_list

_PLACEHOLDER = "[name]"
_WORD = re.compile(r"\[[a-z]+\]|(?<!\w)[^\W\d_]+(?:[-'’](?!s\b)[^\W\d_]+)*(?!\w)")
# After these words follows a name, unless a common word does.
_NAMING = re.compile(
    r"""\b(?:(?:first|last|sur|full|middle|family|maiden)?\s?name(?:\s?(?:is|was)|'?s|\sof|(?=\s?[:=]))
    | named | mr | mrs | ms | miss | mister | dr | prof | herr | frau | se[ñn]or | se[ñn]ora | sra
    | dra | srta | mlle | dhr | mevr | meneer | mevrouw | fru
    | monsieur | madame | mme | signora? | dott | me\sllamo | nombre\ses | ich\shei(?:ß|ss)e
    | name\sist | m['’]appelle | nom\sest | mi\schiamo | nome\s[èe] | nome\s[ée] | me\schamo
    | chamo-me)\b(?:(?<!name)(?<!names)\.)?[\s:=,-]*""",
    re.IGNORECASE | re.VERBOSE,
)
# Each match of the expression above has one of these words.
_NAMING_WORDS = frozenset(
    """name names lastname firstname surname named mr mrs ms miss mister dr prof herr frau señor
    senor señora senora sra monsieur madame mme signor signora dott dra srta mlle dhr
    mevr meneer mevrouw fru llamo nombre heiße heisse m'appelle m’appelle
    appelle nom chiamo nome chamo chamo-me""".split()
)
# After these words often follows a name.
_HINTS = frozenset(
    """im hi hello hey hiya dear yo thanks thx regards sincerely cheers yours hallo hola bonjour
    ciao olá oi liebe lieber gracias danke merci grazie obrigado obrigada grüße gruß saludos c'est
    atentamente cordialement soy sono sou""".split()
)
_HINTS_OF_TWO = frozenset(
    tuple(pair.split())
    for pair in ("i am", "this is", "thank you", "ich bin", "hier ist", "je suis", "aquí es")
)
_ENDS = re.compile(r"\s*(?:[.,;:!?)]|$|-\s|(?:and|from|here|calling|speaking|y|und|et|e)\b)")
# The word before is a part of a file name or a code.
_IN_TOKEN = re.compile(r"[-_/]\w")
_PARTICLES = frozenset(
    "de del de la los las da das do dos di du van von der den ten ter el al bin ibn le st".split()
)
# After these particles stands a surname, even if it is a common word.
_SURNAME_PARTICLES = frozenset("van von der den ter ten da das dos".split())
_BEFORE_PLACES = frozenset(
    "san santa saint st los las fort new mount lake north south port".split()
)
_ARTICLES = frozenset(
    """the a an my your our his her their this that these der die das den dem ein eine mein meine
    el la un una mi tu su le les une mon ma il lo o os uma meu minha""".split()
)
_TITLE = re.compile(
    r"""(?:\b(?:mr|mrs|ms|miss|mister|dr|prof|herr|frau|sra?|se[ñn]ora?|do[ñn]a|monsieur|madame|mme
        |sig|sig\.ra|signora?|dott|dom|ing|dipl\.-ing|univ\.prof|dra|profa|srta|mlle|dhr|mevr?
        |mej|meneer|mevrouw|drs|ir|hr|fru|frk|fr[öø]ken|pani?|mgr|in[żz]
        |bay|bayan|av|doç)\.?[ ])+$""",
    re.IGNORECASE | re.VERBOSE,
)
_SUFFIX = re.compile(
    r"(?:,?[ ](?:(?:jr|sr|ii|iii|iv|md|dds|dvm|phd|mba)\b|[bm]\.(?:a|sc|eng)\b)\.?)+", re.IGNORECASE
)
# Companies, products and places named after people.
_THINGS = word_list("names", "things")
_BUSINESSES = word_list("names", "businesses")
_BUSINESS = re.compile(rf"(?:['’]s)?\s(?:{'|'.join(sorted(_BUSINESSES))})\b", re.IGNORECASE)


def mask_names(text: str, config: MaskingConfig) -> str:
    """Replace names of people."""
    words = list(_WORD.finditer(text))
    folded = [word[0].casefold() for word in words]
    known = [*map(lexicon(config), folded)]
    cued = not _NAMING_WORDS.isdisjoint(folded)
    least, most = config.max_unlisted_zipf, config.max_capital_zipf
    if cued or any(k.first or k.common <= (most if k.maybe_first else least) for k in known):
        return _Sentence(text, words, known, config, cued).masked()
    return text


class _Sentence:
    """A text, its words and what is known of each."""

    def __init__(
        self,
        text: str,
        words: list[re.Match[str]],
        known: list[Traits],
        config: MaskingConfig,
        cued: bool,
    ) -> None:
        self._text, self._words, self._known, self._config = text, words, known, config
        capital = [word[0][0].isupper() for word in words]
        # A text in capital letters or in title case says nothing by them.
        cased = 2 * sum(capital) <= len(words) + 1
        self._capital = [c and cased for c in capital]
        self._acronym = [cased and len(w[0]) > 1 and w[0].rstrip("s").isupper() for w in words]
        self._cued = {match.end() for match in _NAMING.finditer(text)} if cued else set()

    def masked(self) -> str:
        """Return the text with its names replaced, and with them titles such as "Dr."."""
        parts, done, i = [], 0, 0
        while i < len(self._words):
            if not self._begins(i):
                i += 1
                continue
            last = self._last(i)
            start, end = self._words[i].start(), self._words[last].end()
            if self._is_thing(start, end):
                i = last + 1
                continue
            if title := _TITLE.search(self._text, done, start):
                start = title.start()
            if suffix := _SUFFIX.match(self._text, end):
                end = suffix.end()
            parts += [self._text[done:start], _PLACEHOLDER]
            done, i = end, last + 1
        return "".join([*parts, self._text[done:]]) if parts else self._text

    def _is_thing(self, start: int, end: int) -> bool:
        """True if a name, with "'s" behind it or without, is one of a company, product or place."""
        before, after = self._text[:start].split()[-1:], self._text[end:].split()[:1]
        spelled = self._text[start:end].split()
        phrases = (spelled, before + spelled, spelled + after)
        names = ["_".join(words).casefold().replace(".", "") for words in phrases]
        behind = self._text[end : end + 2].casefold().replace("’", "'")
        # Such as "a table at tony's".
        if behind == "'s" and len(spelled) == 1 and [w.casefold() for w in before] == ["at"]:
            return True
        is_listed = any(name in _THINGS or name + behind in _THINGS for name in names)
        return is_listed or _BUSINESS.match(self._text, end) is not None

    def _begins(self, i: int) -> bool:
        """True if a name begins with word i."""
        word, known, config = self._words[i], self._known[i], self._config
        if word[0][0] == "[" or len(word[0]) == 1 or self._acronym[i] or self._is_place(i):
            return False
        if _IN_TOKEN.match(self._text, word.end()):
            return False
        if known.first:
            return not self._is_common_noun(i)
        if word.start() in self._cued:
            if not (known.maybe_first or known.last):
                return known.common <= config.max_surname_zipf
            if known.plausible or self._capital[i]:
                return True
            is_possible = known.common <= config.max_capital_zipf
            return is_possible and known.english <= config.max_cued_zipf
        if known.common > config.max_capital_zipf:
            return False
        inside = self._capital[i] and not self._starts_sentence(i) and not self._follows_article(i)
        if known.maybe_first:
            return self._has_surname(i) or (
                not known.elsewhere
                and ((inside and known.plausible) or (self._ends_clause(i) and self._hinted(i)))
            )
        if known.common > config.max_unlisted_zipf or not inside:
            return False
        return self._has_surname(i) or (self._ends_clause(i) and self._hinted(i))

    def _has_surname(self, i: int) -> bool:
        """True if a surname follows word i, which may be a first name."""
        j = self._next(i)
        if j is None or self._known[j].elsewhere or self._capital[i] != self._capital[j]:
            return False
        first, last, config = self._known[i], self._known[j], self._config
        is_rare = last.common <= config.max_pair_zipf or (
            last.last
            and last.english <= config.max_pair_zipf
            and last.common <= config.max_foreign_zipf
        )
        if not self._capital[i]:
            return (last.last or last.maybe_first) and (
                is_rare or (last.frequent and first.plausible and self._ends_clause(j))
            )
        if first.elsewhere:
            return first.maybe_first and last.last and (is_rare or last.frequent)
        if last.common > config.max_surname_zipf and not last.frequent:
            return first.maybe_first and last.last
        return first.maybe_first or last.last or last.maybe_first

    def _follows_article(self, i: int) -> bool:
        """True if an article or a possessive stands before word i."""
        return i > 0 and self._words[i - 1][0].casefold() in _ARTICLES

    def _is_common_noun(self, i: int) -> bool:
        """True if word i follows "the" in lower case, and no word follows it in a name."""
        is_behind = i > 0 and self._words[i - 1][0].casefold() == "the"
        return is_behind and not self._capital[i] and self._next(i) is None

    def _is_place(self, i: int) -> bool:
        return i > 0 and self._words[i - 1][0].casefold() in _BEFORE_PLACES

    def _hinted(self, i: int) -> bool:
        """True if words such as "this is" stand before word i."""
        before = [word[0].casefold() for word in self._words[max(0, i - 2) : i]]
        return bool(before) and (before[-1] in _HINTS or tuple(before) in _HINTS_OF_TWO)

    def _last(self, i: int) -> int:
        """Return the last word of the name that begins with word i."""
        last = i
        for _ in range(self._config.max_name_words - 1):
            nearest = self._next(last)
            if nearest is None:
                break
            last = nearest
        return last

    def _next(self, i: int) -> int | None:
        """Return the word that continues a name after word i, over particles and initials."""
        j = i + 1
        while j < len(self._words) and self._joined(j):
            word = self._words[j][0]
            if self._is_surname(j) or (j > i + 1 and self._is_after_particle(j)):
                return j
            if word.casefold() not in _PARTICLES and not (len(word) == 1 and word.isupper()):
                return None
            j += 1
        return None

    def _is_surname(self, i: int) -> bool:
        word, known, config = self._words[i][0], self._known[i], self._config
        if word[0] == "[" or len(word) == 1 or self._acronym[i]:
            return False
        if word.casefold() in _BUSINESSES:
            return False
        if known.first or known.frequent:
            return True
        if self._capital[i]:
            return known.common <= config.max_capital_zipf and len(word) > 2
        if known.last or known.maybe_first:
            is_rare = known.english <= config.max_surname_zipf
            return is_rare and known.common <= config.max_foreign_zipf
        return known.common <= config.max_unlisted_zipf and len(word) > 2

    def _is_after_particle(self, i: int) -> bool:
        """True if word i is a surname because of a particle such as "van" before it."""
        known, config = self._known[i], self._config
        return (
            self._words[i - 1][0].casefold() in _SURNAME_PARTICLES
            and self._words[i][0].casefold() not in _PARTICLES
            and known.common <= config.max_capital_zipf
            and len(self._words[i][0]) > 1
        )

    def _joined(self, i: int) -> bool:
        """True if word i follows the word before it without a sign but the dot of an initial."""
        between = self._text[self._words[i - 1].end() : self._words[i].start()]
        return between == " " or (between == ". " and len(self._words[i - 1][0]) == 1)

    def _starts_sentence(self, i: int) -> bool:
        before = self._text[: self._words[i].start()].rstrip()
        return not before or before[-1] in ".!?:;\"'(-"

    def _ends_clause(self, i: int) -> bool:
        return _ENDS.match(self._text, self._words[i].end()) is not None
