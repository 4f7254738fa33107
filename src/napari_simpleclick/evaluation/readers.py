"""Readers of images, and of masks as labels: objects positive, 0 background.

The rules of published data sets are those of the evaluation code that RITM, SimpleClick
and ClickSEG (FocalClick) released; it reads every picture as colour with OpenCV.
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.files import read_image

if TYPE_CHECKING:
    from pathlib import Path

IGNORED = -1
"""Label of pixels that are neither object nor background."""

VOC_VOID = 220
"""Gray value of (224, 224, 192), the colour of void pixels in Pascal VOC."""

Labels = NDArray[np.int32]


def rgb(path: Path) -> NDArray[np.uint8]:
    """Read a picture as (H, W, 3) uint8, whatever its file holds."""
    return np.ascontiguousarray(_bgr(path)[..., ::-1])


def _bgr(path: Path) -> NDArray[np.uint8]:
    try:  # not imread, which cannot open every path on Windows
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        image = None
    if image is None:
        raise UserError(f"'{path}' cannot be read as an image; check the file.")
    return np.asarray(image, np.uint8)


def blue(path: Path) -> Labels:
    """Label by the first channel that OpenCV has, which is blue."""
    return np.asarray(_bgr(path)[..., 0], np.int32)


def trimap(path: Path) -> Labels:
    """Label 128 as ignored and what is above as the object.

    Other values are kept as released, so that a mask of 0 and 1 has an object too.
    """
    values = blue(path)
    labels = np.asarray((values > 128) | (values == 1), np.int32)
    labels[values == 128] = IGNORED
    return labels


def any_channel(path: Path) -> Labels:
    """Label what is not black."""
    return np.asarray(_bgr(path).max(2) > 0, np.int32)


def positive(path: Path) -> Labels:
    """Label what is not black in the first channel."""
    return np.asarray(blue(path) > 0, np.int32)


def bright(path: Path) -> Labels:
    """Label what is above 128, as in the masks of DAVIS-585."""
    return np.asarray(blue(path) > 128, np.int32)


def components(path: Path) -> Labels:
    """Label what touches, diagonally too.

    The released code asks for 4-connectivity, but in the place of another argument,
    so that published numbers are of OpenCV's default of 8.
    """
    mask = np.ascontiguousarray(_bgr(path)[..., 0])
    return np.asarray(cv2.connectedComponents(mask, connectivity=8)[1], np.int32)


def voc(path: Path) -> Labels:
    """Label by the gray value of the palette's colour.

    Some colours have the same gray, such as those of objects 1 and 16; two such
    objects of an image are one, as released.
    """
    labels = np.asarray(cv2.cvtColor(_bgr(path), cv2.COLOR_BGR2GRAY), np.int32)
    labels[labels == VOC_VOID] = IGNORED
    return labels


def sbd(path: Path) -> Labels:
    """Label by ``GTinst.Segmentation`` of a MATLAB file."""
    try:
        return np.asarray(loadmat(path)["GTinst"]["Segmentation"][0, 0], np.int32)
    except Exception as error:  # damaged files have many kinds of errors
        raise UserError(f"'{path}' has no 'GTinst.Segmentation' to read.") from error


def picture(path: Path) -> NDArray[Any]:
    """Read an image (H, W) or (H, W, 3) as it is in its file."""
    return _read(path, 2)


def picture_labels(path: Path) -> Labels:
    """Read a label image (H, W)."""
    array = _read(path, 2)
    if array.ndim == 3:
        if (array != array[..., :1]).any():
            raise UserError(
                f"'{path}' is coloured; a mask must have one label a pixel."
            )
        array = array[..., 0]
    return _labels(path, array)


@lru_cache(maxsize=1)
def volume(path: Path) -> NDArray[Any]:
    """Read a volume; the last one is kept, as its slices are used one by one."""
    return _read(path, 3)


@lru_cache(maxsize=1)
def volume_labels(path: Path) -> Labels:
    """Read the labels of a volume; the last ones are kept."""
    return _labels(path, _read(path, 3))


def _read(path: Path, axes: int) -> NDArray[Any]:
    """Read an array with this many axes, colour not counted."""
    file = read_image(path)
    if len(file.shape) != axes:
        raise UserError(
            f"'{path}' has the shape {file.shape}; expected {axes} axes, not "
            f"{len(file.shape)}."
        )
    try:
        return np.asarray(file.array)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise UserError(f"'{path}' is damaged: {error}.") from error


def _labels(path: Path, array: NDArray[Any]) -> Labels:
    if np.can_cast(array.dtype, np.int32):
        return array.astype(np.int32)
    with np.errstate(invalid="ignore"):
        values = array.astype(np.float64)
        labels = np.rint(values).astype(np.int32)
        if not (np.abs(values - labels) < 1e-3).all():
            raise UserError(f"'{path}' is no mask: its labels are not whole numbers.")
    return labels
