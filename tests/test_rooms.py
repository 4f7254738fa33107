"""Who may import whom, and how fast the package itself is imported."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import napari_simpleclick

ROOT = Path(napari_simpleclick.__file__).parent
RANK = {
    "prompts": 0,
    "networks": 1,
    "weights": 2,
    "annotation": 3,
    "inference": 3,
    "sessions": 4,
    "propagation": 4,
    "measurement": 4,
    "evaluation": 5,
    "training": 6,
    "workflow": 7,
    "plugin": 8,
    "cli": 9,
}
FREE = {"errors", "images", "samples"}
"""Rooms that import no other room, and that every room may import."""

TORCH = {"networks", "weights", "inference", "training"}
QT = {"plugin"}


def imports_of(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


MODULES = [path for path in ROOT.rglob("*.py") if path.parent != ROOT]
MODULES.append(ROOT / "prompts.py")


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_rooms_import_only_what_they_may(path):
    room = path.relative_to(ROOT).parts[0].removesuffix(".py")
    for name in imports_of(path):
        top, *rest = name.split(".")
        if top == "torch":
            assert room in TORCH, name
        if top in ("qtpy", "napari", "magicgui", "superqt"):
            assert room in QT, name
        if top == "napari_simpleclick" and rest and rest[0] in {*RANK, *FREE}:
            other = rest[0]
            if room in FREE:
                assert other in FREE, name
            elif other not in FREE and other != room:
                assert RANK[other] < RANK[room], name


def test_import_is_light():
    code = (
        "import sys, napari_simpleclick; "
        "print([m for m in ('torch', 'qtpy', 'napari', 'numpy') if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


def test_public_names_exist():
    for name in napari_simpleclick.__all__:
        assert getattr(napari_simpleclick, name)
    with pytest.raises(AttributeError, match="nothing"):
        napari_simpleclick.nothing  # noqa: B018
