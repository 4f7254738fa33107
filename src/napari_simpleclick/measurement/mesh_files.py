"""Meshes to files, through trimesh."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from napari_simpleclick.images.files import check_writable
from napari_simpleclick.images.optional_packages import require

if TYPE_CHECKING:
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
    partial = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        partial.write_bytes(_bytes(shape.export(file_type=path.suffix.lower()[1:])))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _bytes(content: bytes | str) -> bytes:
    return content.encode() if isinstance(content, str) else content
