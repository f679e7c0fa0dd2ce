"""The engines' programs, brought once from Maven Central, PyPI and the Go proxy into .engines/."""

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

from apache_beam.version import __version__ as beam_version

CACHE = Path(os.environ.get("ADVIN_ENGINES", Path(__file__).parents[2] / ".engines"))
_FLINK = "1.19.3"
_SECONDS = 600


def missing() -> str | None:
    """Return what this machine lacks to run Flink at all, or None."""
    lacking = [program for program in ("java", "mvn") if shutil.which(program) is None]
    return f"no {' and no '.join(lacking)} on PATH" if lacking else None


def job_server() -> Path:
    """Return the folder with the jars of Beam's job server.

    For each job the server uploads its whole class path to the cluster, 150 MB, which would be most
    of the tests' time. It leaves out what lies in a folder gradle/wrapper, so there these lie; the
    cluster of the tests has them in its own class path, as a cluster that runs much Beam should.
    """

    def make(target: Path) -> None:
        pom = Path(__file__).with_name("job-server.xml")
        goal = "org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies"
        flags = ["-DincludeScope=runtime", f"-DoutputDirectory={target / 'gradle' / 'wrapper'}"]
        _call(["mvn", "-q", "-B", "-f", str(pom), goal, *flags])

    return _cached("job-server-2.62.0", make) / "gradle" / "wrapper"


def flink() -> Path:
    """Return the folder with the jars of Flink itself, from PyFlink's package of them."""

    def make(target: Path) -> None:
        target.mkdir()
        package = f"apache-flink-libraries=={_FLINK}"
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"]
        _call([*pip, "-d", str(target), package])
        (archive,) = target.glob("*.tar.gz")
        with tarfile.open(archive) as tar:
            for member in tar.getmembers():
                name = Path(member.name)
                if name.suffix == ".jar" and name.parts[1:3] == ("deps", "lib"):
                    (target / name.name).write_bytes(tar.extractfile(member).read())
        archive.unlink()

    return _cached(f"flink-{_FLINK}", make)


def cluster_jars() -> list[Path]:
    """Return the class path of a Flink that knows Beam: no second Flink, and one logger."""
    beam = [p for p in job_server().iterdir() if not p.name.startswith(("flink-", "slf4j-"))]
    return sorted(flink().iterdir()) + sorted(beam)


def prism() -> Path | None:
    """Return Prism's binary, or None where there is none and no Go to build it."""
    on_path = shutil.which("prism")
    if on_path or shutil.which("go") is None:
        return Path(on_path) if on_path else None

    def make(target: Path) -> None:
        module = f"github.com/apache/beam/sdks/v2/go/cmd/prism@v{beam_version}"
        _call(["go", "install", module], os.environ | {"GOBIN": str(target)})

    return _cached(f"prism-{beam_version}", make) / "prism"


def _cached(name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder of the cache; it gets its name only when it is whole."""
    folder = CACHE / name
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        unfinished = CACHE / f"{name}.{os.getpid()}"
        try:
            make(unfinished)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _call(command: list[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if done.returncode:
        tail = (done.stdout + done.stderr)[-2000:]
        raise RuntimeError(f"`{' '.join(command)}` ended with code {done.returncode}: {tail}")
