"""Labels of one grid of voxels on another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray


def resampled(
    labels: NDArray[Any], way: NDArray[np.floating], shape: tuple[int, ...]
) -> NDArray[Any]:
    """Give every voxel of a grid the nearest label of another one.

    Parameters
    ----------
    labels : ndarray
        Integers.
    way : ndarray
        (n + 1, n + 1) matrix from voxels of the grid to those of ``labels``.
    shape : tuple of int
        Of the grid.

    Returns
    -------
    ndarray
        Of that shape and the type of ``labels``; 0 where there are none.
    """
    count = labels.ndim
    plain = labels.view(np.uint8) if labels.dtype == bool else labels
    found = ndimage.affine_transform(
        plain,
        way[:count, :count],
        way[:count, count],
        output_shape=shape,
        order=0,
        mode="grid-constant",  # the half of a voxel beyond the last centre counts
        prefilter=False,
    )
    return np.asarray(found, labels.dtype)


def is_turned(way: NDArray[np.float64], tolerance: float) -> bool:
    """Whether a way between grids turns and moves by whole voxels, so all is kept.

    Parameters
    ----------
    way : ndarray
        (n + 1, n + 1) matrix from voxels to voxels.
    tolerance : float
        Voxels by which it may miss whole ones.
    """
    turn, corner = way[:-1, :-1], way[:-1, -1]
    whole = np.rint(turn)
    permutes = (np.abs(whole).sum(axis=0) == 1).all() and (
        np.abs(whole).sum(axis=1) == 1
    ).all()
    exact = np.allclose(turn, whole, atol=1e-3)
    near = np.abs(corner - np.rint(corner)).max(initial=0) <= tolerance
    return bool(permutes and exact and near)
