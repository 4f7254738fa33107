"""Matrices from voxels to mm: whether two agree, and whether one is sheared."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from nibabel.affines import voxel_sizes

if TYPE_CHECKING:
    from numpy.typing import NDArray


ITK_TOLERANCE = 1e-4
"""Cosine between two axes beyond which ITK takes them for sheared."""


def distance(
    one: NDArray[np.float64], other: NDArray[np.float64], shape: tuple[int, ...]
) -> float:
    """Largest distance between the places that two matrices give a voxel.

    Parameters
    ----------
    one, other : ndarray
        (4, 4), from voxels to mm.
    shape : tuple of int
        Of the volume; axes beyond three do not count.

    Returns
    -------
    float
        In voxels, along the axes of ``other``; infinite if that is singular.
    """
    if not np.isfinite(other).all() or np.linalg.det(other[:3, :3]) == 0:
        return np.inf
    sides = [(0, length - 1) for length in (*shape, 1, 1, 1)[:3]]
    corners = np.array([(*corner, 1) for corner in product(*sides)]).T
    there = np.linalg.solve(other, one @ corners)
    return float(np.abs(there - corners).max())


def shear(affine: NDArray[np.float64]) -> float:
    """Largest cosine between two axes; 0 if they are at right angles."""
    axes = affine[:3, :3] / voxel_sizes(affine)
    return float(np.abs(axes.T @ axes - np.eye(3)).max())


def at_right_angles(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Nearest matrix whose axes are at right angles and as long as they were.

    The nearest rotation is the orthogonal factor of the polar decomposition.
    """
    sizes = voxel_sizes(affine)
    left, _, right = np.linalg.svd(affine[:3, :3] / sizes)
    out = affine.copy()
    out[:3, :3] = left @ right * sizes
    return out


def shear_warning(path: object, affine: NDArray[np.float64]) -> tuple[str, ...]:
    """Say that an image is shown without its shear, if it has one."""
    angle = np.rad2deg(np.arcsin(min(shear(affine), 1.0)))
    if angle < 0.1:
        return ()
    return (
        f"The axes of '{path}' are not at right angles, by {angle:.1f} degrees (as "
        "with a tilted gantry); it is shown as if they were.",
    )
