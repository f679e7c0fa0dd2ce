"""Google Cloud Dataflow. Tests cover its options and graphs, but no job has run on the service.

Settings that the service or a worker would reject after minutes are rejected here at once.
"""

import contextlib
import difflib
import importlib.util
import re
import uuid
from collections.abc import Iterator

from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.version import __version__ as beam_version

from advin.pipelines.errors import SettingsError
from advin.runners.job import Job

REGIONS = (
    "africa-south1 asia-east1 asia-east2 asia-northeast1 asia-northeast2 asia-northeast3 "
    "asia-south1 asia-south2 asia-southeast1 asia-southeast2 asia-southeast3 "
    "australia-southeast1 australia-southeast2 europe-central2 europe-north1 europe-north2 "
    "europe-southwest1 europe-west1 europe-west2 europe-west3 europe-west4 europe-west6 "
    "europe-west8 europe-west9 europe-west10 europe-west12 me-central1 me-central2 me-west1 "
    "northamerica-northeast1 northamerica-northeast2 northamerica-south1 southamerica-east1 "
    "southamerica-west1 us-central1 us-east1 us-east4 us-east5 us-south1 us-west1 us-west2 "
    "us-west3 us-west4"
).split()
_PROJECT = re.compile(r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")
_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9_.-]{1,220})[a-z0-9]")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")


@contextlib.contextmanager
def dataflow(job: Job) -> Iterator[PipelineOptions]:
    """Check the settings and yield options for the service, or for a dry run.

    Raises:
        SettingsError: if Beam's extra for Google Cloud is not installed, a setting is missing or
            invalid, or workers in the cloud cannot reach a path.
    """
    flags = job.flags
    _check(job)
    temporary = flags.temp_location.rstrip("/")
    options = [
        "--runner=DataflowRunner",
        f"--project={flags.project}",
        f"--region={flags.region}",
        f"--temp_location={temporary}/temp",
        f"--staging_location={temporary}/staging",
        # The image holds the package, its dependencies and the encoder.
        f"--sdk_container_image={flags.image}",
        "--sdk_location=container",
        "--experiments=use_runner_v2",
        f"--job_name=advin-{uuid.uuid4().hex[:8]}",
        "--labels=application=advin",
    ]
    if flags.dry_run:
        options += ["--dry_run=True", "--no_auth"]
    yield PipelineOptions([*options, *job.beam_args])


def _check(job: Job) -> None:
    if importlib.util.find_spec("apitools") is None:
        raise SettingsError(
            "--runner dataflow needs Beam's extra for Google Cloud: "
            f"pip install 'apache-beam[gcp]=={beam_version}'"
        )
    flags = job.flags
    for name in ("project", "region", "temp_location", "image"):
        if not getattr(flags, name):
            raise SettingsError(f"--runner dataflow needs --{name.replace('_', '-')}")
    if not _PROJECT.fullmatch(flags.project):
        raise SettingsError(f"--project: {flags.project!r} is not a valid project id")
    if flags.region not in REGIONS:
        near = difflib.get_close_matches(flags.region, REGIONS, 1) or ["europe-west1"]
        raise SettingsError(
            f"--region: Dataflow has no region {flags.region!r}; did you mean {near[0]!r}?"
        )
    check_bucket("--temp-location", flags.temp_location)
    if not flags.dry_run:
        for path in (*job.reads, job.writes):
            check_bucket("--runner dataflow", path)


def check_bucket(setting: str, path: str) -> None:
    """Raise SettingsError unless a path is in a bucket with a valid name."""
    if FileSystems.get_scheme(path) != "gs":
        raise SettingsError(
            f"{setting}: {path} is not on Google Cloud Storage, so workers in the cloud cannot "
            "reach it: give gs://BUCKET/FOLDER"
        )
    bucket = path.removeprefix("gs://").partition("/")[0]
    parts = bucket.split(".")
    if (
        not _BUCKET.fullmatch(bucket)
        or not all(0 < len(part) <= 63 for part in parts)
        or _ADDRESS.fullmatch(bucket)
        or bucket.startswith("goog")
        or "google" in bucket
    ):
        raise SettingsError(
            f"{setting}: {bucket!r} cannot be the name of a bucket: 3 to 63 lower-case letters, "
            "digits, dashes and underscores, and not starting with goog"
        )
