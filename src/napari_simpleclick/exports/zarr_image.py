"""A new OME-Zarr store: an image in several sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.exports.zarr_store import describe, write_sizes
from napari_simpleclick.images.formats.ngff import NAMES, WORDS
from napari_simpleclick.images.masks import PLAIN_NAMES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.exports.case import ExportCase

VERSION = "0.5"
"""Of new stores."""

SMALLEST = 256
"""Rows and columns below which there is no smaller size."""

ORDER = "tczyx"
"""In which the axes must be."""

TYPES = {"t": "time", "c": "channel"}


class _Axis(NamedTuple):
    """An axis of an image: what OME-Zarr says of it, its pixels and its beginning."""

    about: dict[str, str]
    step: float
    begin: float


def write_image(case: ExportCase, folder: Path) -> NDArray[Any]:
    """Write the image of a case.

    Returns
    -------
    ndarray
        Its labels, with their axes in the order of the store, without channels.

    Raises
    ------
    UserError
        If it has more axes than OME-Zarr has names for.
    """
    letters = _letters(case)
    order = sorted(range(len(letters)), key=lambda axis: ORDER.index(letters[axis]))
    axes = [_axis(case, letters[axis], axis) for axis in order]
    parts = [np.asarray(one) for one in case.channels.values()]
    if case.rgb:
        parts = [parts[0][..., colour] for colour in range(3)]
    parts = [one.transpose(order) for one in parts]
    image = parts[0]
    if len(parts) > 1:
        place = int(axes[0].about["name"] == "t")
        axes.insert(place, _Axis({"name": "c", "type": "channel"}, 1.0, 0.0))
        image = np.stack(parts, axis=place)
    sizes = [image]
    while max(sizes[-1].shape[-2:]) > SMALLEST:
        sizes.append(_halved(sizes[-1]))
    about = {
        "name": case.name,
        "axes": [axis.about for axis in axes],
        "datasets": [
            {"path": str(number), **_steps(axes, image.shape, size.shape)}
            for number, size in enumerate(sizes)
        ],
    }
    write_sizes(folder, sizes, about, VERSION)
    describe(folder, {"multiscales": [about]}, VERSION)
    return case.labels.transpose(order)


def _steps(
    axes: list[_Axis], whole: tuple[int, ...], size: tuple[int, ...]
) -> dict[str, Any]:
    """Say how long the pixels of a size are, and where the middle of the first is."""
    steps = [axis.step * (a // b) for axis, a, b in zip(axes, whole, size, strict=True)]
    begins = [
        axis.begin + (step - axis.step) / 2
        for axis, step in zip(axes, steps, strict=True)
    ]
    return {
        "coordinateTransformations": [
            {"type": "scale", "scale": steps},
            {"type": "translation", "translation": begins},
        ]
    }


def _letters(case: ExportCase) -> list[str]:
    """Give each axis of a case a letter; the last three are of space if unnamed."""
    count = case.labels.ndim
    known = {name: letter for letter, name in NAMES.items() if letter != "c"}
    names = case.source.axis_labels[-count:] or ("",) * count
    found = [known.get(PLAIN_NAMES.get(name, name), "") for name in names]
    left = [letter for letter in "tzyx" if letter not in found]
    for axis in reversed(range(count)):
        if not found[axis]:
            if not left:
                raise UserError(
                    f"'{case.name}' has {count} axes, more than OME-Zarr has names "
                    "for; export a part of it."
                )
            found[axis] = left.pop()
    return found


def _axis(case: ExportCase, letter: str, axis: int) -> _Axis:
    source, back = case.source, axis - case.labels.ndim  # the first ones may be missing
    unit = source.units[back] if source.units else ""
    about = {"name": letter, "type": TYPES.get(letter, "space")}
    if unit in WORDS:
        about["unit"] = WORDS[unit]
    return _Axis(about, abs(source.scale[back]), source.translate[back])


def _halved(array: NDArray[Any]) -> NDArray[Any]:
    """Halve rows and columns: the mean of four pixels; what is over is left out."""
    height, width = (side - side % 2 if side > 1 else 1 for side in array.shape[-2:])
    even = array[..., :height, :width].astype(np.float32)
    for axis in (-1, -2):
        if even.shape[axis] > 1:
            pairs = np.moveaxis(even, axis, -1)
            pairs = pairs.reshape(*pairs.shape[:-1], -1, 2).mean(axis=-1)
            even = np.moveaxis(pairs, -1, axis)
    if array.dtype.kind in "iu":
        even = np.rint(even)
    return even.astype(array.dtype)
