"""Readers of images, and of masks as labels: objects positive, 0 background.

The rules of published data sets are those of the evaluation code that RITM, SimpleClick
and ClickSEG (FocalClick) released; it reads every picture as colour with OpenCV.
"""

from __future__ import annotations

import logging
import zlib
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from napari_simpleclick.errors import UserError
from napari_simpleclick.images import files
from napari_simpleclick.images.files import read_image
from napari_simpleclick.images.label_maps import (
    labels_of,
    whole_numbers,
)
from napari_simpleclick.images.masks import put_onto

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_simpleclick.images.image_file import ImageFile

IGNORED = -1
"""Label of pixels that are neither object nor background."""

VOC_VOID = 220
"""Gray value of (224, 224, 192), the colour of void pixels in Pascal VOC."""

Labels = NDArray[np.signedinteger[Any]]
"""int32, or int64 where labels are larger than that."""


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
    """Read a label image (H, W); palettes and colours are labels, as in any mask."""
    return _labels(path, _label_file(path, 2)[0])


@lru_cache(maxsize=1)
def volume(path: Path) -> NDArray[Any]:
    """Read a volume; the last one is kept, as its slices are used one by one."""
    return _read(path, 3)


@lru_cache(maxsize=1)
def volume_labels(path: Path, image: Path | None = None) -> Labels:
    """Read the labels of a volume; the last ones are kept.

    They are turned as their image lies, if that is given and both say how they lie.
    """
    labels, file = _label_file(path, 3)
    if (
        file.affine is not None
        and image is not None
        and files.suffix_of(image) in files.NIFTI
    ):
        onto = files.read_image(image).as_volume()  # its voxels stay on disk
        if sorted(onto.shape) == sorted(file.shape):
            labels, told = put_onto(labels, file, onto)
            _tell(*told)
    return _labels(path, labels)


def _label_file(path: Path, axes: int) -> tuple[NDArray[Any], ImageFile]:
    file = _file(path, axes)
    with _damage(path):
        labels, told = labels_of(file)
    _tell(*told)
    return labels, file


@lru_cache
def _tell(*sentences: str) -> None:
    """Say what is odd about masks, once."""
    for sentence in sentences:
        logging.getLogger(__name__).warning(sentence)


def _read(path: Path, axes: int) -> NDArray[Any]:
    """Read an array with this many axes, colour not counted."""
    file = _file(path, axes)
    with _damage(path):
        return np.asarray(file.array)


def _file(path: Path, axes: int) -> ImageFile:
    file = read_image(path).as_volume()
    if len(file.shape) != axes:
        raise UserError(
            f"'{path}' has the shape {file.shape}; expected {axes} axes, not "
            f"{len(file.shape)}."
        )
    return file


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Turn errors of reading voxels into a sentence."""
    try:
        yield
    except UserError:
        raise
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise UserError(f"'{path}' is damaged: {error}.") from error


def _labels(path: Path, array: NDArray[Any]) -> Labels:
    """Give labels as int32, or as int64 if they are larger than that."""
    whole = whole_numbers(_rounded(array))
    if whole is None:
        raise UserError(f"'{path}' is no mask: its labels are not whole numbers.")
    for kind in (np.int32, np.int64):
        limits = np.iinfo(kind)
        lowest, highest = int(whole.min(initial=0)), int(whole.max(initial=0))
        if limits.min <= lowest and highest <= limits.max:
            return np.asarray(whole, kind)
    raise UserError(
        f"'{path}' has the label {whole.max()}, which is too large; number its objects "
        "from 1."
    )


def _rounded(array: NDArray[Any]) -> NDArray[Any]:
    """Round what is nearly whole, as resampled masks are."""
    if array.dtype.kind != "f":
        return array
    whole = np.rint(array)
    with np.errstate(invalid="ignore"):
        return whole if (np.abs(array - whole) < 1e-3).all() else array
