"""Output folders: names of any kind work, and what cannot be written to is refused at once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from test_models import model_with

from advin.pipelines import storage
from advin.pipelines.errors import SettingsError
from advin.pipelines.models import check_replaceable, is_fitted_on, save_model
from advin.pipelines.outputs import check_output
from advin.pipelines.stages import Workspace

ODD_NAMES = ("a b", "run[1]", "*", "100%", "lo\ng", "q?", "-x", "ü", "trailing.gz")


def claim(folder: Path, settings: dict | None = None) -> Workspace:
    return Workspace.claim(str(folder), settings or {"seed": 0}, PipelineOptions([]))


@pytest.mark.parametrize("name", ODD_NAMES)
def test_files_in_a_folder_of_any_name_are_written_listed_and_deleted(name, tmp_path):
    folder = tmp_path / name / "stages"
    check_output("--output", str(folder), {})
    assert not folder.parent.exists()
    # A folder whose name the pattern would match stays as it is.
    (tmp_path / "run1" / "stages").mkdir(parents=True)
    storage.write_text(str(folder / "data" / "part.txt"), "x")
    assert list(storage.list_parts(str(folder))) == ["data"]
    assert storage.list_files(str(folder / "data"), ".txt") == ["part.txt"]
    storage.delete(str(folder))
    assert not folder.exists() and (tmp_path / "run1" / "stages").exists()


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("file", "it is a file"),
        ("file/below", "Not a directory"),
        ("nowhere", "it is a link to nothing"),
        ("log", "lies in the folder"),
        ("log/run", "lies in the folder"),
        ("link/run", "lies in the folder"),
        ("/proc/run", "cannot write into the folder"),
        ("x" * 300, "File name too long"),
    ],
)
def test_an_output_that_cannot_be_used_is_refused(output, words, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "log").mkdir()
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    (tmp_path / "link").symlink_to(tmp_path / "log")
    with pytest.raises(SettingsError, match=words):
        check_output("--output", str(tmp_path / output), {"--input": str(tmp_path / "log")})
    assert not list((tmp_path / "log").iterdir())


def test_a_folder_with_the_unfinished_claim_of_a_killed_run_is_used(tmp_path):
    (tmp_path / ".run.json.0123").write_text("{")
    assert claim(tmp_path).fingerprint == claim(tmp_path).fingerprint
    with pytest.raises(SettingsError, match="holds another run"):
        claim(tmp_path, {"seed": 1})


def test_a_folder_is_usable_after_a_kill_at_any_time(tmp_path):
    code = (
        "import sys; from apache_beam.options.pipeline_options import PipelineOptions as P; "
        "from advin.pipelines.stages import Workspace; print('go', flush=True); "
        "[Workspace.claim(f'{sys.argv[1]}/{i}', {'seed': 0}, P([])) for i in range(10**6)]"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.3)
        process.send_signal(signal.SIGKILL)
    folders = sorted(tmp_path.iterdir(), key=lambda path: int(path.name))
    assert folders
    for folder in folders[-3:]:
        claim(folder)


def test_a_model_of_another_fit_is_replaced_only_on_request(tmp_path):
    folder = str(tmp_path)
    check_replaceable(folder, "other", overwrite=False)
    save_model(folder, model_with(0.5), "mine")
    assert is_fitted_on(folder, "mine") and not is_fitted_on(folder, "other")
    check_replaceable(folder, "mine", overwrite=False)
    check_replaceable(folder, "other", overwrite=True)
    with pytest.raises(SettingsError, match="--overwrite"):
        check_replaceable(folder, "other", overwrite=False)


def test_a_damaged_model_is_not_taken_for_a_fitted_one(tmp_path):
    save_model(str(tmp_path), model_with(0.5), "mine")
    os.truncate(tmp_path / "model.safetensors", 100)
    assert not is_fitted_on(str(tmp_path), "mine")
