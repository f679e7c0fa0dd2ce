"""Access to Flink: Beam's job server, a Java program, and Flink's REST endpoint."""

import contextlib
import http.client
import json
import os
import re
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apache_beam.utils.subprocess_server import JavaJarServer
from apache_beam.version import __version__ as beam_version

from advin.pipelines.errors import SettingsError
from advin.runners.processes import free_port, server

# For the Flink inside the server: it restarts the tasks of a dead worker. That is safe, as every
# file is written whole under a fixed name. A cluster has its own setting, which a batch job of Beam
# cannot change.
_RESTART = "restart-strategy.type"
_LOCAL_SETTINGS = """restart-strategy:
  type: fixed-delay
  fixed-delay:
    attempts: 3
    delay: 5 s
"""
# Version of Flink for which the job server is downloaded.
FLINK_VERSION = "1.19"
_DRIVER = "org.apache.beam.runners.flink.FlinkJobServerDriver"
_OLDEST_JAVA = 11
_ENDED = ("FINISHED", "FAILED", "CANCELED")
_ANSWER_SECONDS = 5.0


@contextlib.contextmanager
def job_server(master: str, where: str | None) -> Iterator[str]:
    """Start a job server for a Flink master, yield its HOST:PORT, and stop it.

    Args:
        master: HOST:PORT of a cluster's REST endpoint, or [local] for a Flink inside the server.
        where: a jar with a main class, a folder of jars, or None to download Beam's own.

    Raises:
        SettingsError: if there is no Java or no job server, or the server does not start.
    """
    java = _java()
    program = _program(where)
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="advin-flink-") as folder:
        Path(folder, "config.yaml").write_text(_LOCAL_SETTINGS)
        command = [java, *program, f"--flink-master={master}", f"--flink-conf-dir={folder}"]
        command.append(f"--artifacts-dir={folder}/artifacts")
        # The server chooses its ports for artifacts and expansion.
        command += [f"--job-port={port}", "--artifact-port=0", "--expansion-port=0"]
        with server("Beam's job server for Flink", command, port):
            yield f"localhost:{port}"


@dataclass(frozen=True)
class Cluster:
    """A Flink cluster.

    Attributes:
        master: HOST:PORT of its REST endpoint.
    """

    master: str

    def task_slots(self) -> int:
        """Return the number of task slots.

        Raises:
            SettingsError: if no Flink answers, or no TaskManager is registered.
        """
        try:
            overview = self._ask("/overview")
            slots, version = int(overview["slots-total"]), overview["flink-version"]
        except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or type(error).__name__
            raise SettingsError(
                f"--flink-master: no Flink answers at {self.master} ({reason}): give HOST:PORT of "
                "the JobManager's REST endpoint, or [local]"
            ) from error
        if slots == 0:
            raise SettingsError(
                f"--flink-master: the Flink {version} at {self.master} has no task slots: start a "
                "TaskManager"
            )
        return slots

    def restarts(self) -> bool:
        """True if the cluster restarts the tasks of a dead worker."""
        settings = {entry["key"]: entry["value"] for entry in self._ask("/jobmanager/config")}
        return settings.get(_RESTART, "none") not in ("none", "off", "disable")

    def is_running(self, name: str) -> bool:
        """True if all tasks of a job run."""
        tasks = [job["tasks"] for job in self._jobs(name)]
        return any(t["running"] + t["finished"] == t["total"] > 0 for t in tasks)

    def failure(self, name: str) -> str | None:
        """Return the stack trace of a job's latest failure, even if Flink restarted it; or None."""
        for job in self._jobs(name):
            entries = self._ask(f"/jobs/{job['jid']}/exceptions")["exceptionHistory"]["entries"]
            if entries:
                return entries[0]["stacktrace"]
        return None

    def cancel(self, prefix: str) -> None:
        """Cancel all jobs whose names have a prefix; Beam's own cancel leaves them running."""
        for job in self._jobs(prefix):
            if job["state"] not in _ENDED:
                self._ask(f"/jobs/{job['jid']}?mode=cancel", "PATCH")

    def _jobs(self, prefix: str) -> list[dict]:
        return [j for j in self._ask("/jobs/overview")["jobs"] if j["name"].startswith(prefix)]

    def _ask(self, path: str, method: str = "GET") -> Any:
        url = f"{self.master if '://' in self.master else f'http://{self.master}'}{path}"
        request = urllib.request.Request(url, method=method)
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as answer:
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
    """Return the arguments of `java` that start the job server."""
    if where is None:
        target = f":runners:flink:{FLINK_VERSION}:job-server:shadowJar"
        url = JavaJarServer.path_to_beam_jar(target)
        try:
            return ["-jar", JavaJarServer.local_jar(url)]
        except Exception as error:  # urllib's and Beam's own
            raise SettingsError(
                f"Beam's job server for Flink {FLINK_VERSION} (Beam {beam_version}) cannot be "
                f"downloaded from {url}: give its jar, or a folder of its jars, with "
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
