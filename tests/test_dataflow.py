"""Dataflow without a cloud: settings, translation and the Flex Template."""

import argparse
import importlib.util
import json
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from advin.pipelines.errors import SettingsError
from advin.pipelines.report import read_run
from advin.runners import template
from advin.runners.cli import main
from advin.runners.dataflow import check_bucket
from advin.runners.flags import command_line, commands_of, parse
from advin.schemas.manifest import CLAIM

ROOT = Path(__file__).parent.parent
NOUNS = ("boiler", "parcel", "doctor")
CLOUD = {
    "--project": "my-project",
    "--region": "europe-west1",
    "--temp-location": "gs://my-bucket/tmp",
    "--image": "europe-docker.pkg.dev/my-project/advin/advin:0.1.0",
}
with_gcp = pytest.mark.skipif(
    importlib.util.find_spec("apitools") is None, reason="apache-beam[gcp] is not installed"
)


@pytest.fixture
def log(tmp_path):
    asked = [f"{verb} my {noun}" for noun in NOUNS for verb in ("fix", "track", "call", "cancel")]
    texts = [f"{text}{end}" for text in asked for end in ("", " now", " please", " thanks", " ok")]
    pq.write_table(pa.table({"text": texts}), tmp_path / "log.parquet")
    return tmp_path / "log.parquet"


@pytest.fixture
def start(log, tmp_path, capsys):
    """Run `advin discover --runner dataflow`; return exit code and error lines."""

    def run(*flags, **changed):
        settings = CLOUD | {f"--{name.replace('_', '-')}": v for name, v in changed.items()}
        given = [f"{flag}={value}" for flag, value in settings.items() if value is not None]
        arguments = ["discover", "--runner", "dataflow", "--input", log, *given, *flags]
        code = main([str(a) for a in [*arguments, "--output", tmp_path / "out"]])
        return code, [x for x in capsys.readouterr().err.splitlines() if x.startswith("advin: ")]

    return run


@with_gcp
@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"project": None}, ["needs --project"]),
        ({"image": None}, ["needs --image"]),
        ({"project": "My Project"}, ["--project", "'My Project'"]),
        ({"region": "europe-west99"}, ["--region", "'europe-west99'", "europe-west"]),
        ({"temp_location": "gs://My_Bucket/tmp"}, ["--temp-location", "'My_Bucket'"]),
        ({"temp_location": "gs://ab/tmp"}, ["--temp-location", "'ab'"]),
        ({"temp_location": "tmp"}, ["--temp-location", "gs://BUCKET/FOLDER"]),
    ],
)
def test_invalid_settings_are_refused(start, changed, words):
    code, lines = start(**changed)
    assert code == 2 and len(lines) == 1
    assert all(word in lines[0] for word in words), lines


@with_gcp
def test_local_paths_are_refused(start, log):
    code, lines = start()
    assert code == 2 and str(log) in lines[0] and "gs://BUCKET/FOLDER" in lines[0]


@pytest.mark.parametrize(
    "bucket", ["a", "ab", "-abc", "abc-", "1.2.3.4", "goog-x", "a" * 64, "A1b"]
)
def test_invalid_bucket_names_are_refused(bucket):
    with pytest.raises(SettingsError, match="cannot be the name of a bucket"):
        check_bucket("--output", f"gs://{bucket}/x")


@pytest.mark.parametrize("bucket", ["abc", "my-bucket", "my_bucket.example.com", "1a2"])
def test_valid_bucket_names_are_accepted(bucket):
    check_bucket("--output", f"gs://{bucket}/x")


@with_gcp
def test_a_dry_run_translates_all_stages_and_writes_nothing(start, tmp_path, capsys, monkeypatch):
    protos = []
    run_pipeline = beam.runners.DataflowRunner.run_pipeline

    def keep(runner, *arguments, **named):
        result = run_pipeline(runner, *arguments, **named)
        protos.append(runner.proto_pipeline)
        return result

    monkeypatch.setattr(beam.runners.DataflowRunner, "run_pipeline", keep)
    assert start("--dry-run", gpu="nvidia-l4") == (0, [])
    assert len(protos) == 11 and not (tmp_path / "out" / CLAIM).exists()
    hints = [
        env.resource_hints for proto in protos for env in proto.components.environments.values()
    ]
    accelerators = {hint for env in hints for hint in env.values()}
    assert accelerators == {b"type:nvidia-l4;count:1;install-nvidia-driver"}
    images = {env.payload for proto in protos for env in proto.components.environments.values()}
    assert all(CLOUD["--image"].encode() in image for image in images)
    # Only the stage that encodes asks for a GPU.
    assert [any(e.resource_hints for e in p.components.environments.values()) for p in protos] == [
        name == 1 for name in range(11)
    ]


def test_a_dry_run_of_another_engine_is_refused(log, tmp_path, capsys):
    arguments = ["discover", "--input", log, "--output", tmp_path / "out", "--dry-run"]
    assert main([str(a) for a in arguments]) == 2
    assert "--dry-run is for --runner dataflow" in capsys.readouterr().err


def test_the_template_has_the_flags_of_the_command_line():
    written = json.loads((ROOT / "dataflow" / "metadata.json").read_text())
    assert written == template.metadata(), (
        "python -m advin.runners.template > dataflow/metadata.json"
    )
    names = {p["name"] for p in written["parameters"]}
    flags = {a.dest for a in commands_of(command_line())["discover"]._actions}
    assert names <= flags
    other_engines = {"flink_master", "worker_pool", "flink_job_server", "parallelism"}
    of_each_launch = {"project", "region", "temp_location"}
    # `--set` may be repeated, which a template's parameter cannot; `--config` takes a file.
    assert (
        flags - names
        == {"help", "runner", "dry_run", "overwrite", "set"} | other_engines | of_each_launch
    )


def test_flags_may_be_spelled_with_underscores():
    flags, rest = parse(["discover", "--input=a", "--output=b", "--text_column=t", "--job_name=j"])
    assert isinstance(flags, argparse.Namespace)
    assert flags.text_column == "t" and rest == ["--job_name=j"]


def test_the_job_of_the_template_makes_a_whole_run(log, run_pipeline, tmp_path):
    arguments = ["--runner=direct", f"--input={log}", f"--output={tmp_path / 'out'}"]
    run_pipeline(lambda pipeline: template.build(pipeline, arguments))
    assert dict(map(tuple, read_run(str(tmp_path / "out")).funnel))["rows read"] == 60
