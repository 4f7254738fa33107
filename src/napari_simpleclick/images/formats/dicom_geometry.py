"""Distances of DICOM slices, and the matrix that places a stack of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.image_file import FLIP

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_simpleclick.images.formats.dicom_slice import Slice

TOLERANCE = 0.1
"""Part of the slice distance by which positions may be off."""

SAME = 1e-3
"""Part of a pixel's size, of a direction, and mm, below which two are the same."""

DISTANCES = ("SpacingBetweenSlices", "SliceThickness")
"""Where a header says how far slices are from each other."""


def slice_distance(
    slices: list[Slice], places: NDArray[np.float64], which: str
) -> tuple[float, tuple[str, ...]]:
    """Distance of the slices in mm, and warnings where it is not the same.

    Raises
    ------
    UserError
        If two are nearly at the same place.
    """
    if len(places) == 1:
        return thickness(slices[0], DISTANCES[::-1])[0], ()
    gaps = np.diff(places)
    usual = np.quantile(gaps, 0.75, method="lower")  # pairs are half of the gaps
    if gaps.min() < max(SAME, TOLERANCE * usual):
        at = int(np.argmin(gaps))
        names = " and ".join(f"'{one.path.name}'" for one in slices[at : at + 2])
        raise UserError(
            f"{which} has several slices at the same position, or nearly so ({names}), "
            "which cannot be stacked; move one of them out of the folder, or put those "
            "of one time into a folder of their own."
        )
    step = float(np.median(gaps))
    if 0.4 * step < gaps.min() < (1 - TOLERANCE) * step:  # most gaps lack a slice
        step = float(gaps.min())
    steps = np.rint(gaps / step)
    if np.abs(gaps - steps * step).max() > TOLERANCE * step:
        return float(gaps.mean()), (
            f"{which} has slices at uneven distances, {gaps.min():.4g} to "
            f"{gaps.max():.4g} mm; they are shown as if they were even.",
        )
    missing = [
        f"{place + step * number:.4g}"
        for place, count in zip(places, steps, strict=False)
        for number in range(1, int(count))
    ]
    if not missing:
        return float(gaps.mean()), ()
    listed = ", ".join(missing[:10]) + (", …" if len(missing) > 10 else "")
    return step, (
        f"{which} lacks {len(missing)} slices, at {listed} mm along the series; the "
        "others are stacked without a gap, so lengths across it are too short.",
    )


def thickness(one: Slice, names: tuple[str, ...] = DISTANCES) -> tuple[float, str]:
    """Distance to the next slice as the header of one has it, and where it says so."""
    for name in names:
        found = one.number(name)
        if found and found > 0:
            return found, name
    return 1.0, ""


def place_matrix(slices: list[Slice], step: float) -> NDArray[np.float64]:
    """(4, 4) from column, row, slice to mm; sheared if the gantry was tilted."""
    one = slices[0]
    assert one.directions is not None and one.position is not None
    normal = np.cross(*one.directions)
    across = normal
    if len(slices) > 1 and slices[-1].position is not None:
        way = slices[-1].position - one.position
        across = way / (normal @ way)
    return matrix(one, across * step, one.position)


def matrix(
    one: Slice, step: NDArray[np.float64], origin: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(4, 4) from column, row, slice to mm, of slices that lie like one of them.

    Parameters
    ----------
    one : Slice
        Gives directions and distances of rows and columns; without any they are those
        of an axial slice, and 1 mm.
    step, origin : ndarray
        (3,) way to the next slice, and centre of the first voxel, mm (LPS).
    """
    height, width = one.pixel or (1.0, 1.0)
    along_row, along_column = (
        np.eye(3)[:2] if one.directions is None else one.directions
    )
    affine = np.eye(4)
    affine[:3, 0] = along_row * width
    affine[:3, 1] = along_column * height
    affine[:3, 2] = step
    affine[:3, 3] = origin
    return FLIP @ affine
