"""Write the generated pages of the site: a hook of MkDocs.

The reference comes from the code, and the pages on benchmarks and on the project come from the
Markdown files of the repository. They are made at each build, so they cannot be out of date.
"""

import argparse
import importlib
import pkgutil
import posixpath
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
# MkDocs loads this file by its path, from any folder.
sys.path.insert(0, str(ROOT))

from advin import discovery  # noqa: E402
from advin.discovery.config import Config  # noqa: E402
from advin.discovery.evaluation.meanings import MEANINGS, WEIGHTS  # noqa: E402
from advin.runners.columns import listings  # noqa: E402
from advin.runners.flags import command_line, commands_of  # noqa: E402
from advin.runners.listing import as_markdown  # noqa: E402

# Files of the repository, and the page that each becomes.
COPIED = {
    "benchmarks/README.md": "benchmarks/index.md",
    "benchmarks/history.md": "benchmarks/history.md",
    "ARCHITECTURE.md": "project/architecture.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
}
PUBLIC_MODULES = ("advin", "advin.beam")
LINK = re.compile(r"(!?\[[^]]*\])\(([^)\s]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to the files of the site."""
    pages = {
        "reference/tables.md": tables_page(),
        "reference/configuration.md": configuration_page(),
        "reference/cli.md": command_line_page(),
        "reference/measures.md": measures_page(),
        "reference/api.md": api_page("Python API", PUBLIC_MODULES),
        "reference/discovery.md": api_page("Packages of the method", discovery_modules()),
    }
    for source, page in COPIED.items():
        pages[page] = copied(source, page)
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def tables_page() -> str:
    """Return the page of the tables, as `advin tables` prints them."""
    lines = [
        "# Tables",
        "",
        "A run writes these tables as Parquet. `advin tables` prints this page. Each description "
        "is also in the files, as metadata of the Arrow field.",
    ]
    for listing in listings():
        lines += ["", f"## {listing.title}", "", listing.meaning, ""]
        lines += table(listing.header, [(f"`{name}`", *cells) for name, *cells in listing.rows])
    return "\n".join(lines) + "\n"


def configuration_page() -> str:
    """Return the page of the configuration, as `advin config --format markdown` prints it."""
    lines = [
        "# Configuration",
        "",
        "Every tunable of the method, from `discovery/config.py`. "
        "[Tune the configuration](../howto/tuning.md) explains how to change one.",
        "",
        as_markdown(Config()),
    ]
    return "\n".join(lines)


def measures_page() -> str:
    """Return the page of the measures of `advin evaluate`, from their meanings."""
    lines = ["# Measures", "", "`advin evaluate` and `--json` report these measures.", ""]
    lines += table(("measure", "meaning"), [(f"`{k}`", v) for k, v in MEANINGS.items()])
    lines += ["", WEIGHTS]
    return "\n".join(lines) + "\n"


def command_line_page() -> str:
    """Return the page of the command line, from its parser."""
    parser = command_line()
    lines = ["# Command line", "", f"{parser.description} {parser.epilog}"]
    for name, command in commands_of(parser).items():
        lines += ["", f"## advin {name}", "", command.description or ""]

        for group in command._action_groups:
            rows = [_flag(command, a) for a in group._group_actions if a.dest != "help"]
            if rows:
                lines += ["", f"**{group.title.capitalize()}**", ""]
                lines += table(("flag", "meaning"), rows)
    return "\n".join(lines) + "\n"


def _flag(command: argparse.ArgumentParser, action: argparse.Action) -> tuple[str, str]:
    formatter = command._get_formatter()
    names = ", ".join(action.option_strings) or action.dest
    value = ""
    if action.nargs != 0 and action.option_strings:
        value = " " + formatter._format_args(
            action, formatter._get_default_metavar_for_optional(action)
        )
    required = " (required)" if action.required and action.option_strings else ""
    return f"`{names}{value}`".replace("|", "\\|"), formatter._expand_help(action) + required


def api_page(title: str, modules: Sequence[str]) -> str:
    """Return a page on which mkdocstrings shows the public names of modules."""
    lines = [f"# {title}"]
    for module in modules:
        importlib.import_module(module)
        lines += ["", f"::: {module}"]
    return "\n".join(lines) + "\n"


def discovery_modules() -> list[str]:
    """Return the packages and modules of the method, the parents first."""
    prefix = discovery.__name__ + "."
    return [
        discovery.__name__,
        *(m.name for m in pkgutil.walk_packages(discovery.__path__, prefix)),
    ]


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the links of a page to files outside docs/ into links of the site."""
    path = page.file.src_uri
    is_written = page.file.abs_src_path is not None and (ROOT / "docs" / path).exists()
    return relinked(markdown, f"docs/{path}", path) if is_written else markdown


def copied(source: str, page: str) -> str:
    """Return a Markdown file of the repository with its links turned into links of the site."""
    return relinked((ROOT / source).read_text(encoding="utf-8"), source, page)


def relinked(text: str, source: str, page: str) -> str:
    """Return Markdown with its links turned into links of the site.

    Args:
        text: the Markdown.
        source: path of the file in the repository, from which its links start.
        page: path of the page on the site.
    """
    folder = posixpath.dirname(source)

    def replaced(match: re.Match[str]) -> str:
        label, target = match.groups()
        if "://" in target or target.startswith(("#", "mailto:")):
            return match[0]
        path, hash_mark, anchor = target.partition("#")
        path = posixpath.normpath(posixpath.join(folder, path))
        found = site_page(path)
        if found is None:
            return f"{label[1:-1]} (`{path}`)" if label[1:-1] != path else f"`{path}`"
        link = posixpath.relpath(found, posixpath.dirname(page))
        return f"{label}({link}{hash_mark}{anchor})"

    return LINK.sub(replaced, text)


def site_page(path: str) -> str | None:
    """Return the page of the site for a file of the repository, or None if it has none."""
    if path in COPIED:
        return COPIED[path]
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return {"README.md": "index.md"}.get(path)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield "| " + " | ".join(header) + " |"
    yield "|" + " --- |" * len(header)
    for row in rows:
        yield "| " + " | ".join(" ".join(cell.split()) for cell in row) + " |"
