"""Where a mask and its measures come from, so that they can be made again."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

import napari_simpleclick

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

BLOCK = 2**20
"""Bytes of a file that are read at a time."""


def file_hash(path: Path) -> str:
    """Hash a file, or all files of a folder by their names, with SHA-256.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if not file.is_file():
            continue
        if path.is_dir():
            digest.update(str(file.relative_to(path)).encode())
        with file.open("rb") as content:
            while block := content.read(BLOCK):
                digest.update(block)
    return digest.hexdigest()


def array_hash(array: NDArray[np.generic]) -> str:
    """Hash the values of an array, with its type and shape, with SHA-256."""
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def software() -> str:
    """Name this software with its version."""
    return f"napari-simpleclick {napari_simpleclick.__version__}"
