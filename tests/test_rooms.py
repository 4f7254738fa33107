"""Who may import whom, and how fast the package itself is imported."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import napari_simpleclick

PACKAGE = "napari_simpleclick"
ROOT = Path(napari_simpleclick.__file__).parent
ROOMS = (
    ("prompts",),
    ("networks",),
    ("weights",),
    ("annotation", "inference"),
    ("propagation", "measurement", "sessions", "exports"),
    ("evaluation", "training"),
    ("workflow",),
    ("plugin", "cli"),
)
"""From the ground up: a room imports those below it, and those beside it."""

RANK = {room: rank for rank, rooms in enumerate(ROOMS) for room in rooms}

FREE = {"errors", "images", "samples", "tasks"}
"""Rooms that import no other room, and that every room may import."""

TORCH = {"networks", "weights", "inference", "training"}
WINDOW = {"qtpy", "napari", "magicgui", "superqt"}


def name_of(path: Path) -> str:
    parts = (PACKAGE, *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> set[str]:
    """Names of all that a module imports: at once, later, or for its types only."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, f"{path}: relative import"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


MODULES = {name_of(path): path for path in ROOT.rglob("*.py")}


def room_of(name: str) -> str:
    """Room of a module or of a name in it; empty for the package's front door."""
    first = name.removeprefix(f"{PACKAGE}.").partition(".")[0]
    return first if first in {*RANK, *FREE} else ""


INSIDE = sorted(name for name in MODULES if room_of(name))


def test_every_room_has_its_place():
    """What is left are the front door and the private modules beside it."""
    rest = {name for name in MODULES if not room_of(name)} - {PACKAGE}
    assert all(name.startswith(f"{PACKAGE}._") for name in rest)


@pytest.mark.parametrize("module", INSIDE)
def test_rooms_import_only_what_they_may(module):
    room = room_of(module)
    for name in imports_of(MODULES[module]):
        top = name.partition(".")[0]
        assert top != "torch" or room in TORCH, name
        assert top not in WINDOW or room == "plugin", name
        if top != PACKAGE or not room_of(name):
            continue
        other = room_of(name)
        if room in FREE:
            assert other in FREE, name
        elif other not in FREE:
            assert RANK[other] <= RANK[room], name


def graph() -> dict[str, set[str]]:
    """Which modules of ours each module imports, in whatever way."""
    found = {}
    for module, path in MODULES.items():
        names = imports_of(path)
        names |= {name.rpartition(".")[0] for name in names if name not in MODULES}
        found[module] = (names & set(MODULES)) - {module, PACKAGE}
    return found


def reached(edges: dict[str, set[str]], start: str) -> set[str]:
    seen, todo = set(), [start]
    while todo:
        for name in edges[todo.pop()] - seen:
            seen.add(name)
            todo.append(name)
    return seen


def test_no_circles_also_none_of_types():
    """The front door imports lazily, and has the version that all may ask for."""
    edges = graph()
    circles = [module for module in edges if module in reached(edges, module)]
    assert circles == []


def test_a_circle_of_rooms_would_be_found():
    edges = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}
    assert [name for name in edges if name in reached(edges, name)] == ["a", "b", "c"]


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
