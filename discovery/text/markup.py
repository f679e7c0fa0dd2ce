"""Strip HTML, and the parts of a mail that its author did not write."""

import re
from html.parser import HTMLParser

from advin.discovery.text.config import MaskingConfig

# Elements whose content is no text.
_SILENT = frozenset("script style head title template noscript svg".split())
# Elements inside a line; all others end one.
_INLINE = frozenset(
    "a abbr b big cite code del em font i ins kbd mark q s small span strike strong sub sup tt u"
    " var wbr".split()
)
_BLOCKS = frozenset(
    "address article aside base blockquote body br button caption center col colgroup dd details"
    " div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr html iframe img"
    " input label legend li link main meta nav ol option p pre section select summary table tbody"
    " td textarea tfoot th thead tr ul".split()
)
_KNOWN = _SILENT | _INLINE | _BLOCKS
_IS_HTML = re.compile(r"</?[A-Za-z!]|&#?\w+;")
# A character reference without its semicolon; exports often lose "&" or ";" of this one.
_SPACE_NAME = re.compile(r"&?\bnbsp\b;?")


class _Text(HTMLParser):
    """Collects the text of a document; a tag that HTML does not have stays as it is."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag in _SILENT:
            self._silent.append(tag)
        elif tag not in _KNOWN:
            self.parts.append(self.get_starttag_text() or "")
        elif tag in _BLOCKS:
            self.parts.append("\n")

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.handle_starttag(tag, attrs)
        if tag in _SILENT:
            self._silent.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in self._silent:
            del self._silent[self._silent.index(tag) :]
        elif tag not in _KNOWN:
            self.parts.append(f"</{tag}>")
        elif tag in _BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data)


def strip_html(text: str, config: MaskingConfig) -> str:
    """Return a text without HTML tags and comments, with character references resolved.

    Elements that end a line become line breaks. Tags that HTML does not have, such as <name>, stay.
    """
    # Many tags that never end are no HTML, and the parser would take quadratic time.
    ends = text.count("<") <= 2 * text.count(">") + 2
    if ("<" in text or "&" in text) and ends and _IS_HTML.search(text):
        parser = _Text()
        parser.feed(text)
        parser.close()
        text = "".join(parser.parts)
    return _SPACE_NAME.sub(" ", text) if "nbsp" in text else text


# Lines that begin the quoted mail, or the signature; all that follows is dropped.
_QUOTE_BEGINS = re.compile(
    r"""^[ \t]*(?:
      -{2,}\s*(?:original\s+message|forwarded\s+message|urspr(?:ü|ue)ngliche\s+nachricht
         |weitergeleitete\s+nachricht|message\s+d'origine|message\s+transf[ée]r[ée]
         |mensaje\s+original|mensaje\s+reenviado|mensagem\s+original|messaggio\s+originale)\b.*
    | (?:on|am|le|el|em|il)\s.{4,120}?(?:wrote|schrieb(?:\s.{1,80})?|a\s+écrit|escribió|escreveu
         |ha\s+scritto)\s*:\s*
    | (?:from|von|de|da|desde)\s*:.*\n[ \t]*(?:(?:sent|date|to|subject|gesendet|datum|an|betreff
         |envoyé|à|objet|enviado|fecha|para|asunto|data|assunto|inviato|oggetto|a)\s*:.*\n?)+
    | --[ \t]*
    | _{10,}[ \t]*
    | sent\s+from\s+my\s.*
    | von\s+meinem\s.{1,40}\sgesendet.*
    | (?:enviado\s+(?:desde\s+mi|do\s+meu)|envoyé\s+de\s+mon|inviato\s+da(?:l\s+mio)?)\s.*
    )$""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
_QUOTED_LINE = re.compile(r"^[ \t]*>.*(?:\n|$)", re.MULTILINE)


def strip_quotes(text: str, config: MaskingConfig) -> str:
    """Return a text without quoted mails and signatures.

    A mail that consists of a quote alone is returned unchanged.
    """
    if "\n" not in text:
        return text
    own = _QUOTED_LINE.sub("", text)
    if begin := _QUOTE_BEGINS.search(own):
        own = own[: begin.start()]
    return own if own.strip() else text
