"""The surface of an object: its area, and a mesh of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from skimage.measure import marching_cubes

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.optional_packages import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

MARGIN = 3
"""Empty voxels around an object, so that its surface closes and can be smoothed."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """A surface of triangles.

    Parameters
    ----------
    vertices : ndarray
        (N, 3) float64.
    faces : ndarray
        (M, 3) int32, vertices of each triangle, counter-clockwise seen from outside in
        right-handed coordinates.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]

    @property
    def volume(self) -> float:
        """Volume inside, positive if the faces look outwards."""
        a, b, c = (self.vertices[self.faces[:, corner]] for corner in range(3))
        return float((a * np.cross(b, c)).sum() / 6)


def surface_area(mask: NDArray[np.bool_], spacing: tuple[float, ...]) -> float:
    """Measure the surface of an object.

    Parameters
    ----------
    mask : ndarray
        (D, H, W) bool.
    spacing : tuple of float
        Size of a voxel along each axis.

    Returns
    -------
    float
        In the square of the spacing's unit, by Crofton's formula in 13 directions, as
        ITK has it (G. Lehmann, D. Legland, "Efficient N-Dimensional surface estimation
        using Crofton formula and run-length encoding", Insight Journal 2012). Within a
        percent on smooth shapes of ten voxels and more; flat faces along the axes come
        out up to a tenth too small.

    Raises
    ------
    ImportError
        If SimpleITK is not installed.
    """
    itk = require("SimpleITK", "itk", "measure surfaces")
    image = itk.GetImageFromArray(np.pad(mask, 1).astype(np.uint8))
    image.SetSpacing([float(size) for size in spacing[::-1]])
    shapes = itk.LabelShapeStatisticsImageFilter()
    shapes.ComputePerimeterOn()
    shapes.Execute(image)
    return float(shapes.GetPerimeter(1)) if mask.any() else 0.0


def plain_frame(sizes: Sequence[float]) -> NDArray[np.float64]:
    """Give the (4, 4) matrix from voxels to x, y, z of an image without orientation.

    Parameters
    ----------
    sizes : sequence of float
        Of a voxel along z, y and x, as the axes of the mask.
    """
    return np.diag([*sizes, 1.0])[[2, 1, 0, 3]]


def surface_mesh(
    mask: NDArray[np.bool_],
    affine: ArrayLike,
    smoothing: float = 0.7,
) -> Mesh:
    """Make a smooth mesh of an object.

    Parameters
    ----------
    mask : ndarray
        (D, H, W) bool.
    affine : array_like
        (4, 4) matrix from voxels to the coordinates of the mesh; a diagonal of the
        voxel's sizes leaves it where the mask is.
    smoothing : float
        Width of the Gaussian, in voxels of the finest axis, that takes the steps off;
        0 keeps them.

    Returns
    -------
    Mesh
        By marching cubes.

    Raises
    ------
    UserError
        If the mask is empty.
    """
    if not mask.any():
        raise UserError("This object is empty and has no surface; draw it first.")
    matrix = np.asarray(affine, float)
    sizes = np.linalg.norm(matrix[:3, :3], axis=0)
    field = np.pad(mask, MARGIN).astype(np.float32)
    field = ndimage.gaussian_filter(field, smoothing * sizes.min() / sizes)
    level = min(0.5, float(field.max()) / 2)  # a thin object survives the smoothing
    vertices, faces, _, _ = marching_cubes(field, level)
    placed = (vertices - MARGIN) @ matrix[:3, :3].T + matrix[:3, 3]
    mesh = Mesh(placed, faces.astype(np.int32))
    return mesh if mesh.volume >= 0 else Mesh(placed, mesh.faces[:, ::-1])
