"""schemas/: batches, ids, tables, manifests."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advin.schemas import stage_files, tables
from advin.schemas.batches import from_ipc, to_ipc, vectors_from_arrow, vectors_to_arrow
from advin.schemas.ids import content_id, shard_of, utterance_id
from advin.schemas.manifest import ManifestError, RunManifest, StageManifest, fingerprint

ALL_SCHEMAS = {
    **tables.TABLES,
    "ingest": stage_files.INGEST,
    "ingest_labeled": stage_files.INGEST_LABELED,
    "embed": stage_files.embed_schema(8),
    "score": stage_files.SCORE,
    "link_clusters": stage_files.link_clusters_schema(8),
    "link_cells": stage_files.link_cells_schema(8),
    "link_visitors": stage_files.link_visitors_schema(8),
    "link_nearest": stage_files.LINK_NEAREST,
    "link_merged": stage_files.LINK_MERGED,
    "cluster": stage_files.cluster_schema(8),
    "cluster_parts": stage_files.cluster_parts_schema(8),
    "assign": stage_files.ASSIGN,
    "describe_sizes": stage_files.DESCRIBE_SIZES,
    "describe_documents": stage_files.DESCRIBE_DOCUMENTS,
}


@pytest.mark.parametrize("name", ALL_SCHEMAS)
def test_every_table_and_column_is_described(name):
    schema = ALL_SCHEMAS[name]
    assert schema.metadata[b"description"]
    for field in schema:
        assert len(field.metadata[b"description"]) > 8, field.name


@pytest.mark.parametrize("name", ALL_SCHEMAS)
def test_descriptions_survive_parquet(name, tmp_path):
    schema = ALL_SCHEMAS[name]
    pq.write_table(schema.empty_table(), tmp_path / "t.parquet")
    assert pq.read_schema(tmp_path / "t.parquet").equals(schema, check_metadata=True)


def batch_of(rows: int, dimension: int = 384) -> pa.RecordBatch:
    vectors = np.random.default_rng(0).normal(size=(rows, dimension)).astype(np.float16)
    ids = pa.array([f"{i:032x}" for i in range(rows)])
    return pa.RecordBatch.from_arrays(
        [ids, vectors_to_arrow(vectors)], schema=stage_files.embed_schema(dimension)
    )


def test_a_serialized_slice_holds_only_its_own_rows():
    batch = batch_of(10_000)
    assert len(to_ipc(batch.slice(5_000, 10))) < 30_000 < len(to_ipc(batch)) / 100


@given(st.integers(0, 50), st.integers(0, 50))
def test_slices_survive_serialization(start, length):
    part = batch_of(50, 4).slice(start, length)
    back = from_ipc(to_ipc(part))
    assert back.equals(part) and back.schema.equals(part.schema, check_metadata=True)
    np.testing.assert_array_equal(
        vectors_from_arrow(back.column("vector")), vectors_from_arrow(part.column("vector"))
    )


def test_vectors_survive_an_offset_and_chunks():
    batch = batch_of(20, 4)
    whole = vectors_from_arrow(batch.column("vector"))
    chunked = pa.chunked_array([batch.column("vector").slice(3, 5), batch.column("vector")[:2]])
    np.testing.assert_array_equal(
        vectors_from_arrow(chunked), np.concatenate([whole[3:8], whole[:2]])
    )


def test_utterance_ids_are_blake2b_of_the_text():
    expected = hashlib.blake2b("größe".encode(), digest_size=16).hexdigest()
    assert utterance_id("größe") == expected


@given(st.lists(st.text(max_size=20), min_size=1, max_size=50), st.integers(0, 10))
def test_shards_are_ranges_of_ids(texts, power):
    ids = sorted(utterance_id(t) for t in texts)
    shards = [shard_of(i, 2**power) for i in ids]
    assert shards == sorted(shards) and 0 <= min(shards) and max(shards) < 2**power


def test_shards_are_even():
    counts = np.bincount([shard_of(utterance_id(str(i)), 8) for i in range(20_000)], minlength=8)
    assert counts.min() > 2300 and counts.max() < 2700


def test_content_ids_depend_on_where_parts_end():
    assert content_id(b"ab", b"c") != content_id(b"a", b"bc")


def test_fingerprints_do_not_depend_on_the_order_of_keys():
    assert fingerprint({"a": 1, "b": [1, 2]}) == fingerprint({"b": [1, 2], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})


def test_manifests_survive_json():
    stage = StageManifest("embed", "f" * 16, {"data": ["part-0"]}, {"vectors": 3}, 1.5, 10)
    assert StageManifest.from_json(stage.to_json()) == stage
    run = RunManifest(
        versions={"advin": "1"},
        settings={"seed": 0},
        fingerprint="f",
        model={
            "folder": "/model",
            "encoder": {"name": "x"},
            "known_intents": 2,
            "rules": {"radius": 0.4},
            "domain_distance": 1.0,
            "origins": {"intent_distance": "default"},
            "shortages": {"intent_distance": {"given": 1, "needed": 4}},
        },
        funnel=[("rows read", 3)],
        tables={"intents": []},
        stages={
            "ingest": {"started": "", "seconds": 1.5, "bytes": 9, "counters": {"rows_read": 3}}
        },
        masking={"version": 1, "off": [], "rows_changed": {"email": 2}},
    )
    assert RunManifest.from_json(run.to_json()) == run


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"stage": 1, "other": 2}'])
def test_invalid_manifests_are_refused(text):
    with pytest.raises(ManifestError):
        StageManifest.from_json(text)
