"""A run whose paths are all on Cloud Storage, against an emulator."""

import pytest
from sample import EXAMPLES, TABLES, hash_of

from advin.runners.cli import main
from advin.runners.processes import free_port

auth = pytest.importorskip("apache_beam.internal.gcp.auth", reason="the extra gcp is missing")
storage = pytest.importorskip("google.cloud.storage", reason="the extra gcp is missing")
server = pytest.importorskip("gcp_storage_emulator.server", reason="the extra engines is missing")

# The limit leaves out the fixtures, which download programs and fit the model.
pytestmark = [pytest.mark.engines, pytest.mark.timeout(300, func_only=True)]
BUCKET = "advin-test"


@pytest.fixture
def bucket(monkeypatch):
    port = free_port()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://localhost:{port}")
    # Beam would look for credentials for half a minute; an emulator needs none.
    monkeypatch.setattr(auth, "get_service_credentials", lambda options: None)
    emulator = server.create_server("localhost", port, in_memory=True, default_bucket=BUCKET)
    emulator.start()
    yield storage.Client(project="none").bucket(BUCKET)
    emulator.stop()


def test_a_run_on_cloud_storage_gives_the_same_tables(bucket, model, reference, tmp_path):
    bucket.blob("in/log.jsonl").upload_from_filename(EXAMPLES / "log.jsonl")
    for path in model.iterdir():
        bucket.blob(f"model/{path.name}").upload_from_filename(path)

    root = f"gs://{BUCKET}"
    flags = ["--input", f"{root}/in/log.jsonl", "--model", f"{root}/model"]
    assert main(["discover", *flags, "--output", f"{root}/run"]) == 0

    for blob in bucket.list_blobs(prefix="run/"):
        path = tmp_path / blob.name
        path.parent.mkdir(parents=True, exist_ok=True)
        blob.download_to_filename(path)
    # Rejects and rows name their input file.
    for table in set(TABLES) - {"rejects", "rows"}:
        assert hash_of(tmp_path / "run" / table) == reference[table]
