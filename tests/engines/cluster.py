"""A real Flink on this machine: a JobManager, TaskManagers and a worker pool, on free ports."""

import contextlib
import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from advin.runners.processes import free_port, server

_START_SECONDS = 90.0
_MAIN = "org.apache.flink.runtime"
_JOB_MANAGER = f"{_MAIN}.entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER = f"{_MAIN}.taskexecutor.TaskManagerRunner"
_OPENED = (
    "java.lang java.lang.reflect java.io java.net java.nio java.text java.time java.util "
    "java.util.concurrent java.util.concurrent.atomic java.util.concurrent.locks sun.nio.ch"
)
_OPENS = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED.split()]
_OPENS.append("--add-exports=java.base/sun.net.util=ALL-UNNAMED")
# Flink's shell scripts work these out; the classes themselves want to be told all of them.
_MEMORY = {
    "taskmanager.cpu.cores": "1.0",
    "taskmanager.memory.framework.heap.size": "128m",
    "taskmanager.memory.framework.off-heap.size": "128m",
    "taskmanager.memory.task.heap.size": "512m",
    "taskmanager.memory.task.off-heap.size": "64m",
    "taskmanager.memory.managed.size": "256m",
    "taskmanager.memory.network.min": "256m",
    "taskmanager.memory.network.max": "256m",
    "taskmanager.memory.jvm-metaspace.size": "256m",
    "taskmanager.memory.jvm-overhead.min": "128m",
    "taskmanager.memory.jvm-overhead.max": "128m",
}
_RESTART = {
    "restart-strategy.type": "fixed-delay",
    "restart-strategy.fixed-delay.attempts": "3",
    "restart-strategy.fixed-delay.delay": "3 s",
}
_NO_RESTART = {"restart-strategy.type": "none"}
# So that a killed TaskManager is noticed in seconds.
_HEARTBEAT = {"heartbeat.interval": "1000", "heartbeat.timeout": "8000"}


@dataclass
class FlinkCluster:
    """A JobManager, and the TaskManagers that are told to join it.

    Attributes:
        jars: of Flink, and of Beam's runner for it.
        folder: for its configuration, logs and temporary files.
        restarts: whether it starts the tasks of a dead worker again.
        master: HOST:PORT of its REST endpoint.
        job_manager: its process.
        task_managers: their processes, by the ids that Flink has them under.
    """

    jars: list[Path]
    folder: Path
    restarts: bool = True
    rest: int = field(default_factory=free_port)
    rpc: int = field(default_factory=free_port)
    job_manager: subprocess.Popen = field(init=False)
    task_managers: dict[str, subprocess.Popen] = field(default_factory=dict)

    @property
    def master(self) -> str:
        return f"localhost:{self.rest}"

    @contextlib.contextmanager
    def running(self, task_managers: int, slots: int) -> Iterator["FlinkCluster"]:
        """Start all of it, wait for the slots, and stop all of it."""
        self._configure(slots)
        with contextlib.ExitStack() as stack:
            main = self._java("jobmanager", _JOB_MANAGER, "512m")
            self.job_manager = stack.enter_context(
                server("Flink's JobManager", main, self.rest, _START_SECONDS)
            )
            self._stack = stack
            for _ in range(task_managers):
                self.add_task_manager()
            self.wait_for_slots(task_managers * slots)
            yield self

    def add_task_manager(self) -> None:
        """Start one more."""
        port = free_port()
        name = f"taskmanager-{port}"
        settings = [f"-Dtaskmanager.rpc.port={port}", f"-Dtaskmanager.resource-id={name}"]
        command = self._java(name, _TASK_MANAGER, "768m", *settings)
        self.task_managers[name] = self._stack.enter_context(
            server("a Flink TaskManager", command, port, _START_SECONDS)
        )

    def busy_task_managers(self) -> list[str]:
        """Return the ids of those that run a task now."""
        jobs = [j["jid"] for j in self.get("/jobs/overview")["jobs"] if j["state"] == "RUNNING"]
        steps = [(j, v["id"]) for j in jobs for v in self.get(f"/jobs/{j}")["vertices"]]
        paths = [f"/jobs/{job}/vertices/{step}/taskmanagers" for job, step in steps]
        hosts = [host for path in paths for host in self.get(path)["taskmanagers"]]
        busy = {h["taskmanager-id"] for h in hosts if h["status-counts"]["RUNNING"]}
        return sorted(busy & self.task_managers.keys())

    def wait_for_slots(self, slots: int) -> None:
        """Wait until so many slots have registered."""
        deadline = time.monotonic() + _START_SECONDS
        while self.get("/overview")["slots-total"] < slots:
            assert time.monotonic() < deadline, f"no {slots} task slots, see {self.folder}"
            time.sleep(0.2)

    def get(self, path: str) -> dict:
        """Ask the REST endpoint."""
        with urllib.request.urlopen(f"http://{self.master}{path}", timeout=10) as answer:
            return json.load(answer)

    def _java(self, name: str, main: str, heap: str, *settings: str) -> list[str]:
        log = [f"-Dlog.file={self.folder / name}.log"]
        log.append(f"-Dlog4j.configurationFile={self.folder / 'log4j.properties'}")
        command = ["java", *_OPENS, f"-Xmx{heap}", "-XX:MaxDirectMemorySize=512m", *log]
        jars = os.pathsep.join(map(str, self.jars))
        command += ["-cp", jars, main, "--configDir", str(self.folder)]
        return [*command, *settings]

    def _configure(self, slots: int) -> None:
        settings = {
            "jobmanager.rpc.address": "localhost",
            "jobmanager.rpc.port": self.rpc,
            "jobmanager.bind-host": "localhost",
            "rest.address": "localhost",
            "rest.bind-address": "localhost",
            "rest.port": self.rest,
            "blob.server.port": free_port(),
            "taskmanager.host": "localhost",
            "taskmanager.bind-host": "localhost",
            "taskmanager.numberOfTaskSlots": slots,
            "io.tmp.dirs": str(self.folder),
            **_MEMORY,
            **_HEARTBEAT,
            **(_RESTART if self.restarts else _NO_RESTART),
        }
        os.makedirs(self.folder, exist_ok=True)
        text = "".join(f"{key}: {value}\n" for key, value in settings.items())
        (self.folder / "config.yaml").write_text(text)
        (self.folder / "log4j.properties").write_text(
            "rootLogger.level = INFO\nrootLogger.appenderRef.file.ref = File\n"
            "appender.file.name = File\nappender.file.type = FILE\n"
            "appender.file.fileName = ${sys:log.file}\nappender.file.layout.type = PatternLayout\n"
            "appender.file.layout.pattern = %d %p %c{1} %m%n\n"
        )
