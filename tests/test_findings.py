"""What a run says about its result: how sure it is, and what would help most."""

from dataclasses import replace

import pytest

from advin.discovery.config import Config
from advin.discovery.intents.findings import ResultFacts, result_findings

FACTS = ResultFacts(
    novel={"coarse": 20, "auto": 30, "fine": 45},
    chosen=30,
    stability=0.8,
    looks_known=1000,
    with_labels=950,
    has_labels=True,
    has_out_of_domain=True,
)


def lines(**changes: object) -> list[str]:
    return result_findings(replace(FACTS, **changes), Config())


def test_the_number_of_intents_comes_with_the_numbers_of_the_other_levels():
    number, match = lines()
    assert "20 coarse, 30 auto and 45 fine. The tables hold 30." in number
    assert "match well" in match and "of 1,000 utterances" in match and "95%" in match
    same = lines(novel={"coarse": 30, "auto": 30, "fine": 30})
    assert not any("Novel intents by level" in line for line in same)


@pytest.mark.parametrize(
    ("with_labels", "words"), [(900, "well"), (600, "in part"), (300, "poorly")]
)
def test_the_match_of_labels_and_log_is_reported(with_labels, words):
    found = lines(with_labels=with_labels)
    assert f"match {words}" in found[1]
    assert any("label utterances of this log" in line for line in found) == (words != "well")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"has_labels": False, "looks_known": 0, "with_labels": 0}, "--labeled"),
        ({"has_out_of_domain": False}, "--ood"),
        ({"stability": 0.3}, "--granularity coarse"),
        ({"stability": None}, None),
    ],
)
def test_one_step_is_advised(changes, words):
    steps = [line for line in lines(**changes) if line.startswith("What would help most")]
    assert len(steps) == (words is not None)
    assert words is None or words in steps[0]
