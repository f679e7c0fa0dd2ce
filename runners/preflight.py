"""Smoke-test the workers of a cluster before expensive stages are submitted.

Errors on a cluster show late or never: with a worker that lacks this package, Beam waits forever.
So a small job asks each worker for its versions and for the files that it can see. Each worker
answers with a file in the output folder, which shows that driver and workers share that folder.
"""

import contextlib
import json
import logging
import time
import uuid
from collections.abc import Callable

import apache_beam as beam
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions
from apache_beam.runners.runner import PipelineResult, PipelineState

from advin.pipelines import storage
from advin.pipelines.errors import SettingsError, cause
from advin.pipelines.stages import named
from advin.pipelines.version import versions
from advin.runners.flink_server import Cluster
from advin.runners.job import Job

# A busy cluster may let a job wait; workers that have been called have little to load.
_START_SECONDS = 120.0
_ANSWER_SECONDS = 12.0
# Enough that each worker gets some, however the engine distributes them.
_PROBES_PER_WORKER = 8
# These must be equal; other versions only change the last bits of vectors.
_MUST_AGREE = ("python", "code", "advin", "apache-beam")
_log = logging.getLogger("advin")


class _NoAnswerError(Exception):
    """The small job did not finish."""


def check_workers(job: Job, options: PipelineOptions, cluster: Cluster, workers: int) -> None:
    """Check that all workers run the same versions as this process and see the same files.

    Args:
        job: the job, whose files the workers must see.
        options: options of the engine for the job.
        cluster: the Flink cluster.
        workers: number of parallel tasks.

    Raises:
        SettingsError: if no worker answers in time, or a worker cannot do the job.
    """
    folder = storage.join(job.writes, f".preflight-{uuid.uuid4().hex[:8]}")
    start = time.monotonic()
    try:
        probes = workers * _PROBES_PER_WORKER
        try:
            _run(_probe(job.reads, folder), probes, options, cluster)
        except _NoAnswerError as error:
            pool = job.flags.worker_pool
            raise SettingsError(f"--worker-pool {pool}: {error}") from error
        answers = [
            json.loads(storage.read_text(storage.join(folder, name)))
            for name in storage.list_files(folder, ".json")
        ]
    finally:
        storage.delete(folder)
    if not answers:
        raise SettingsError(
            f"the workers wrote to {job.writes}, but the driver finds nothing there: --output must "
            "be on a file system that the driver and all workers share"
        )
    for answer in answers:
        _check_answer(answer)
    hosts = {answer["host"] for answer in answers}
    _log.info("%d hosts with workers ready, %.1f s", len(hosts), time.monotonic() - start)


def _probe(reads: tuple[str, ...], folder: str) -> Callable[[int], None]:
    # Beam sends a nested function by value, so it also runs where this package is missing.
    def probe(number: int) -> None:
        import json
        import socket

        from apache_beam.io.filesystems import FileSystems

        answer: dict = {"host": socket.gethostname(), "missing": [], "problem": "", "versions": {}}
        try:
            from advin.pipelines.version import versions

            answer["versions"] = versions()
        except ImportError as error:
            answer["problem"] = str(error)
        for path in reads:
            if not (FileSystems.match([path])[0].metadata_list or FileSystems.exists(path)):
                answer["missing"].append(path)
        # Another probe may be faster; any other error shows in the next line.
        with contextlib.suppress(OSError):
            FileSystems.mkdirs(folder)
        with FileSystems.create(FileSystems.join(folder, f"{number}.json")) as file:
            file.write(json.dumps(answer).encode())

    return probe


def _run(
    probe: Callable[[int], None], probes: int, options: PipelineOptions, cluster: Cluster
) -> None:
    options = named(options, "preflight")
    name = options.view_as(GoogleCloudOptions).job_name
    pipeline = beam.Pipeline(options=options)
    (
        pipeline
        | "Numbers" >> beam.Create(range(probes), reshuffle=False)
        | "Share" >> beam.Reshuffle()
        | "Probe" >> beam.Map(probe)
    )
    # Beam logs the engine's whole stack trace; the error below is one line.
    logging.disable(logging.CRITICAL)
    try:
        result = pipeline.run()
        _wait(result, name, cluster)
        result.wait_until_finish()
    except _NoAnswerError:
        cluster.cancel(name)
        raise
    except Exception as error:  # each engine raises its own
        raise _NoAnswerError(f"the workers failed a first small job: {cause(error)}") from error
    finally:
        logging.disable(logging.NOTSET)


def _wait(result: PipelineResult, name: str, cluster: Cluster) -> None:
    """Wait until a job has ended; raise _NoAnswerError if it fails or takes too long."""
    sent, running = time.monotonic(), None
    while not PipelineState.is_terminal(result.state):
        now = time.monotonic()
        failure = cluster.failure(name)
        if failure:
            raise _NoAnswerError(f"the workers failed a first small job: {cause(failure)}")
        if running is None:
            running = now if cluster.is_running(name) else None
            if now - sent > _START_SECONDS:
                raise _NoAnswerError(
                    f"the cluster has not started a first small job in {_START_SECONDS:.0f} s: "
                    "other jobs may hold its task slots; ask for fewer with --parallelism"
                )
        elif now - running > _ANSWER_SECONDS:
            raise _NoAnswerError(
                f"no worker answered a first small job in {_ANSWER_SECONDS:.0f} s: the pool "
                "answers, but starts no worker; check that its Python can import apache_beam, or "
                "try again if it was only slow"
            )
        time.sleep(0.2)


def _check_answer(answer: dict) -> None:
    host = answer["host"]
    if answer["problem"]:
        raise SettingsError(
            f"the worker on {host} cannot import this package ({answer['problem']}): install advin "
            "where the worker pool runs"
        )
    for path in answer["missing"]:
        raise SettingsError(
            f"the worker on {host} cannot see {path}: put it on a file system that the driver and "
            "all workers share"
        )
    ours = versions()
    for name, theirs in answer["versions"].items():
        if theirs == ours[name]:
            continue
        if name in _MUST_AGREE:
            raise SettingsError(
                f"the worker on {host} has {name} {theirs}, but this process has {ours[name]}: "
                "install the same version of advin in both places, and start the worker pool again"
            )
        _log.warning(
            "the worker on %s has %s %s, this process %s: vectors may differ in their last bits",
            host,
            name,
            theirs,
            ours[name],
        )
