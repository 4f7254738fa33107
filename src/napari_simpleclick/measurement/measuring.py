"""Measuring the objects of a mask: sizes, diameters, places and intensities."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import ndimage
from skimage.measure import label

from napari_simpleclick.errors import UserError
from napari_simpleclick.measurement.diameters import feret_diameter, slice_diameters
from napari_simpleclick.measurement.objects import (
    PERCENTILES,
    Intensities,
    ObjectMeasures,
    SliceMeasures,
)
from napari_simpleclick.measurement.surface import surface_area
from napari_simpleclick.measurement.volume_range import Sureness, volume_margin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray


def measure(
    labels: ArrayLike,
    spacing: tuple[float, ...] | None = None,
    images: Mapping[str, ArrayLike] | None = None,
    *,
    axis: int = 0,
    affine: ArrayLike | None = None,
    names: Mapping[int, str] | None = None,
    corner: tuple[int, ...] | None = None,
    surface: bool = True,
    sureness: Mapping[int, Sureness] | None = None,
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
    corner : tuple of int, optional
        Where the first voxel lies in the whole mask, if this is a part of it; places
        and slices are those of the whole.
    surface : bool
        Whether to measure surfaces, which needs SimpleITK.
    sureness : mapping of int to Sureness, optional
        How the slices of each object were made; by default a person has drawn or
        accepted them all.

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
    array, numbers = _consecutive(_checked(labels, spacing))
    pictures = {
        name: _same_shape(np.asarray(image), array.shape, name)
        for name, image in (images or {}).items()
    }
    frame = _Frame(
        "px" if spacing is None else "mm",
        (1.0,) * array.ndim if spacing is None else tuple(map(float, spacing)),
        axis if array.ndim == 3 else None,
        None if affine is None else np.asarray(affine, float),
        surface,
    )
    found = []
    boxes = ndimage.find_objects(array) if array.size else ()
    for place, box in enumerate(boxes, start=1):
        if box is None:
            continue
        mask, number = array[box] == place, int(numbers[place])
        start = tuple(side.start for side in box)
        if corner is not None:
            start = tuple(a + b for a, b in zip(start, corner, strict=True))
        inside = {name: image[box][mask] for name, image in pictures.items()}
        name = (names or {}).get(number, "")
        one = _measure(number, name, mask, start, frame, inside)
        made = (sureness or {}).get(number, Sureness())
        found.append(replace(one, margin=_margin(mask, made, start, frame)))
    return found


class _Frame(NamedTuple):
    """What the objects of a mask have in common."""

    unit: str
    spacing: tuple[float, ...]
    axis: int | None
    affine: NDArray[np.float64] | None
    surface: bool


def _measure(
    number: int,
    name: str,
    mask: NDArray[np.bool_],
    corner: tuple[int, ...],
    frame: _Frame,
    inside: Mapping[str, NDArray[Any]],
) -> ObjectMeasures:
    """Measure the object that fills a box of the mask."""
    solid, spacing, affine = mask.ndim == 3, frame.spacing, frame.affine
    voxels = int(mask.sum())
    middle = [float(np.mean(place)) for place in np.nonzero(mask)]
    centroid = tuple(at + start for at, start in zip(middle, corner, strict=True))
    return ObjectMeasures(
        label=number,
        name=name,
        unit=frame.unit,
        voxels=voxels,
        parts=int(label(mask, connectivity=mask.ndim, return_num=True)[1]),
        volume=voxels * float(np.prod(spacing)) if solid else None,
        surface=surface_area(mask, spacing) if solid and frame.surface else None,
        feret=feret_diameter(mask, spacing),
        centroid=centroid,
        place=None if affine is None or not solid else _world(affine, centroid),
        intensities={name: _intensities(values) for name, values in inside.items()},
        slices=tuple(_slices(mask, corner, spacing, frame.axis)),
    )


def _margin(
    mask: NDArray[np.bool_], made: Sureness, corner: tuple[int, ...], frame: _Frame
) -> float | None:
    """Tell by how much volume, or area, may differ."""
    voxels = volume_margin(mask, made, corner[made.axis] if mask.ndim == 3 else 0)
    return None if voxels is None else voxels * float(np.prod(frame.spacing))


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


def _consecutive(
    labels: NDArray[np.integer],
) -> tuple[NDArray[np.integer], Sequence[int] | NDArray[np.integer]]:
    """Count labels from 1 if they are so high that a list of all would not fit.

    Returns
    -------
    labels : ndarray
        Of the same shape.
    numbers : sequence of int
        What each of them was.
    """
    high = int(labels.max(initial=0))
    if high <= labels.size:
        return labels, range(high + 1)
    numbers = np.unique(labels[labels > 0])
    return np.searchsorted(numbers, labels, "right"), np.insert(numbers, 0, 0)


def _same_shape(image: NDArray[Any], shape: tuple[int, ...], name: str) -> NDArray[Any]:
    if image.shape != shape:
        raise UserError(
            f"'{name}' has the shape {image.shape}, but the mask {shape}; give the "
            "image that the mask was drawn on."
        )
    return image
