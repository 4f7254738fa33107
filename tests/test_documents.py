"""What the documents say about the code is there: imports, files, commands, links."""

import ast
import importlib
import re
import tomllib
import warnings
from pathlib import Path

import pytest
import typer.main

from napari_simpleclick.cli import app

PROJECT = Path(__file__).parents[1]
PACKAGE = PROJECT / "src" / "napari_simpleclick"
PAGES = [
    *sorted((PROJECT / "docs").glob("**/*.md")),
    *(PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
]
SCRIPTS = [
    path
    for folder in ("docs", "examples", "benchmarks")
    for path in sorted((PROJECT / folder).glob("*.py"))
]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def name_of(path):
    return str(path.relative_to(PROJECT))


def blocks(page, language):
    return [
        code
        for kind, code in BLOCK.findall(page.read_text("utf-8"))
        if kind == language
    ]


def check_imports(code):
    """Import every name of this package that some code imports, as it stands now."""
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        if node.module.split(".")[0] == "napari_simpleclick":
            module = importlib.import_module(node.module)
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_scripts_import_what_is_there(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        check_imports(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_code_in_pages_imports_what_is_there(page):
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        for code in blocks(page, "python"):
            check_imports(code)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_in_pages_are_there(page):
    known = typer.main.get_command(app).commands
    for code in blocks(page, "bash"):
        for line in code.splitlines():
            words = line.split()
            if words[:1] == ["napari-simpleclick"] and words[1][0] not in "-.":
                assert words[1] in known, line


def places(text):
    """Files and folders of the source that a page names."""
    for name in re.findall(r"`([\w./-]+)`", text):
        if name.startswith(("src/", "tests/", "docs/", "examples/", "packaging/")):
            yield name, PROJECT / name
        elif re.fullmatch(r"[a-z_]+/([a-z_]+/)*([a-z_]+\.(py|toml))?", name):
            yield name, PACKAGE / name


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/design.md"])
def test_files_that_developers_are_sent_to_exist(page):
    found = dict(places((PROJECT / page).read_text(encoding="utf-8")))
    assert len(found) > 10
    missing = [name for name, path in found.items() if not path.exists()]
    assert not [name for name in missing if "NAME" not in name]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if not target.startswith(("http", "#")):
            assert (page.parent / target.partition("#")[0]).exists(), target


def test_readme_shows_everywhere():
    """The hub and PyPI have no files beside it."""
    targets = re.findall(r"\]\(([^)]+)\)", (PROJECT / "README.md").read_text("utf-8"))
    assert targets
    assert all(target.startswith("https://") for target in targets)


def test_every_page_is_in_the_menu():
    text = (PROJECT / "mkdocs.yml").read_text(encoding="utf-8")
    menu = set(re.findall(r": ([\w/-]+\.md)$", text, re.MULTILINE))
    docs = PROJECT / "docs"
    assert menu == {p.relative_to(docs).as_posix() for p in docs.glob("**/*.md")}


def test_citation_is_of_a_released_or_the_next_version():
    cited = re.search(r"^version: (.+)$", (PROJECT / "CITATION.cff").read_text(), re.M)
    changes = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert cited
    assert f"## {cited[1]}" in changes
    meta = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    assert meta["tool"]["hatch"]["version"]["source"] == "vcs"
