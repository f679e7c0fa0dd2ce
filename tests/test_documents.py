"""The Markdown files of the repository: their examples parse, and their links lead to files."""

import ast
import re
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    path.relative_to(ROOT)
    for path in [*ROOT.glob("*.md"), *(p for d in ("docs", "benchmarks", "examples")
                                       for p in (ROOT / d).rglob("*.md"))]
)  # fmt: skip
PYTHON = re.compile(r"^( *)```python\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"^ *```.*?^ *```|`[^`\n]*`", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_the_python_examples_of_a_document_parse(document):
    for _, code in PYTHON.findall((ROOT / document).read_text(encoding="utf-8")):
        ast.parse(textwrap.dedent(code))


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_the_links_of_a_document_lead_to_files_of_the_repository(document):
    text = CODE.sub("", (ROOT / document).read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        if "://" not in target and not target.startswith("mailto:"):
            assert (ROOT / document.parent / target).exists(), target
