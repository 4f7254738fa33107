"""Files as labels: one whole number a pixel, whatever the file stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.label_names import LabelName

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.images.image_file import ImageFile

MOST_COLOURS = 255
"""Colours beside black that a mask can have; a photograph has more."""

BLURRED = 32
"""Steps of gray by which JPEG changes most pixels near an edge at the most."""

MOST_BLURRED = 0.1
"""Part of an object's pixels that may be changed by more than that."""

BRIGHT = 128
"""Gray from which an object of a lossy mask can be told from its background."""


MANY = 64
"""Labels that there may be on a few slices whatever they look like."""

LOOKED_AT = 5
"""Slices by which a scan is told from labels."""

COMMON = 0.1
"""Part of the pixels that only the air of a scan has, or a large object."""

SCATTERED = 0.5
"""Part of the neighbours that are alike in labels, and fewer in scans."""


def labels_of(file: ImageFile) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Give the labels that a file holds.

    Parameters
    ----------
    file : ImageFile
        Gray values are labels as they are; of a palette the numbers are, not the
        colours. Every colour but black is a label, from 1 in the order of red, green
        and blue. Of a lossy file in black and white, what is bright is label 1.

    Returns
    -------
    labels : ndarray
        Of the file's type, its axes in the file's order, without a colour axis.
    warnings : tuple of str
        What is odd about them.

    Raises
    ------
    UserError
        If the labels cannot be told.
    """
    if file.indices is not None:
        return _of_palette(file)
    array = np.asarray(file.array[...])
    if not file.rgb:
        return _of_lossy(file, array) if file.lossy else (array, ())
    gray = (array == array[..., :1]).all()
    if file.lossy:
        same = np.ptp(array.astype(int), axis=-1).max(initial=0) <= BLURRED
        return _of_lossy(file, array[..., 1] if same else None)
    return (array[..., 0], ()) if gray else _of_colours(file, array)


def _of_palette(file: ImageFile) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Give the numbers of a palette, with a word if black is another one than 0."""
    labels = np.asarray(file.indices[...])
    black = np.asarray((file.array[...] == 0).all(axis=-1))
    zero = np.asarray(labels == 0)
    if black[zero].any() or not black[~zero].any():
        return labels, ()
    number = int(labels[~zero & black][0])
    told = (
        f"'{file.path}' has a palette in which black is {number}, not 0; its numbers "
        "are taken for labels, and 0 for the background, whatever its colour."
    )
    return labels, (told,)


def _of_lossy(
    file: ImageFile, gray: NDArray[Any] | None
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Tell an object in black and white from what JPEG made of it."""
    if gray is not None and (not gray.any() or _black_and_white(gray)):
        told = (
            f"'{file.path}' is JPEG, which changes values; what is brighter than half "
            "is taken for the object. Save masks as PNG."
        )
        return (gray > gray.max() / 2).astype(np.uint8), (told,)
    raise UserError(
        f"'{file.path}' is JPEG, which has changed its labels; save the mask as PNG, "
        "TIFF or NIfTI, from the program that made it."
    )


def _black_and_white(gray: NDArray[Any]) -> bool:
    """Whether nearly all pixels are black or of one bright gray."""
    high = int(np.percentile(gray[gray > gray.max() // 2], 50))
    bright, dark = gray >= high - BLURRED, gray <= BLURRED
    blurred = int((~bright & ~dark).sum())
    return high >= BRIGHT and blurred <= MOST_BLURRED * int(bright.sum())


def _of_colours(
    file: ImageFile, array: NDArray[Any]
) -> tuple[NDArray[Any], tuple[str, ...]]:
    if array.dtype.kind != "u":
        raise UserError(f"'{file.path}' is coloured with numbers of {array.dtype}.")
    flat = array.reshape(-1, 3).astype(np.uint64)
    bits = np.uint64(8 * array.dtype.itemsize)
    codes = (flat[:, 0] << (bits + bits)) | (flat[:, 1] << bits) | flat[:, 2]
    colours, labels = np.unique(codes, return_inverse=True)
    if colours[0] != 0 or len(colours) - 1 > MOST_COLOURS:
        why = (
            "has no black, so that its background cannot be told"
            if colours[0] != 0
            else f"has {len(colours)} colours, as pictures have and not masks"
        )
        raise UserError(
            f"'{file.path}' is coloured and {why}; save it as a gray picture whose "
            "values are the labels and 0 the background."
        )
    kind = np.min_scalar_type(len(colours) - 1)
    found = labels.reshape(array.shape[:-1]).astype(kind)
    if len(colours) < 3:
        return found, ()
    told = (
        f"'{file.path}' is coloured; its {len(colours) - 1} colours beside black are "
        "taken for labels, in the order of red, green and blue."
    )
    return found, (told,)


def whole_numbers(array: NDArray[Any]) -> NDArray[Any] | None:
    """Give labels as integers; None if they are not whole numbers."""
    if array.dtype.kind in "iub":
        return array
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        return None
    low, high = float(array.min(initial=0)), float(array.max(initial=0))
    if not -(2.0**63) <= low <= high < 2.0**64 or (low < 0 and high >= 2.0**63):
        return None
    whole = array.astype(smallest_type(array))
    return whole if (whole == array).all() else None


def label_numbers(array: NDArray[Any], path: Path) -> NDArray[Any]:
    """Give the labels of a file as integers.

    Parameters
    ----------
    array : ndarray
        What the file holds.
    path : Path
        Named in errors.

    Raises
    ------
    UserError
        If it holds other values than whole numbers, or looks like a scan.
    """
    labels = whole_numbers(array)
    if labels is None:
        raise UserError(
            f"'{path}' holds other values than whole numbers; give a mask, whose "
            "values are labels."
        )
    if looks_like_scan(labels):
        raise UserError(
            f"'{path}' looks like an image: its many values are scattered from pixel "
            "to pixel, as grays are; give a mask, whose values are labels."
        )
    return labels


def looks_like_scan(labels: NDArray[Any]) -> bool:
    """Tell the gray values of an image from the labels of many objects.

    The number of labels says little: there are maps of ten thousands of nuclei. But
    objects hang together, and grays change from pixel to pixel. So on a few slices the
    neighbours are looked at that both belong to something: of labels more than half are
    alike, even where cells of four pixels fill a slice (nuclei of 20 pixels: three of
    four); of CT, MR, ultrasound and electron microscopy fewer than half, mostly a
    tenth. Values that many pixels have, such as the air of a scan, do not count; nor do
    labels of single pixels that lie apart, as points do, of which nothing is known.

    Parameters
    ----------
    labels : ndarray
        Integers of any shape.

    Returns
    -------
    bool
        Whether they are more likely an image's.
    """
    planes = _planes(labels)
    values, codes, counts = np.unique(planes, return_inverse=True, return_counts=True)
    if len(values) <= MANY:
        return False
    counted = (values != 0) & (counts <= COMMON * planes.size)
    codes = codes.reshape(planes.shape)
    alike = [_alike(np.moveaxis(codes, axis, -1), counted) for axis in (-1, -2)]
    return max(alike) < SCATTERED


def _planes(array: NDArray[Any]) -> NDArray[Any]:
    """Give a few slices along the two longest axes."""
    if array.ndim < 3:
        return np.atleast_2d(array)
    *short, last, longest = np.argsort(array.shape)
    for axis in short:
        length = array.shape[axis]
        places = (np.arange(LOOKED_AT) + 0.5) * length / LOOKED_AT
        array = array.take(np.unique(places.astype(int)), axis=axis)
    return np.moveaxis(array, (last, longest), (-2, -1))


def _alike(codes: NDArray[Any], counted: NDArray[np.bool_]) -> float:
    """Give the part of neighbours that are alike; 1 if few have any neighbour."""
    one, other = codes[..., 1:], codes[..., :-1]
    both = counted[one] & counted[other]
    if 2 * both.sum() < counted[codes].sum():
        return 1.0
    return float((one == other)[both].mean())


def as_classes(
    labels: NDArray[Any], names: Sequence[LabelName]
) -> tuple[NDArray[Any], tuple[LabelName, ...]]:
    """Give objects of one category one number.

    Parameters
    ----------
    labels : ndarray
        Integers from 0, one number an object.
    names : sequence of LabelName
        Of all objects; one without a category is a class of its own.

    Returns
    -------
    labels : ndarray
        The numbers of classes, from 1 in the order of ``names``.
    names : tuple of LabelName
        Of the classes, with the colour of their first object.
    """
    numbers = np.zeros(int(labels.max(initial=0)) + 1, np.uint16)
    classes: dict[tuple[str, int], LabelName] = {}
    for one in names:
        key = (one.category, 0 if one.category else one.label)
        if key not in classes:
            title = one.category or one.name
            classes[key] = LabelName(len(classes) + 1, title, one.colour, one.category)
        if one.label < len(numbers):
            numbers[one.label] = classes[key].label
    return numbers[labels], tuple(classes.values())


def smallest_type(labels: NDArray[Any]) -> np.dtype[Any]:
    """Smallest integer type of the labels, unsigned if none is negative."""
    low, high = int(labels.min(initial=0)), int(labels.max(initial=0))
    return np.min_scalar_type(min(low, -high - 1) if low < 0 else high)
