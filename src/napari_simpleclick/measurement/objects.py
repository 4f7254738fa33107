"""What a mask says of its objects: sizes, diameters, places and intensities."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage
from skimage.measure import label

from napari_simpleclick.errors import UserError
from napari_simpleclick.measurement.diameters import (
    Diameters,
    feret_diameter,
    slice_diameters,
)
from napari_simpleclick.measurement.surface import surface_area

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

PERCENTILES = (5, 25, 75, 95)
"""Percentiles of the intensities that are given beside the median."""


@dataclass(frozen=True)
class Intensities:
    """Intensities of an image inside an object.

    Parameters
    ----------
    mean, median, sd : float
        In the image's own values; the standard deviation is that of the voxels (over
        N). NaN voxels are left out.
    percentiles : tuple of float
        At :data:`PERCENTILES`.
    """

    mean: float
    median: float
    sd: float
    percentiles: tuple[float, ...]


@dataclass(frozen=True)
class SliceMeasures:
    """An object in one slice.

    Parameters
    ----------
    index : int
        Number of the slice.
    pixels : int
        Number of its pixels.
    area : float
        In the square of the unit.
    diameters : Diameters
        Longest diameter, and the longest across it.
    """

    index: int
    pixels: int
    area: float
    diameters: Diameters


@dataclass(frozen=True)
class ObjectMeasures:
    """An object of a mask.

    Parameters
    ----------
    label : int
        Its value in the mask.
    name : str
        What the person calls it; empty for no name.
    unit : {"mm", "px"}
        Of lengths; areas and volumes are in its square and cube.
    voxels, parts : int
        Number of voxels, and of parts that touch nowhere, not even at a corner.
    volume : float or None
        In mm³ or px³; None in 2-D.
    surface : float or None
        In mm² or px², see :func:`napari_simpleclick.measurement.surface_area`; None in
        2-D.
    feret : float
        Greatest distance of two of its points.
    centroid : tuple of float
        Mean voxel, px, in the order of the mask's axes.
    place : tuple of float or None
        The same in mm towards right, anterior and superior; None without an affine.
    intensities : dict
        Image name to the intensities inside.
    slices : tuple of SliceMeasures
        Of every slice that it is on, ascending.
    """

    label: int
    name: str
    unit: str
    voxels: int
    parts: int
    volume: float | None
    surface: float | None
    feret: float
    centroid: tuple[float, ...]
    place: tuple[float, float, float] | None
    intensities: Mapping[str, Intensities] = field(default_factory=dict)
    slices: tuple[SliceMeasures, ...] = ()

    @property
    def volume_ml(self) -> float | None:
        """Volume in mL; None in 2-D and without a unit of length."""
        known = self.volume is not None and self.unit == "mm"
        return self.volume / 1000 if known and self.volume is not None else None

    @property
    def longest(self) -> SliceMeasures:
        """The slice with the longest diameter."""
        return max(self.slices, key=lambda one: one.diameters.longest)


def measure(
    labels: ArrayLike,
    spacing: tuple[float, ...] | None = None,
    images: Mapping[str, ArrayLike] | None = None,
    *,
    axis: int = 0,
    affine: ArrayLike | None = None,
    names: Mapping[int, str] | None = None,
) -> list[ObjectMeasures]:
    """Measure every object of a mask.

    Parameters
    ----------
    labels : array_like
        (D, H, W) or (H, W) integer; 0 is background.
    spacing : tuple of float or None
        Size of a voxel along each axis, mm; None measures in px.
    images : mapping of str to array_like, optional
        Images of the mask's shape by name, for intensities.
    axis : int
        The axis that slices follow; ignored in 2-D.
    affine : array_like, optional
        (4, 4) matrix from voxels, in the order of the mask's axes, to mm towards right,
        anterior and superior.
    names : mapping of int to str, optional
        Names of the objects.

    Returns
    -------
    list of ObjectMeasures
        Ascending by label.

    Raises
    ------
    UserError
        If the mask does not hold labels, an image has another shape, or a spacing is
        not positive.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.zeros((30, 40), int)
    >>> mask[10:20, 5:35] = 1
    >>> found = measure(mask, (0.5, 0.5))[0]
    >>> found.slices[0].area
    75.0
    >>> round(found.longest.diameters.longest, 1)
    15.8
    """
    array = _checked(labels, spacing)
    pictures = {
        name: _same_shape(np.asarray(image), array.shape, name)
        for name, image in (images or {}).items()
    }
    size = (1.0,) * array.ndim if spacing is None else tuple(map(float, spacing))
    matrix = None if affine is None else np.asarray(affine, float)
    unit = "px" if spacing is None else "mm"
    found = []
    for number, box in enumerate(ndimage.find_objects(array), start=1):
        if box is None:
            continue
        mask = array[box] == number
        corner = tuple(side.start for side in box)
        inside = {name: image[box][mask] for name, image in pictures.items()}
        name = (names or {}).get(number, "")
        found.append(
            _measure(number, name, unit, mask, corner, size, axis, matrix, inside)
        )
    return found


def _measure(
    number: int,
    name: str,
    unit: str,
    mask: NDArray[np.bool_],
    corner: tuple[int, ...],
    spacing: tuple[float, ...],
    axis: int,
    affine: NDArray[np.float64] | None,
    inside: Mapping[str, NDArray[Any]],
) -> ObjectMeasures:
    """Measure the object that fills a box of the mask."""
    solid = mask.ndim == 3
    voxels = int(mask.sum())
    middle = [float(np.mean(place)) for place in np.nonzero(mask)]
    centroid = tuple(at + start for at, start in zip(middle, corner, strict=True))
    return ObjectMeasures(
        label=number,
        name=name,
        unit=unit,
        voxels=voxels,
        parts=int(label(mask, connectivity=mask.ndim, return_num=True)[1]),
        volume=voxels * float(np.prod(spacing)) if solid else None,
        surface=surface_area(mask, spacing) if solid else None,
        feret=feret_diameter(mask, spacing),
        centroid=centroid,
        place=None if affine is None or not solid else _world(affine, centroid),
        intensities={name: _intensities(values) for name, values in inside.items()},
        slices=tuple(_slices(mask, corner, spacing, axis if solid else None)),
    )


def _slices(
    mask: NDArray[np.bool_],
    corner: tuple[int, ...],
    spacing: tuple[float, ...],
    axis: int | None,
) -> list[SliceMeasures]:
    """Measure an object in every slice that it is on."""
    stack = mask[None] if axis is None else np.moveaxis(mask, axis, 0)
    start = 0 if axis is None else corner[axis]
    shown = [at for at in range(mask.ndim) if at != axis]
    size, origin = (
        (values[shown[0]], values[shown[1]]) for values in (spacing, corner)
    )
    found = []
    for index, part in enumerate(stack, start):
        diameters = slice_diameters(part, size)
        if diameters is not None:
            pixels = int(part.sum())
            area = pixels * float(np.prod(size))
            moved = diameters.moved(*origin)
            found.append(SliceMeasures(index, pixels, area, moved))
    return found


def _world(
    affine: NDArray[np.float64], place: tuple[float, ...]
) -> tuple[float, float, float]:
    """Place of a voxel in mm."""
    right, anterior, superior = affine[:3, :3] @ place + affine[:3, 3]
    return float(right), float(anterior), float(superior)


def _intensities(values: NDArray[Any]) -> Intensities:
    """Sum up the values inside an object."""
    numbers = values.astype(np.float64)
    numbers = numbers[np.isfinite(numbers)]
    if numbers.size == 0:
        return Intensities(*(np.nan,) * 3, (np.nan,) * len(PERCENTILES))
    return Intensities(
        float(numbers.mean()),
        float(np.median(numbers)),
        float(numbers.std()),
        tuple(float(value) for value in np.percentile(numbers, PERCENTILES)),
    )


def _checked(
    labels: ArrayLike, spacing: tuple[float, ...] | None
) -> NDArray[np.integer]:
    """Refuse what is no mask, or has no size."""
    array = np.asarray(labels)
    if array.dtype == bool:
        array = array.astype(np.uint8)
    whole = np.issubdtype(array.dtype, np.integer)
    if not whole or array.ndim not in (2, 3) or (array.size and array.min() < 0):
        raise UserError(
            f"A mask of shape {array.shape} and type {array.dtype} cannot be measured; "
            "give labels, whole numbers from 0, of a slice or a volume."
        )
    if spacing is not None and (
        len(spacing) != array.ndim
        or not all(np.isfinite(side) and side > 0 for side in spacing)
    ):
        raise UserError(
            f"A voxel of {' x '.join(f'{side:g}' for side in spacing)} mm does not fit "
            f"a mask of {array.ndim} axes; give a positive size for each."
        )
    return array


def _same_shape(image: NDArray[Any], shape: tuple[int, ...], name: str) -> NDArray[Any]:
    if image.shape != shape:
        raise UserError(
            f"'{name}' has the shape {image.shape}, but the mask {shape}; give the "
            "image that the mask was drawn on."
        )
    return image
