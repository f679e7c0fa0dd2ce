"""Rows of other speakers: they are counted, in the table assignments, and not embedded."""

import json

import pyarrow.parquet as pq
import pytest
from quick import QUICK

import advin
from advin.pipelines.errors import SettingsError
from advin.pipelines.reading.columns import input_columns, with_speaker
from advin.pipelines.report import read_run
from advin.pipelines.shards import Shard, read_range
from advin.pipelines.stages import Part

CUSTOMER = ["my parcel is late", "where is my parcel", "cancel the order please", "hello"]
AGENT = ["please rate this chat", "your ticket was escalated", "hello"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("speakers")
    rows = [{"text": t, "role": "Customer"} for t in 3 * CUSTOMER]
    rows += [{"text": t, "role": "agent"} for t in 2 * AGENT]
    rows += [{"text": "no speaker", "role": None}, {"text": "", "role": "customer"}]
    (folder / "log.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return advin.discover(
        folder / "log.jsonl", speaker_column="role", speaker="customer, client",
        config=QUICK, output=folder / "run", quiet=True,
    )  # fmt: skip


def test_what_only_other_speakers_say_is_unassigned_for_that_reason(run):
    rows = {row["text"]: row for row in run.assignments.to_pylist()}
    for text in [*AGENT[:2], "no speaker"]:
        assert (rows[text]["kind"], rows[text]["reason"]) == ("unassigned", "other_speaker")
        assert rows[text]["intent_id"] is None and rows[text]["intent_distance"] is None
    assert rows["please rate this chat"]["count"] == 2
    assert all(rows[text]["reason"] != "other_speaker" for text in CUSTOMER)


def test_an_utterance_of_both_counts_the_rows_of_the_chosen_speaker(run):
    (hello,) = [row for row in run.assignments.to_pylist() if row["text"] == "hello"]
    assert (hello["count"], hello["kind"]) == (3, "conversational")


def test_rows_of_other_speakers_are_counted_and_not_embedded(run):
    funnel = dict(map(tuple, read_run(run.folder).funnel))
    assert funnel["rows read"] == 20 and funnel["rows rejected"] == 1
    assert funnel["rows of other speakers"] == 7
    assert sum(row["count"] for row in run.assignments.to_pylist()) == 20 - 1 - 2
    assert pq.read_table(f"{run.folder}/stages/embed/data").num_rows == len(CUSTOMER)


def test_an_absent_speaker_is_refused(tmp_path):
    rows = [{"text": t, "role": "agent"} for t in AGENT]
    (tmp_path / "log.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    with pytest.raises(SettingsError, match="speaker: column role names none of customer in 3"):
        advin.discover(
            tmp_path / "log.jsonl", speaker_column="role", speaker=["customer"],
            output=tmp_path / "run", quiet=True,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("column", "speakers"), [("role", []), (None, ["customer"]), ("role", ["", ","])]
)
def test_a_speaker_needs_a_column_and_a_name(column, speakers):
    with pytest.raises(SettingsError, match="give both"):
        with_speaker(input_columns({}, {}), column, speakers)


def test_other_shards_are_read_by_range(tmp_path):
    import pyarrow as pa

    from advin.pipelines.storage import shard_name
    from advin.schemas.manifest import StageManifest

    ids = [f"{i:02x}{'0' * 30}" for i in range(0, 256, 16)]
    (tmp_path / "others").mkdir()
    files = [shard_name(n, 2) for n in range(2)]
    for n, name in enumerate(files):
        table = pa.table({"utterance_id": ids[8 * n : 8 * n + 8]})
        pq.write_table(table, tmp_path / "others" / name)
    manifest = StageManifest("ingest", "", {"others": files})
    (tmp_path / "manifest.json").write_text(manifest.to_json())
    part = Part(str(tmp_path), "others")
    for shards in (1, 2, 8):
        found = [
            read_range(part, Shard(n, shards))["utterance_id"].to_pylist() for n in range(shards)
        ]
        assert [i for part_of in found for i in part_of] == ids
        assert {len(part_of) for part_of in found} == {16 // shards}
