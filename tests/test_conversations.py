"""Conversations: the first request of each, and how many conversations hold each intent."""

import random
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from functools import reduce

import pyarrow as pa
import pytest
from quick import QUICK
from rows import finish

import advin
from advin.pipelines import storage
from advin.pipelines.conversations import Conversation, Conversations, merge, parts_of
from advin.pipelines.reading.nested import ELEMENT
from advin.pipelines.stages import Part
from advin.schemas import tables

MORNING = datetime(2026, 2, 10, 10, tzinfo=UTC)
KINDS = {"novel": "in_novel_intent", "conversational": "greeting", "unassigned": "other_speaker"}


def some_rows(n: int, seed: int = 0) -> list[dict]:
    choose = random.Random(seed)
    rows = []
    for i in range(n):
        kind = choose.choice(list(KINDS))
        rows.append({
            "source": choose.choice(["a.csv", "b.csv"]),
            "position": i % 50 + choose.choice([0, ELEMENT]),
            "time": choose.choice([None, MORNING + timedelta(minutes=choose.randint(0, 9))]),
            "conversation_id": choose.choice([None, *"pqrstuvw"]),
            "utterance_id": f"{i:032x}",
            "kind": kind,
            "reason": KINDS[kind],
            "intent_id": choose.choice(["n-1", "n-2", "n-3"]) if kind == "novel" else None,
        })  # fmt: skip
    return rows


def write(stage, rows: list[dict], pieces: int) -> Part:
    for number in range(pieces):
        table = pa.Table.from_pylist(rows[number::pieces], tables.ROWS)
        storage.write_parquet(str(stage / "data" / f"{number}.parquet"), table)
    finish(stage, "data", [f"{number}.parquet" for number in range(pieces)])
    return Part(str(stage))


def by_hand(rows: list[dict]) -> tuple[list[dict], dict]:
    groups = defaultdict(list)
    for row in rows:
        if row["conversation_id"] is not None:
            groups[row["conversation_id"]].append(row)
    found, conversations, firsts = [], Counter(), Counter()
    for name in sorted(groups):
        group = groups[name]
        requests = [row for row in group if row["kind"] == "novel"]
        first = min(requests, default={}, key=lambda row: (
            row["time"] or datetime.max.replace(tzinfo=UTC), row["source"],
            row["position"] % ELEMENT, row["position"],
        ))  # fmt: skip
        intents = sorted({row["intent_id"] for row in requests})
        names = ("source", "position", "time", "utterance_id", "kind", "intent_id")
        found.append({"conversation_id": name, "rows": len(group), "intents": intents}
                     | {f"first_{n}": first.get(n) for n in names})  # fmt: skip
        conversations.update(intents)
        firsts.update([first["intent_id"]] if first else [])
    return found, {i: (n, firsts[i]) for i, n in conversations.items()}


@pytest.mark.parametrize("pieces", [1, 5])
def test_conversations_equal_those_counted_by_hand(run_pipeline, tmp_path, pieces):
    rows = some_rows(200)
    part = write(tmp_path / "rows", rows, pieces)
    out = (str(tmp_path / "conversations"), str(tmp_path / "intents"))
    run_pipeline(lambda p: p | Conversations(part, *out))
    found, counts = (
        storage.read_parquet(f"{folder}/{storage.shard_name(0, 1)}").to_pylist() for folder in out
    )
    expected, expected_counts = by_hand(rows)
    assert sorted(found, key=lambda row: row["conversation_id"]) == expected
    assert {
        row["intent_id"]: (row["conversations"], row["first_requests"]) for row in counts
    } == expected_counts


def test_parts_of_a_conversation_merge_in_any_order():
    batch = pa.RecordBatch.from_pylist(some_rows(60), tables.ROWS)
    whole = parts_of(batch)
    parts = [parts_of(batch.slice(i, 1)) for i in range(60)]
    random.Random(1).shuffle(parts)
    for name, conversation in whole.items():
        mine = [part[name] for part in parts if name in part]
        assert reduce(lambda a, b: merge((a, b)), mine, Conversation()) == conversation
        assert merge(mine) == conversation


def test_a_run_reports_its_conversations(tmp_path):
    texts = ["hello", "where is my parcel", "cancel my order", "my parcel is late", "thanks"] * 8
    frame = pa.table({"text": texts, "chat": [i // 5 for i in range(len(texts))]})
    run = advin.discover(frame, conversation_column="chat", config=QUICK, quiet=True)
    found = run.table("conversations").to_pylist()
    assert sorted(int(row["conversation_id"]) for row in found) == list(range(8))
    assert all(row["rows"] == 5 for row in found)
    assert {row["first_position"] % 5 for row in found} == {1}
    assert dict(run.manifest.funnel)["conversations"] == 8
    before = run.table("intent_conversations").to_pylist()
    assert all(row["conversations"] <= 8 for row in before)
    regrouped = run.regroup(granularity="fine", quiet=True)
    assert regrouped.table("conversations").num_rows == 8
