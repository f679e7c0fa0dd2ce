"""Between us and Flink: Beam's job server, which is a Java program, and Flink's REST endpoint."""

import contextlib
import json
import os
import re
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from apache_beam.utils.subprocess_server import JavaJarServer
from apache_beam.version import __version__ as beam_version

from pipelines.errors import SettingsError
from runners.processes import free_port, server

# For the Flink inside the server. A worker that dies takes its tasks along, and Flink starts them
# again; as every file of ours is written whole and under a fixed name, nothing is seen of that.
# A cluster goes by its own setting: Beam's batch jobs cannot bring one along.
_RESTART = "restart-strategy.type"
_LOCAL_SETTINGS = """restart-strategy:
  type: fixed-delay
  fixed-delay:
    attempts: 3
    delay: 5 s
"""
# The Flink that the job server is built for, where we choose it.
FLINK_VERSION = "1.19"
_DRIVER = "org.apache.beam.runners.flink.FlinkJobServerDriver"
_OLDEST_JAVA = 11
_ANSWER_SECONDS = 5.0


@contextlib.contextmanager
def job_server(master: str, where: str | None) -> Iterator[str]:
    """Start a job server for a Flink master, yield its HOST:PORT, and stop it.

    Args:
        master: HOST:PORT of a cluster's REST endpoint, or [local] for a Flink inside the server.
        where: a jar with a main class, a folder of jars, or None to download Beam's own.

    Raises:
        SettingsError: if there is no Java or no job server, or it does not start.
    """
    java = _java()
    program = _program(where)
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="advin-flink-") as folder:
        Path(folder, "config.yaml").write_text(_LOCAL_SETTINGS)
        command = [java, *program, f"--flink-master={master}", f"--flink-conf-dir={folder}"]
        command.append(f"--artifacts-dir={folder}/artifacts")
        # Its ports for artifacts and expansion are of its own choice.
        command += [f"--job-port={port}", "--artifact-port=0", "--expansion-port=0"]
        with server("Beam's job server for Flink", command, port):
            yield f"localhost:{port}"


def task_slots(master: str) -> int:
    """Return the number of task slots of a cluster.

    Raises:
        SettingsError: if nothing answers there as Flink does, or no TaskManager is registered.
    """
    try:
        overview = _get(master, "/overview")
        slots, version = int(overview["slots-total"]), overview["flink-version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise SettingsError(
            f"--flink-master: no Flink answers at {master} ({reason}): give HOST:PORT of the "
            "JobManager's REST endpoint, or [local]"
        ) from error
    if slots == 0:
        raise SettingsError(
            f"--flink-master: the Flink {version} at {master} has no task slots: start a "
            "TaskManager"
        )
    return slots


def restarts(master: str) -> bool:
    """Tell whether a cluster starts the tasks of a dead worker again."""
    settings = {entry["key"]: entry["value"] for entry in _get(master, "/jobmanager/config")}
    return settings.get(_RESTART, "none") not in ("none", "off", "disable")


def is_running(master: str, job_name: str) -> bool:
    """Tell whether all tasks of a job run: its jars have arrived, and slots were free."""
    for job in _get(master, "/jobs/overview")["jobs"]:
        if job["name"] == job_name:
            tasks = job["tasks"]
            return tasks["running"] + tasks["finished"] == tasks["total"] > 0
    return False


def _get(master: str, path: str) -> Any:
    url = f"{master if '://' in master else f'http://{master}'}{path}"
    with urllib.request.urlopen(url, timeout=_ANSWER_SECONDS) as answer:
        return json.load(answer)


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    java = shutil.which(str(Path(home, "bin", "java")) if home else "java")
    if java is None:
        where = f"JAVA_HOME is {home}, which has no bin/java" if home else "no java on PATH"
        raise SettingsError(
            f"--runner flink needs Java {_OLDEST_JAVA} or later here, for Beam's job server: "
            f"{where}"
        )
    return java


def _program(where: str | None) -> list[str]:
    """Return what follows `java` to start the job server."""
    if where is None:
        target = f":runners:flink:{FLINK_VERSION}:job-server:shadowJar"
        url = JavaJarServer.path_to_beam_jar(target)
        try:
            return ["-jar", JavaJarServer.local_jar(url)]
        except Exception as error:  # urllib's and Beam's own
            raise SettingsError(
                f"Beam's job server for Flink {FLINK_VERSION} (Beam {beam_version}) cannot be "
                f"downloaded from {url}: give its jar, or a folder of its jars, by "
                "--flink-job-server"
            ) from error
    path = Path(where)
    if path.is_file():
        return ["-jar", where]
    if path.is_dir() and any(
        re.fullmatch(r"beam-runners-flink.*\.jar", p.name) for p in path.iterdir()
    ):
        return ["-cp", str(path / "*"), _DRIVER]
    raise SettingsError(
        f"--flink-job-server: {where} is neither a jar nor a folder with beam-runners-flink-*.jar"
    )
