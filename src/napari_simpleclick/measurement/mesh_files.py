"""Meshes to files, through trimesh."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_simpleclick.images.files import check_writable
from napari_simpleclick.images.optional_packages import require
from napari_simpleclick.measurement.write_file import write_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_simpleclick.measurement.surface import Mesh

MESHES = (".stl", ".ply", ".obj")
"""Kinds of files that hold a mesh."""


def write_mesh(path: Path, mesh: Mesh) -> None:
    """Write a mesh; the old file stays whole until the new one is.

    Parameters
    ----------
    path : Path
        Target; one of :data:`MESHES`.
    mesh : Mesh
        Its coordinates are written as they are.

    Raises
    ------
    UserError
        If the target cannot be written.
    ImportError
        If trimesh is not installed.
    """
    check_writable(path, MESHES)
    trimesh = require("trimesh", "meshes", "write surfaces")
    shape = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    write_file(path, shape.export(file_type=path.suffix.lower()[1:]))


def mesh_paths(path: Path, labels: list[int]) -> dict[int, Path]:
    """Name the files of several meshes: with their numbers behind the name.

    Parameters
    ----------
    path : Path
        The name; one mesh alone gets it as it is.
    labels : list of int
        Of the meshes.
    """
    if len(labels) == 1:
        return {labels[0]: path}
    return {label: path.with_stem(f"{path.stem}-{label}") for label in labels}


def write_meshes(path: Path, meshes: Mapping[int, Mesh]) -> list[Path]:
    """Write the meshes of several objects, each to a file; see :func:`mesh_paths`.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    UserError, ImportError
        As for :func:`write_mesh`.
    """
    paths = mesh_paths(path, list(meshes))
    for label, mesh in meshes.items():
        write_mesh(paths[label], mesh)
    return list(paths.values())
