"""The public transforms in a Beam pipeline of one's own."""

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.testing.test_pipeline import TestPipeline

import advin
from advin.beam import AssignIntents, Embed, ScoreNovelty
from tests.quick import QUICK
from tests.test_api import KNOWN, LABELS, LOG

TEXTS = ["where is my parcel", "the radiator is cold", "", "track my order"]
# The engine runs in this process, so a step of the pipeline can fill a list of this module.
FOUND: list = []


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("beam") / "run"
    return advin.discover(LOG, labeled=LABELS, config=QUICK, output=folder, quiet=True)


def collected(transform) -> list:
    """Return what a transform makes of the texts, in their order."""
    FOUND.clear()
    with TestPipeline("FnApiRunner") as pipeline:
        _ = pipeline | beam.Create(TEXTS) | transform | beam.Map(keep)
    key = [row["text"] if isinstance(row, dict) else row[0] for row in FOUND]
    return [FOUND[key.index(text)] for text in TEXTS]


def keep(row) -> None:
    FOUND.append(row)


def test_embed_gives_each_text_a_unit_vector(run):
    vectors = [vector for _, vector in collected(Embed())]
    assert vectors[2] is None
    for vector in (vectors[0], vectors[1], vectors[3]):
        assert vector.dtype == np.float16
        assert np.linalg.norm(vector.astype(float)) == pytest.approx(1, abs=1e-2)


def test_score_novelty_gives_the_columns_of_the_model(run):
    rows = collected(ScoreNovelty(run.model))
    assert {row["known_intent"] for row in rows} <= {*KNOWN, None}
    expected = run.model.assign(TEXTS).to_pylist()
    for row, other in zip(rows, expected, strict=True):
        assert row["known_intent"] == other["known_intent"]
        assert row["novelty_score"] == pytest.approx(other["novelty_score"], abs=1e-2)


def test_assign_intents_gives_the_columns_of_the_run(run):
    expected = run.assign(TEXTS).to_pylist()
    for source in (run, run.folder):
        rows = collected(AssignIntents(source))
        for row, other in zip(rows, expected, strict=True):
            assert row.keys() == other.keys()
            assert row["intent_id"] == other["intent_id"]
            assert row["distance"] == pytest.approx(other["distance"], abs=1e-2)


def test_a_transform_of_no_run_is_refused(tmp_path):
    with pytest.raises(Exception, match="no finished run"):
        collected(AssignIntents(tmp_path))
