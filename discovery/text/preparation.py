"""From a text as it stands in a log to the utterance that gets an id.

`RULES` lists all rules in their order. A rule strips something from a text, or replaces it by a
placeholder: a lower-case word in square brackets, such as [number].
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from advin.discovery.text import patterns
from advin.discovery.text.addresses import mask_addresses
from advin.discovery.text.cleaning import clean
from advin.discovery.text.config import MaskingConfig
from advin.discovery.text.markup import strip_html, strip_quotes
from advin.discovery.text.names import mask_names
from advin.discovery.text.numbers import mask_ids, mask_numbers


@dataclass(frozen=True, slots=True)
class MaskingRule:
    """A rule that changes texts.

    Attributes:
        name: its name in `MaskingConfig.off`.
        meaning: what it finds.
        apply: from a text and the configuration to the changed text.
        needs: a character that each text that it changes has: "0" for any digit; "" for none.
    """

    name: str
    meaning: str
    apply: Callable[[str, MaskingConfig], str]
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prepared text.

    Attributes:
        text: cleaned and masked; empty if nothing is left.
        masks: names of the rules that changed it, in their order.
        is_cut: True if it was too long, and the text is only its beginning.
    """

    text: str
    masks: tuple[str, ...] = ()
    is_cut: bool = False

    @property
    def defect(self) -> str | None:
        """Why the text cannot be used, "empty" or "oversized"; None if it can."""
        if self.is_cut:
            return "oversized"
        return None if self.text else "empty"


def _masks(
    name: str,
    meaning: str,
    pattern: re.Pattern[str],
    needs: str,
    is_one: Callable[[str, MaskingConfig], bool] | None = None,
) -> MaskingRule:
    """Return a rule that replaces what a pattern finds, and a function, if given, confirms."""
    placeholder = f"[{name}]"

    def apply(text: str, config: MaskingConfig) -> str:
        if is_one is None:
            return pattern.sub(placeholder, text)
        return pattern.sub(lambda m: placeholder if is_one(m[0], config) else m[0], text)

    return MaskingRule(name, meaning, apply, needs)


# What is stripped before a text is cleaned, because it depends on line breaks.
STRIPPING = (
    MaskingRule("html", "HTML tags, comments and character references", strip_html),
    MaskingRule("quote", "quoted mails and signatures", strip_quotes, "\n"),
)
MASKING = (
    _masks("url", "addresses of web pages and files", patterns.URL, "."),
    _masks("email", "e-mail addresses", patterns.EMAIL, "@"),
    _masks("handle", "names of accounts after @", patterns.HANDLE, "@"),
    _masks("account", "IBANs with right check digits", patterns.IBAN, "0", patterns.is_account),
    _masks("card", "card numbers with a right check digit", patterns.CARD, "0", patterns.is_card),
    _masks("date", "calendar dates", patterns.DATE, "0"),
    _masks("phone", "telephone numbers", patterns.PHONE, "0", patterns.is_phone),
    _masks("time", "times of day", patterns.TIME, "0"),
    MaskingRule("address", "streets with their numbers, and what follows", mask_addresses),
    _masks("amount", "sums of money with a currency", patterns.AMOUNT, "0"),
    MaskingRule(
        "id",
        "codes of letters and digits, and numbers of orders and cases",
        mask_ids,
    ),
    MaskingRule(
        "number",
        "numbers of more than three digits except years, and numbers that are the whole text",
        mask_numbers,
        "0",
    ),
    MaskingRule("name", "names of people", mask_names),
)
RULES = STRIPPING + MASKING
_DIGIT = re.compile(r"\d")


def prepare(text: str, config: MaskingConfig, longest: int | None = None) -> Prepared:
    """Strip, clean and mask a text.

    Args:
        text: as it stands in the log.
        config: the rules that are switched off.
        longest: a stripped text of more characters is cut behind the next one; None for any length.
    """
    masks: list[str] = []
    off = "all" in config.off
    text = clean(text if off else _applied(STRIPPING, text, config, masks))
    is_cut = longest is not None and len(text) > longest
    if longest is not None:
        text = text[: longest + 1]
    if not off:
        text = _applied(MASKING, text, config, masks)
    return Prepared(text, tuple(masks), is_cut)


def _applied(
    rules: tuple[MaskingRule, ...], text: str, config: MaskingConfig, masks: list[str]
) -> str:
    """Return the text after some rules, and add to `masks` the names of those that changed it."""
    for rule in rules:
        if rule.name in config.off or not _may_change(rule, text):
            continue
        changed = rule.apply(text, config)
        if changed != text:
            masks.append(rule.name)
            text = changed
    return text


def _may_change(rule: MaskingRule, text: str) -> bool:
    if rule.needs == "0":
        return _DIGIT.search(text) is not None
    return rule.needs in text
