"""Every package that is imported is declared, and the other way round."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
META = tomllib.loads((PROJECT / "pyproject.toml").read_text())
EXTRAS = META["project"]["optional-dependencies"]

OPTIONAL = {
    **{"pydicom": "dicom", "highdicom": "dicom"},
    **{"SimpleITK": "itk", "distributed": "cluster", "lightning_fabric": "train"},
    **{"trimesh": "meshes", "gdown": "drive", "openvino": "openvino"},
    **{"zarr": "zarr", "roifile": "imagej"},
}
"""Imports that only an extra brings."""

INDIRECT = {"imagecodecs", "tqdm", "xxhash"}
"""Imported by another package on our behalf: tifffile, to decode compressed pages, and
pooch, to show how far a download is and for checksums."""


def declared(requirements):
    """Names of distributions, as PyPI compares them."""
    names = (re.match(r"[\w.-]+", text)[0] for text in requirements)
    return {re.sub(r"[-_.]+", "-", name).lower() for name in names}


def imported():
    """Top-level packages that the source names, by import statement or `require`."""
    found = set()
    for path in (PROJECT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
            elif (
                isinstance(node, ast.Call)
                and getattr(node.func, "id", "") == "require"
                and isinstance(node.args[0], ast.Constant)
            ):
                found.add(str(node.args[0].value).split(".")[0])
    return found - set(sys.stdlib_module_names) - {"napari_simpleclick"}


INSTALLED = packages_distributions()


def distributions(package):
    return {re.sub(r"[-_.]+", "-", name).lower() for name in INSTALLED[package]}


@pytest.mark.parametrize("package", sorted(imported()))
def test_what_is_imported_is_declared(package):
    extra = OPTIONAL.get(package)
    told = EXTRAS[extra] if extra else META["project"]["dependencies"]
    assert distributions(package) & declared(told)


def test_what_is_declared_is_imported():
    used = set().union(*map(distributions, imported()))
    assert declared(META["project"]["dependencies"]) - used <= INDIRECT
