"""Masking on real sentences: how much planted personal data is found, and which masks to judge.

Faker invents names, addresses, numbers and dates in many locales; the rules use none of its lists.
The rules were written with a look at the values of LOCALES, but at none of those of HELD_OUT. One
value is planted into a sentence of multidogo or M-CID. A value counts as masked if none of its
digits, and none of its words of three or more letters, is left.
"""

import argparse
import itertools
import json
import random
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import fmean, pstdev

import pyarrow.parquet as pq
from faker import Faker

from advin.discovery.text.config import MASKING_VERSION, MaskingConfig
from advin.discovery.text.preparation import prepare
from benchmarks.common import DATA, table, versions

# Values of these locales were looked at when the rules were written, or corrected.
LOCALES = (
    *("en_US", "en_GB", "de_DE", "es_ES", "fr_FR", "it_IT", "pt_BR"),
    *("nl_NL", "sv_SE", "pl_PL", "tr_TR"),
    *("da_DK", "es_CO", "es_MX", "fr_CA", "no_NO"),
)
# No value of these locales was.
HELD_OUT = ("fi_FI", "nl_BE", "pt_PT")
SENTENCES = 2000
_JUDGED = ("clinc150", "banking77", "irc_chat")
_NAMING = {
    "en": ("my name is {}", "this is {}", "hi {},", "regards, {}", "{} speaking", "mr {}"),
    "es": ("me llamo {}", "mi nombre es {}", "soy {}", "hola {},", "saludos, {}", "señor {}"),
    "de": ("ich heiße {}", "mein Name ist {}", "hier ist {}", "hallo {},", "Grüße, {}", "Herr {}"),
}
_Value = Callable[[Faker, random.Random], str]
STRUCTURED: dict[str, _Value] = {
    "phone": lambda fake, _: fake.phone_number(),
    "email": lambda fake, _: fake.email(),
    "url": lambda fake, _: fake.url(),
    "handle": lambda fake, _: f"@{fake.user_name()}",
    "card": lambda fake, _: fake.credit_card_number(),
    "account": lambda fake, _: fake.iban(),
    "date": lambda fake, draw: fake.date(
        draw.choice(("%Y-%m-%d", "%d/%m/%Y", "%d.%m.%y", "%d %B %Y", "%B %d"))
    ),
    "time": lambda fake, draw: fake.time(draw.choice(("%H:%M", "%I:%M %p", "%H:%M:%S"))),
    "amount": lambda fake, draw: draw.choice(("${}", "{} euros", "£{}", "{} USD", "{}€")).format(
        draw.choice((draw.randint(2, 9000), f"{draw.uniform(1, 5000):.2f}"))
    ),
    "id": lambda fake, draw: fake.bothify(
        draw.choice(("??-######", "????####", "?#?#?#?#", "#??######")), "ABCDEFGHJKLMNPQRSTUVWXYZ"
    ),
    "uuid": lambda fake, _: fake.uuid4(),
    "number": lambda fake, draw: str(draw.randint(10_000, 10**9)),
    "address": lambda fake, _: fake.street_address().replace("\n", ", "),
}


def sentences(draw: random.Random) -> list[tuple[str, str]]:
    """Return sentences and their languages: English, Spanish, and English as a host of German."""
    found = []
    for name, language, rows in (
        ("multidogo/utterances", "en", SENTENCES // 2),
        ("mcid/es", "es", SENTENCES // 4),
        ("mcid/en", "de", SENTENCES // 4),
    ):
        texts = {t for t in pq.read_table(DATA / f"{name}.parquet")["text"].to_pylist() if t}
        texts = [t for t in sorted(texts) if len(t.split()) > 3 and not re.search(r"\d", t)]
        found += [(text, language) for text in draw.sample(texts, rows)]
    return found


def planted(sentence: str, value: str, language: str, draw: random.Random, is_name: bool) -> str:
    """Return the sentence with a value before, within or behind it; half of names are announced."""
    if is_name and draw.random() < 0.5:
        value = draw.choice(_NAMING[language]).format(value)
        return f"{value} {sentence}" if draw.random() < 0.5 else f"{sentence} {value}"
    words = sentence.split()
    at = draw.choice((0, len(words), draw.randint(0, len(words))))
    return " ".join([*words[:at], value, *words[at:]])


def is_masked(value: str, sentence: str, text: str) -> bool:
    """True if no word of a value is left, but for words of the sentence itself."""
    pattern = r"[^\W\d_]{3,}|\d+"
    left = set(re.findall(pattern, text.lower())) - set(re.findall(pattern, sentence.lower()))
    return not left & set(re.findall(pattern, value.lower()))


def cases(
    locale: str, texts: Sequence[tuple[str, str]], seed: int
) -> Iterator[tuple[str, str, str, str]]:
    """Yield kind, value, sentence and the sentence with the value planted."""
    fake, draw = Faker(locale), random.Random(f"{seed} {locale}")
    fake.seed_instance(seed)
    for i, (sentence, language) in enumerate(texts):
        name = draw.choice(
            (fake.name, fake.first_name, lambda: f"{fake.first_name()} {fake.last_name()}")
        )()
        lower = (name.lower(), sentence.lower())
        yield "name", name, sentence, planted(sentence, name, language, draw, is_name=True)
        yield "lower-case name", *lower, planted(*lower[::-1], language, draw, is_name=True)
        kind = list(STRUCTURED)[i % len(STRUCTURED)]
        value = STRUCTURED[kind](fake, draw)
        yield kind, value, sentence, planted(sentence, value, language, draw, is_name=False)


def recall(locale: str, seed: int, misses: list[tuple[str, str, str]]) -> dict[str, float]:
    """Return the share of values that is masked, by kind, and add the others to `misses`."""
    found = defaultdict(list)
    config = MaskingConfig()
    for kind, value, sentence, text in cases(locale, sentences(random.Random(seed)), seed):
        masked = prepare(text, config).text
        hit = is_masked(value, sentence, masked)
        found[kind].append(hit)
        if kind in STRUCTURED:
            found["structured"].append(hit)
        if not hit:
            misses.append((f"{locale} {kind}", value, masked))
    return {kind: 100 * sum(hits) / len(hits) for kind, hits in found.items()}


def sampled_masks(rows: int, seed: int) -> list[dict[str, str]]:
    """Return texts of three sets that masking changes, in equal parts, to be judged by reading."""
    chosen = []
    for name in _JUDGED:
        texts = sorted({*pq.read_table(DATA / name / "utterances.parquet")["text"].to_pylist()})
        random.Random(seed).shuffle(texts)
        changed = ((t, prepare(t, MaskingConfig())) for t in texts)
        masked = ((t, p) for t, p in changed if set(p.masks) - {"html", "quote"})
        for text, result in itertools.islice(masked, -(-rows // len(_JUDGED))):
            chosen.append({"set": name, "text": text, "masked": result.text})
    return chosen[:rows]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, help="JSON file for the results")
    parser.add_argument("--sample", type=Path, help="JSONL file for 500 masks to judge")
    parser.add_argument("--sample-seed", type=int, default=0, help="which masks to judge")
    parser.add_argument("--misses", type=Path, help="JSONL file for values that were not masked")
    flags = parser.parse_args()
    rows, misses = [], []
    for locale in (*LOCALES, *HELD_OUT):
        start = time.monotonic()
        held_out = ", held out" if locale in HELD_OUT else ""
        found = [recall(locale, seed, misses) for seed in range(flags.seeds)]
        seconds = round((time.monotonic() - start) / flags.seeds, 2)
        for kind in found[0]:
            values = [shares[kind] for shares in found]
            row = {"data": f"{locale}{held_out}", "known": 0.0, "method": "masked", "metric": kind}
            row |= {"mean": round(fmean(values), 2), "std": round(pstdev(values), 2)}
            rows.append(row | {"seeds": flags.seeds, "seconds": seconds})
    print(table(rows))
    if flags.out:
        result = {
            "command": f"python -m benchmarks.masking --seeds {flags.seeds}",
            "versions": versions() | {"faker": version("faker"), "masking": str(MASKING_VERSION)},
            "options": {"seeds": flags.seeds},
            "results": rows,
        }
        flags.out.write_text(json.dumps(result, indent=1) + "\n")
    for path, records in (
        (flags.sample, sampled_masks(500, flags.sample_seed) if flags.sample else []),
        (flags.misses, misses),
    ):
        if path:
            path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records))


if __name__ == "__main__":
    main()
