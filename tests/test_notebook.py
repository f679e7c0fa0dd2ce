"""The example notebook runs on a part of the sample, and its outputs are not committed."""

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "examples" / "notebook.ipynb"
PICTURES = 3
# A fit in seconds: the quality does not matter here.
QUICK = """
[views]
count = 0
[metric]
steps = 20
refresh = 10
hidden = 64
[novelty.space]
steps = 40
hidden = 64
[novelty.open_set]
steps = 20
"""


@pytest.mark.slow
def test_the_notebook_runs_and_draws_its_pictures(monkeypatch, tmp_path):
    monkeypatch.setenv("ADVIN_EXAMPLE_EVERY", "20")
    (tmp_path / "quick.toml").write_text(QUICK)
    monkeypatch.setenv("ADVIN_EXAMPLE_CONFIG", str(tmp_path / "quick.toml"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [o for o in outputs if "image/png" in o.get("data", {})]
    assert len(pictures) == PICTURES
    assert any("novel intents" in o.get("data", {}).get("text/html", "") for o in outputs)


def test_no_outputs_are_committed():
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert all(not cell.get("outputs") for cell in cells)
    assert all(cell.get("execution_count") is None for cell in cells)
