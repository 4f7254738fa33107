"""Scans whose axes do not run along those of the body, or are not at right angles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nibabel
import numpy as np
from nibabel.affines import voxel_sizes

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHEAR = 1e-5
"""Part of a voxel's size from which axes are not at right angles (0.25 degrees)."""


def shear_degrees(affine: NDArray[np.float64]) -> float:
    """How far the third axis leans from the normal of the first two; 0 for upright.

    Parameters
    ----------
    affine : ndarray
        (4, 4) from voxels to mm.
    """
    part = float(_heights(affine)[2] / voxel_sizes(affine)[2])
    return 0.0 if part > 1 - SHEAR else float(np.rad2deg(np.arccos(part)))


def upright_sizes(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sizes of the voxels if their axes were at right angles.

    Of a sheared volume each axis counts with its part that is upright on those before
    it, so that volumes stay right and the distance of slices is that of their planes.

    Parameters
    ----------
    affine : ndarray
        (4, 4) from voxels to mm.

    Returns
    -------
    ndarray
        (3,), mm.
    """
    sizes, heights = voxel_sizes(affine), _heights(affine)
    return np.asarray(sizes if np.allclose(heights, sizes, rtol=SHEAR) else heights)


def along_own_axes(
    affine: NDArray[np.float64], voxel: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Place a voxel in a world that has the directions of a file's axes.

    The world has the origin of the patient's, so files of one orientation, and of one
    shear, lie on each other in it wherever they begin.

    Parameters
    ----------
    affine : ndarray
        (4, 4) from voxels to mm (right, anterior, superior).
    voxel : ndarray
        (4,), with 1 at its end.

    Returns
    -------
    ndarray
        (3,) mm along those axes that run nearest to right, anterior and superior; for
        a file without obliqueness the place itself.
    ndarray
        (3,) sizes of the voxels along the file's axes.
    """
    place = np.linalg.solve(own_directions(affine), (affine @ voxel)[:3])
    return np.asarray(place, np.float64), upright_sizes(affine)


def own_directions(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Directions of a file's axes, in the order and sense of those of the body.

    Parameters
    ----------
    affine : ndarray
        (4, 4) from voxels to mm (right, anterior, superior).

    Returns
    -------
    ndarray
        (3, 3); its columns are those of the axes that run nearest to right, anterior
        and superior, the identity for a file without obliqueness.
    """
    turns = nibabel.io_orientation(affine)
    directions = np.empty((3, 3))
    along = affine[:3, :3] / upright_sizes(affine) * turns[:, 1]
    directions[:, turns[:, 0].astype(int)] = along
    return directions


def _heights(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.abs(np.diag(np.linalg.qr(affine[:3, :3])[1]))
