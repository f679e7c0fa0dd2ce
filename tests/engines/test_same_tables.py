"""The sample gives the same model and tables, byte for byte, on every engine."""

import os

import programs
import pytest
from sample import TABLES, fit_command, run

pytestmark = [pytest.mark.engines, pytest.mark.timeout(900, func_only=True)]


@pytest.fixture(scope="module")
def rows(reference):
    """A row of hashes for each engine, printed side by side at the end."""
    rows = {"direct": (reference, None)}
    yield rows
    width = max(map(len, rows))
    print(f"\n{'':{width}}  " + "  ".join(f"{t:16}" for t in TABLES) + "  seconds")
    for engine, (hashes, seconds) in rows.items():
        shown = "" if seconds is None else f"{seconds:7.0f}"
        print(f"{engine:{width}}  " + "  ".join(hashes[t] for t in TABLES) + f"  {shown}")


@pytest.fixture
def check(discover, reference, rows):
    def run(engine: str, *flags: str) -> None:
        outcome = discover(*flags)
        assert outcome.code == 0, outcome.lines
        rows[engine] = outcome.tables, outcome.seconds
        assert outcome.tables == reference

    return run


def test_the_portable_engine_gives_the_same_tables(check):
    check("portable", "--runner", "portable")


def test_prism_gives_the_same_tables(check, monkeypatch):
    binary = programs.prism()
    if binary is None:
        pytest.skip("PRISM WAS NOT TESTED: no prism on PATH, and no Go to build it")
    monkeypatch.setenv("ADVIN_PRISM", str(binary))
    check("prism", "--runner", "prism")


def test_flink_in_one_process_gives_the_same_tables(check):
    check("flink [local]", "--runner", "flink")


@pytest.mark.parametrize("parallelism", [1, 4])
def test_a_flink_cluster_gives_the_same_tables(check, cluster, pool, parallelism):
    flags = ["--runner", "flink", "--flink-master", cluster.master, "--worker-pool", pool]
    check(f"flink cluster, {parallelism}", *flags, "--parallelism", str(parallelism))


def test_rounds_of_linkage_give_the_same_tables(discover, cluster, pool):
    # A limit this low forces rounds of linkage on several workers.
    rounds = ["--max-linked", "1500"]
    flags = ["--runner", "flink", "--flink-master", cluster.master, "--worker-pool", pool]
    direct = discover("--runner", "direct", *rounds)
    assert direct.code == 0, direct.lines
    there = discover(*flags, *rounds)
    assert there.code == 0, there.lines
    assert there.tables == direct.tables
    print(f"\nin rounds on the Flink cluster: {there.seconds:.0f} s, {there.tables}")


def test_a_flink_cluster_fits_the_same_model(cluster, pool, model, tmp_path):
    flags = ["--runner", "flink", "--flink-master", cluster.master, "--worker-pool", pool]
    outcome = run(fit_command(tmp_path, *flags, "--parallelism", "2"), tmp_path, dict(os.environ))
    assert outcome.code == 0, outcome.lines
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / name).read_bytes() == (model / name).read_bytes()
    print(f"fitted on the Flink cluster in {outcome.seconds:.0f} s")
