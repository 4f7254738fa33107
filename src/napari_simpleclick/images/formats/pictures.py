"""PNG, JPEG and BMP files, through Pillow."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image, ImageMode

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.format import Format
from napari_simpleclick.images.image_file import ImageFile
from napari_simpleclick.images.label_maps import smallest_type

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

PALETTES = ("P", "PA")
OTHER_COLOURS = (*PALETTES, "CMYK", "YCbCr", "LAB", "HSV", "RGBa", "RGBX")
"""Modes of Pillow that become RGB."""

PNG = b"\x89PNG\r\n\x1a\n"
DEEP_WITH_SAMPLES = ((16, 2), (16, 4), (16, 6))
"""Bits and colour types of PNG that Pillow gives 8 bits only."""


def read(path: Path) -> ImageFile:
    """Read a picture of any size as (H, W) or (H, W, 3); alpha is dropped.

    Palettes become colours, and their numbers are kept beside them.
    """
    with _any_size(), Image.open(path) as picture:
        lossy = picture.format == "JPEG"
        mode, indices = picture.mode, None
        if _is_deep(path):
            array = _deep(path)
        elif mode in OTHER_COLOURS:
            array = np.asarray(picture.convert("RGB"))
        else:
            array = np.asarray(picture)
        if mode in PALETTES:
            indices = np.asarray(picture)
            indices = indices[..., 0] if indices.ndim == 3 else indices
        alpha = np.asarray(picture)[..., -1] if "A" in picture.getbands() else None
    if array.ndim == 3:
        array = array[..., 0] if array.shape[-1] == 2 else array[..., :3]
    told = (
        f"'{path}' is drawn in its opacity alone, which is not read; save it without "
        "transparency."
    )
    varies = alpha is not None and bool(np.ptp(alpha))
    drawn_in_alpha = varies and not np.ptp(array, axis=(0, 1)).any()
    return ImageFile(
        array,
        array.ndim == 3,
        (1.0, 1.0),
        path=path,
        warnings=(told,) if drawn_in_alpha else (),
        indices=indices,
        lossy=lossy,
    )


def recognises(head: bytes) -> bool:
    """Whether a file begins as PNG, JPEG or BMP."""
    return head.startswith((PNG, b"\xff\xd8\xff", b"BM"))


def header(path: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """(H, W) and type of a picture, without reading it."""
    with _any_size(), Image.open(path) as picture:
        kind = np.dtype(ImageMode.getmode(picture.mode).typestr)
        size = picture.height, picture.width
    return size, np.dtype(np.uint16 if _is_deep(path) else kind.newbyteorder("="))


def _is_deep(path: Path) -> bool:
    """Whether a PNG has colours or alpha of 16 bits."""
    with path.open("rb") as file:
        start = file.read(26)
    return start.startswith(PNG) and (start[24], start[25]) in DEEP_WITH_SAMPLES


def _deep(path: Path) -> NDArray[np.uint16]:
    """Read a PNG of 16 bits as OpenCV does."""
    array = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None:
        raise UserError("the file is damaged")
    gray = array.ndim == 3 and (array[..., :1] == array[..., :3]).all()
    picture = array[..., 0] if gray else array[..., 2::-1]
    return np.ascontiguousarray(picture, np.uint16)


@contextmanager
def _any_size() -> Iterator[None]:
    """Lift Pillow's limit, which is meant for untrusted uploads."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def write(path: Path, labels: NDArray[Any]) -> None:
    """Write an (H, W) mask: of label 1 alone as 0 and 255, else its labels as gray.

    A mask of one object can so be seen in every program.

    Raises
    ------
    UserError
        If it is a volume, or a label is below 0 or has more than 16 bits.
    """
    if labels.ndim != 2:
        raise UserError("A picture cannot hold a volume; use .tif or .nii.gz.")
    low, high = int(labels.min(initial=0)), int(labels.max(initial=0))
    if low < 0 or high > np.iinfo(np.uint16).max:
        raise UserError(
            "A picture holds labels from 0 to 65,535; save this mask as .nii.gz."
        )
    values = labels * np.uint8(255) if high == 1 else labels
    Image.fromarray(values.astype(smallest_type(values))).save(path, "PNG")


FORMAT = Format(
    name="picture",
    rank=0,
    suffixes=(".png", ".jpg", ".jpeg", ".bmp"),
    read=lambda path: [read(path)],
    recognises=recognises,
    errors=(Exception,),  # Pillow and OpenCV have errors of many kinds
    written=(".png",),
    write=lambda path, labels, *_: write(path, labels),
    as_shown=True,
    of_any_image=False,
)
